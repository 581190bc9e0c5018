#pragma once

#include "organon/array/array.h"
#include "organon/array/border.h"
#include "organon/blockwise/stage.h"
#include "organon/storage/dataset.h"

namespace organon::blockwise {

/// Voxels of `box`, which may reach outside the dataset: there `border` makes them up.
template <class T>
Array<T> read_with_border(const storage::Dataset& dataset, const Box& box, Border border, T constant = T{});

/// The part of `grid`'s voxels that `box_nm` ("z0,y0,x0,z1,y1,x1") meets, grown to whole chunks and clipped
/// to `shape`; everything where it is empty. Errors: kInvalidArgument where it is not six numbers or misses
/// the volume.
Box domain_in(const std::string& box_nm, const VoxelGrid& grid, const Shape3& shape,
              const Shape3& chunk_shape);

/// `wanted`, or where it is zeros `standard`; per axis not larger than needed to cover `shape`, and a
/// multiple of `chunk_shape`. Errors: kInvalidArgument where `wanted` is no multiple of the chunk shape.
Shape3 block_shape_or(const Shape3& wanted, const Shape3& standard, const Shape3& shape,
                      const Shape3& chunk_shape);

/// Errors: kInvalidArgument where the dataset does not hold ids, which are unsigned.
void require_labels(const storage::Dataset& dataset);

/// A shape from an option of three numbers, or of one for a cube. Errors: kInvalidArgument.
Shape3 shape_from(const std::vector<std::int64_t>& values, const std::string& option);

}  // namespace organon::blockwise
