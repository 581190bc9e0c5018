#pragma once

#include "organon/array/array.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/phantom/contrast.h"

namespace organon::phantom {

/// The grid of labels under a raw grid: half the voxel size, 2 x 2 x 2 labels fill one raw voxel.
VoxelGrid label_grid_of(const VoxelGrid& raw_grid);

/// The FIB-SEM image of the voxels `box` of `raw_grid`: the mean stain of each voxel's eight labels and its
/// texture, blurred by the beam, then per slice z brightness and stripes along y, shot and read noise.
///
/// The shapes under the blur's halo are computed anew, so that a voxel depends on nothing but its place.
/// Memory: about 130 bytes a voxel of the box. Cost: about 0.7 us a voxel.
Array<std::uint8_t> form_image(const Cell& cell, const Contrast& contrast, const VoxelGrid& raw_grid,
                               const Box& box);

/// How far the beam's blur reaches: ceil(2.5 sigma), in voxels.
Shape3 blur_halo(const Contrast& contrast, const SizeNm& voxel_size_nm);

}  // namespace organon::phantom
