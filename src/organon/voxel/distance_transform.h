#pragma once

#include <cstdint>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Exact Euclidean distance, in nm, from every voxel centre to the nearest voxel centre of the mask (not 0).
///
/// Shapes: both views have one shape; rows contiguous. Units: nm, anisotropic voxels. Where the mask is empty
/// every distance is infinite. Distances above `limit_nm` come out as infinite, which makes the result within
/// a box depend only on voxels within `limit_nm` of it. Cost: three passes, linear in the voxels: lower
/// envelopes of parabolas per row. Memory: 8 bytes a voxel. Source: felzenszwalb2012distance.
void distance_to_mask(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm, double limit_nm,
                      ArrayView<float> distance_nm);

/// As distance_to_mask() without a limit.
void distance_to_mask(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                      ArrayView<float> distance_nm);

}  // namespace organon::voxel
