#pragma once

#include <string>

#include "organon/array/array.h"
#include "organon/geometry/box.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::storage {

/// A slice of raw for people: grey values at the centres of the voxels of `box`, one plane of `grid`,
/// stretched to 0..255; from the level of the dataset or pyramid that is nearest in voxel size. Black outside
/// of it, and everywhere where the address is empty. Errors: those of open_multiscale() and Dataset::read().
Array<std::uint8_t> read_grey_slice(const std::string& address, const VoxelGrid& grid, const Box& box);

}  // namespace organon::storage
