#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/stores/store.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {

// What arrays of both versions have to do with the groups above them.

/// Folders from the array's parent up to the one ending in ".zarr", which are groups; none where there is no
/// such.
std::vector<Place> zarr_groups_above(const Place& array);

/// The grid of an array from the OME-NGFF entry of a group up to three folders above: a level may lie deep
/// below its group, as in "scale0/image". `levels_in` tells the levels of a group. Errors: those of
/// `levels_in`.
std::optional<VoxelGrid> grid_in_groups_above(
    const Place& array, const std::function<std::vector<NgffLevel>(const Place& group)>& levels_in);

/// The grid in an array's own attributes: COSEM's `transform`; nothing where there is none. Errors:
/// kCorruptData.
std::optional<VoxelGrid> grid_of_transform(const Json& attributes, const std::string& where);
/// Daisy's `resolution` (z y x) and `offset`, a corner; or the `dimension_units` of TensorStore and
/// Neuroglancer
/// ("8 nm"), which know no offset. Nothing where there is neither. Errors: kCorruptData.
std::optional<VoxelGrid> grid_of_resolution(const Json& attributes, const std::string& where);

/// `dimension_units` of an array: null for each axis of channels.
Json dimension_units_of(const VoxelGrid& grid, std::size_t num_channel_axes);

}  // namespace organon::storage
