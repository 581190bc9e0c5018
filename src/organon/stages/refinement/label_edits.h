#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "organon/geometry/vec3.h"
#include "organon/tables/object_table.h"

namespace organon::stages {

/// An object as an expert names it: by its id, or, which outlives a rerun, by a point in it.
struct ObjectName {
  ObjectId id = 0;  ///< 0: by the point
  PointNm point_nm;
};

/// One correction of labels.
struct LabelEdit {
  enum class Action {
    kKeep,  ///< where any object is kept, all that are not named so go
    kDrop,
    kMerge,  ///< all named objects become one
    kSplit,  ///< an object falls into parts: of two points or more, each voxel goes to the nearest
  };
  Action action = Action::kDrop;
  std::vector<ObjectName> objects;
};

/// Reads a file of edits, schemas/label_edits.schema.json:
///
///     [{"action": "drop", "ids": [12, 40]},
///      {"action": "keep", "points_nm": [[100, 250, 3000]]},
///      {"action": "merge", "points_nm": [[100, 250, 3000], [100, 600, 3000]]},
///      {"action": "split", "points_nm": [[100, 250, 3000], [100, 250, 3900]]}]
///
/// Points are z, y, x. `where` begins every message. Errors: kCorruptData for text that is no JSON;
/// kInvalidArgument naming the entry for an unknown or missing key or action, ids that are not whole numbers
/// above 0, points that are not three finite numbers within 1e12 nm, fewer than two objects to merge or
/// points to split; kResourceExhausted above 100,000 objects named in all.
std::vector<LabelEdit> parse_label_edits(std::string_view text, std::string_view where);

}  // namespace organon::stages
