#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels and a file of an expert's edits -> corrected labels.
struct EditOptions {
  double min_volume_nm3 = 0;

  void bind(OptionTable& table);
};

/// Replays label_edits.h on every rerun; all edits speak of the labels as they come in, in any order: first
/// objects are split, then merged, then kept or dropped, and at last those that are too small go. Without a
/// file of edits only the last. Ids are 1, 2, ... in raster order of first voxels, in the smallest unsigned
/// type that holds them.
///
/// A split gives each voxel to the nearest of the points in its object (in nm, from its centre; of equal ones
/// the first): two parts meet in the plane half-way between both points. A merge, keep or drop by a point
/// takes the part that it lies in, by an id the whole object.
///
/// Exact: does not depend on blocks or workers. Errors: kInvalidArgument naming an edit whose id is not in
/// the labels or whose point lies in no object.
std::unique_ptr<blockwise::Stage> make_edit_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
