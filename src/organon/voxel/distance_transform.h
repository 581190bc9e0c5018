#pragma once

#include <cstdint>
#include <limits>

#include "organon/voxel/distance_passes.h"

namespace organon::voxel {

struct DistanceOptions {
  DistanceTo to = DistanceTo::kForeground;
  /// Distances above this many nm come out as infinity. A voxel then depends on no voxel further away, so
  /// blocks read with this much halo give the voxels of the whole.
  double bound_nm = std::numeric_limits<double>::infinity();
};

/// Exact Euclidean distance, squared, in nm2, from each voxel's centre to the nearest centre of a voxel of
/// the set; 0 in the set, infinity where the view has none. Outside the view there is nothing of either kind.
///
/// Shapes: `mask` (0 or not 0) and `squared_nm2` have equal shapes, any strides. Units, errors, halo, cost
/// and source: as squared_label_distance().
void squared_distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                                const DistanceOptions& options, ArrayView<float> squared_nm2);

/// As above, the distance itself in nm.
void distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                        const DistanceOptions& options, ArrayView<float> distance_nm);

}  // namespace organon::voxel
