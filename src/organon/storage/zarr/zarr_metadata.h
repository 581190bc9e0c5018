#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

/// What a .zarray says: the spec, and how its chunks are named and laid out.
struct ZarrArray {
  DatasetSpec spec;  ///< the grid is not part of .zarray: voxels of 1 nm
  char separator = '.';
  bool is_big_endian = false;
  bool is_fortran_order = false;
};

/// Zarr version 2. Booleans become uint8; `fill_value` null counts as 0.
/// Errors: kCorruptData; kUnsupported naming the rank, codec, filters, type or fill value.
ZarrArray parse_zarray(std::string_view text, std::string_view where);
/// Little-endian, C order, "/" between the numbers of a chunk's name. Errors: kInvalidArgument for shards.
Json zarray_of(const DatasetSpec& spec);

/// "c", "z", "y", "x" where there is one axis of channels; "t" comes before it, and "axis0" ... before that.
std::vector<std::string> axis_names(std::size_t num_channel_axes);

/// Where `names` (one per axis) has x, y or z at another place than z, y, x have: last. Errors: kUnsupported.
void refuse_other_axes(const std::vector<std::string>& names, std::string_view where);

/// One level of an OME-NGFF multiscale: folder below the group, and its grid.
struct NgffLevel {
  std::string path;
  VoxelGrid grid;
};

/// The levels of the first multiscale of a group's .zattrs (OME-NGFF 0.4: `scale` and `translation` steps of
/// the level and of the multiscale, in the order they stand). Empty where there is none. Errors:
/// kCorruptData; kUnsupported where the last axes are not z, y, x.
std::vector<NgffLevel> ngff_levels_of(const Json& zattrs, std::string_view where);
/// `multiscales` of OME-NGFF 0.4.
Json ngff_multiscales_of(const std::string& name, const std::vector<NgffLevel>& levels,
                         std::size_t num_channel_axes = 0);

}  // namespace organon::storage
