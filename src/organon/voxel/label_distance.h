#pragma once

#include <cstdint>
#include <limits>

#include "organon/array/array_view.h"
#include "organon/voxel/distance_passes.h"

namespace organon::voxel {

struct LabelDistanceOptions {
  DistanceBorder border = DistanceBorder::kAbsent;
  /// Distances above this many nm come out as infinity. A voxel then depends on no voxel further away, so
  /// blocks read with this much halo give the voxels of the whole.
  double bound_nm = std::numeric_limits<double>::infinity();
};

/// Exact Euclidean distance of every object at once, squared, in nm2: from each voxel's centre to the nearest
/// centre of a voxel with another id, background included. A voxel next to another object or to background
/// has one voxel size; background has 0; infinity where the view has no other id.
///
/// Shapes: `labels` (unsigned ids of 8 to 64 bits) and `squared_nm2` have equal shapes, any strides. Units:
/// nm2 in single precision, exact where squared voxel sizes are whole and the value is below 2^24, else
/// within 1e-6 of it. Errors: kInvalidArgument for voxel sizes that are not positive and finite, or a
/// negative bound. Halo: bound_nm / voxel size, rounded down. Cost: three passes, see `search_along_lines()`;
/// memory for 32 lines of voxels. Source: separable passes of [felzenszwalb2012] with the runs of ids of each
/// line as domains; search in place of their stack.
template <class Id>
void squared_label_distance(ArrayView<const Id> labels, const SizeNm& voxel_size_nm,
                            const LabelDistanceOptions& options, ArrayView<float> squared_nm2);

/// As above, the distance itself in nm.
template <class Id>
void label_distance(ArrayView<const Id> labels, const SizeNm& voxel_size_nm,
                    const LabelDistanceOptions& options, ArrayView<float> distance_nm);

/// One axis of squared_label_distance(), for volumes that do not fit the memory: along x, which fills
/// `squared_nm2` from the labels alone, then along y and along z, which change it in place. Each takes any
/// part of the volume that has its lines whole, and its parts in any order; after all three the voxels are
/// those of the whole, bit for bit.
template <class Id>
void label_distance_pass(ArrayView<const Id> labels, Axis axis, const SizeNm& voxel_size_nm,
                         const LabelDistanceOptions& options, ArrayView<float> squared_nm2);

}  // namespace organon::voxel
