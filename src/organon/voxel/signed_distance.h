#pragma once

#include <cstdint>
#include <limits>

#include "organon/array/array.h"

namespace organon::voxel {

/// What signed_distance() tells apart.
enum class Side : std::uint8_t {
  kBoundary = 0,  ///< in the mask, with one of the 26 neighbours outside
  kInside = 1,    ///< in the mask, as all 26 neighbours
  kOutside = 2,
};

/// The side of each voxel of a mask; beyond the view all counts as inside.
///
/// Shapes: `mask` (0 or not 0), result of the same shape. Halo: 1. Cost: linear; twice the mask's memory.
Array<std::uint8_t> sides_of(ArrayView<const std::uint8_t> mask);

/// Signed distance of a mask to its boundary in nm, as training targets have it: inside the distance to the
/// nearest voxel on the boundary, outside minus that to the nearest of the mask. So the boundary's voxels
/// have 0, and their neighbours outside one voxel size below 0; plus or minus infinity where there is none
/// within `bound_nm`.
///
/// Shapes: `mask` and `signed_nm` have equal shapes. Units, errors, cost: as `label_distance()`, whose two
/// objects are the inside and the outside. Halo: bound_nm / voxel size, rounded down, and 1 for the boundary.
/// Source: [heinrich2021cosem] and its training code.
void signed_distance(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm, double bound_nm,
                     ArrayView<float> signed_nm);

/// Gives the distances of the sides their sign.
void sign_distances(ArrayView<const std::uint8_t> sides, ArrayView<float> distance);

}  // namespace organon::voxel
