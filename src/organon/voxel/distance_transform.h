#pragma once

#include <cstdint>
#include <limits>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// The set of voxels that distances are measured to.
enum class DistanceTo { kForeground, kBackground };

struct DistanceOptions {
  DistanceTo to = DistanceTo::kForeground;
  /// Distances above this many nm come out as infinity. A voxel then depends on no voxel further away, so
  /// blocks read with this much halo give the voxels of the whole.
  double bound_nm = std::numeric_limits<double>::infinity();
};

/// Exact Euclidean distance, squared, in nm2, from each voxel's centre to the nearest centre of a voxel of
/// the set; 0 in the set, infinity where the view has none. Outside the view there is nothing of either kind.
///
/// Shapes: `mask` (0 or not 0) and `squared_nm2` have equal shapes. Units: nm2 in single precision, exact
/// where the true value is a whole number below 2^24, else within 1e-6 of it. Errors: kInvalidArgument for
/// voxel sizes that are not positive and finite, or a negative bound. Halo: bound_nm / voxel size, rounded
/// down. Cost: three passes, each linear in the voxels. Source: lower envelopes of parabolas
/// [felzenszwalb2012].
void squared_distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                                const DistanceOptions& options, ArrayView<float> squared_nm2);

/// As above, the distance itself in nm.
void distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                        const DistanceOptions& options, ArrayView<float> distance_nm);

}  // namespace organon::voxel
