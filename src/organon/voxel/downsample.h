#pragma once

#include <cstdint>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Number of voxels after reducing cells of `factor` voxels to one; a cell cut off by the upper face counts.
/// Errors: kInvalidArgument unless each factor is 1, 2, 4, 8, 16 or 32.
Shape3 downsampled_shape(const Shape3& shape, const Shape3& factor);

/// Mean of each cell of `factor` voxels, for intensities. Integers are added exactly and rounded once, half
/// up; floats are added in double precision in the order z, y, x. Cells cut off by the upper faces average
/// the voxels that exist.
///
/// Shapes: `output` has downsampled_shape(input). Requires: the input begins at a multiple of `factor` of the
/// whole grid, and ends at one or at the domain's end: then blocks give the voxels of the whole. For
/// pyramids, take every level directly from s0: levels made from levels round again and again.
/// Instantiated for uint8, uint16, uint32, uint64, float. Cost: one pass; extra memory of a row.
template <class T>
void downsample_mean(ArrayView<const T> input, const Shape3& factor, ArrayView<T> output);

/// Most frequent value of each cell, the smallest of equally frequent ones, for labels; otherwise as
/// downsample_mean(). Background competes as any id. Cost: one pass where cells are uniform; else it grows
/// with the number of different ids in a cell.
/// Instantiated for uint8, uint16, uint32, uint64.
template <class T>
void downsample_mode(ArrayView<const T> input, const Shape3& factor, ArrayView<T> output);

}  // namespace organon::voxel
