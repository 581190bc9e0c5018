#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/stores/store.h"

namespace organon::storage {

/// An array that consolidated metadata speak of, as far as a list of arrays needs it.
struct ConsolidatedArray {
  std::string path;                 ///< below the group
  std::vector<std::int64_t> shape;  ///< any rank; empty where it is not told
  std::string type;                 ///< as the file names it: "<u2", "uint16"

  friend bool operator==(const ConsolidatedArray&, const ConsolidatedArray&) = default;
};

/// The arrays below a group, by path, from the copy of all metadata that other programs keep at its top:
/// .zmetadata of Zarr 2, or `consolidated_metadata` in the zarr.json of a group of Zarr 3. Empty where there
/// is none. Entries whose path could lead out of the group, or cannot be shown (is_safe_node_path()), are
/// left out. Voxels are never read by it: each array has its own file. Source: [zarr2023core]. Errors:
/// kCorruptData where it is not an object of objects.
std::vector<ConsolidatedArray> consolidated_arrays_of(const Json& json, std::string_view where);
std::vector<ConsolidatedArray> read_consolidated_arrays(const Place& group);

/// The copies in the node's own folder and in all folders above it go away: zarr-python believes them before
/// the nodes' own files, and would not see what is about to change. To be called before metadata of `node`
/// are written, without holding the lock of a folder above. Errors: kIo where a copy cannot be removed.
void drop_consolidated_metadata(const Place& node);

/// The key of a group's zarr.json that holds the copy.
inline constexpr const char* kConsolidatedKey = "consolidated_metadata";

}  // namespace organon::storage
