#pragma once

#include <cstdint>
#include <vector>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Values of the signed tanh boundary distance. Source: [heinrich2021cosem] and its training code.
struct TargetOptions {
  double scale_nm = 50;   ///< t = tanh(d / scale)
  double limit_nm = 138;  ///< distances are clipped here: tanh(138 / 50) = 0.992
  double add_nm =
      0;  ///< added to the distance, for structures too thin otherwise (ribosomes 8, centrosome 2)
  std::int64_t factor = 1;  ///< label voxels per target voxel and axis
};

/// How far labels are needed around the wanted voxels, in label voxels: the limit and one voxel for the
/// erosion.
Shape3 target_halo(const SizeNm& label_voxel_size_nm, const TargetOptions& options);

/// Target of one class on the part of a label view that its margins leave.
///
///     M = label in `ids`, or any but 0 where `ids` is empty;
///     d = distance to outside of erode(M) inside, minus distance to M outside, in nm
///
/// so that inside voxels on the boundary have 0 and their outside neighbours one voxel size below 0.
/// Distances are averaged over `factor`^3 label voxels, as raw is when it is reduced: the paper takes every
/// second one, which shifts targets by half a label voxel.
///
/// Where the nearest boundary may lie outside what is annotated, the distance is uncertain and `mask` becomes
/// 0: where |d| reaches the distance to the nearest unannotated voxel or to the view's end, unless that
/// exceeds the limit.
///
/// Shapes: `labels` and `annotated` (not 0: annotated) share one shape; `inner` is the wanted part of it, a
/// multiple of the factor per axis; `target` and `mask` have inner / factor. Whether the view ends because
/// the volume ends is the same to it: beyond, nothing is known.
void make_target(ArrayView<const std::uint64_t> labels, ArrayView<const std::uint8_t> annotated,
                 const Box& inner, const std::vector<std::uint64_t>& ids, const SizeNm& label_voxel_size_nm,
                 const TargetOptions& options, ArrayView<float> target, ArrayView<std::uint8_t> mask);

/// A network's output as stored: clip(round(128 y + 127), 0, 255), so that distance 0 is 127.
std::uint8_t quantize_prediction(float value);

}  // namespace organon::voxel
