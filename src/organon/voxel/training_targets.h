#pragma once

#include <cstdint>

#include "organon/array/array.h"

namespace organon::voxel {

/// How targets coarser than the labels are made of them.
enum class TargetSampling {
  kEveryNth,  ///< the first label voxel of each cell, as the paper does: half a cell less half a voxel aside
  kMean,      ///< the mean distance of the cell's voxels, as raw is reduced
};

/// Values of the signed tanh boundary distance. Source: [heinrich2021cosem] and its training code.
struct TargetOptions {
  double scale_nm = 50;   ///< t = tanh(d / scale)
  double limit_nm = 138;  ///< distances are clipped here: tanh(138 / 50) = 0.992
  double add_nm =
      0;  ///< added to the distance, for structures too thin otherwise (ribosomes 8, centrosome 2)
  Shape3 factor{1, 1, 1};  ///< label voxels per target voxel and axis
  TargetSampling sampling = TargetSampling::kEveryNth;
};

/// How far labels are needed around the wanted voxels, in label voxels, a multiple of the factor: limit and
/// constant, and one voxel for the erosion.
Shape3 target_halo(const SizeNm& label_voxel_size_nm, const TargetOptions& options);

/// How far target voxels lie from what is not annotated, in nm: below 0 where they are not annotated
/// themselves, 0 next to such, exact as far as `bound_nm` at least, beyond it perhaps infinite. One for all
/// classes that are annotated alike; `make_target()` needs a bound of limit + |add|.
///
/// Shapes: `annotated` (not 0: annotated) holds whole cells of `factor` label voxels counted from 0; `inner`
/// is the wanted part of it, as whole cells; the result has inner / factor. An annotated cell is one whose
/// sampled voxels are. Outside the view nothing is annotated. Cost: a distance transform of the view's cells.
Array<float> distance_to_unannotated(ArrayView<const std::uint8_t> annotated, const Box& inner,
                                     const SizeNm& label_voxel_size_nm, const TargetOptions& options,
                                     double bound_nm);

/// Target of one class on the part of a view of labels that its margins leave.
///
///     d = distance to outside of erode(M) inside, minus distance to M outside, in nm,
///         clipped to -limit - add .. limit - add
///     b = distance to outside of erode(K), where K are the target voxels that are annotated
///     target = tanh((d + add) / scale)
///     mask   = K, less  |d| >= b     where d >= 0 and b     < limit - add
///                  and  |d| >= b + 1 where d <  0 and b + 1 < limit - add   (b + 1: a nanometre more)
///
/// so that inside voxels on the boundary have d = 0, their neighbours outside one voxel size below 0, and
/// where the nearest boundary may lie in what is not annotated a voxel has no say. Erosion is by 3 x 3 x 3
/// voxels. Outside the view M goes on as it is. Where the view holds no boundary at all, the paper takes the
/// distance to the end of its patch and adds no constant: that differs by less than 0.004 of target.
///
/// Shapes: `member` (not 0: M) holds whole cells of `factor` voxels counted from 0; `inner` is the wanted
/// part of it, as whole cells; `to_unannotated` (b, and K where it is not below 0), `target` and `mask` have
/// inner / factor. Cost: a distance transform of the view.
void make_target(ArrayView<const std::uint8_t> member, ArrayView<const float> to_unannotated,
                 const Box& inner, const SizeNm& label_voxel_size_nm, const TargetOptions& options,
                 ArrayView<float> target, ArrayView<std::uint8_t> mask);

/// A network's output as stored: clip(round(128 y + 127), 0, 255), so that distance 0 is 127.
std::uint8_t quantize_prediction(float value);

}  // namespace organon::voxel
