#include "organon/voxel/training_targets.h"

#include <algorithm>
#include <cmath>

#include "organon/array/array.h"
#include "organon/geometry/integer_division.h"
#include "organon/voxel/signed_distance.h"

namespace organon::voxel {
namespace {

// The label voxels of a cell that its target is made of.
Box sampled(const Index3& cell, const TargetOptions& options) {
  const Shape3& f = options.factor;
  const Index3 begin{cell.z * f.z, cell.y * f.y, cell.x * f.x};
  return Box::at(begin, options.sampling == TargetSampling::kMean ? f : Shape3{1, 1, 1});
}

template <class Function>
void for_each_index(const Box& box, Function&& function) {
  for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
    for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
      for (std::int64_t x = box.begin.x; x < box.end.x; ++x) function(Index3{z, y, x});
    }
  }
}

// Distances of annotated cells to the outermost annotated ones; `known` has one cell that is not on each
// side.
Array<float> distance_to_border(const Array<std::uint8_t>& known, const SizeNm& cell_size_nm,
                                double bound_nm) {
  Array<float> distance = Array<float>::uninitialized(known.shape());
  signed_distance(known, cell_size_nm, bound_nm, distance);
  return distance;
}

}  // namespace

Shape3 target_halo(const SizeNm& size, const TargetOptions& options) {
  const double reach_nm = options.limit_nm + std::abs(options.add_nm);
  const auto axis = [&](double voxel, std::int64_t factor) {
    // One cell for its erosion, besides the one of label voxels.
    return round_up_to_multiple(static_cast<std::int64_t>(std::ceil(reach_nm / voxel)) + 1, factor) + factor;
  };
  return {axis(size.z, options.factor.z), axis(size.y, options.factor.y), axis(size.x, options.factor.x)};
}

void make_target(ArrayView<const std::uint8_t> member, ArrayView<const std::uint8_t> annotated,
                 const Box& inner, const SizeNm& voxel_size_nm, const TargetOptions& options,
                 ArrayView<float> target, ArrayView<std::uint8_t> mask) {
  const Shape3 shape = member.shape();
  const Shape3& f = options.factor;
  const Shape3 cells{shape.z / f.z, shape.y / f.y, shape.x / f.x};
  const Index3 first{inner.begin.z / f.z, inner.begin.y / f.y, inner.begin.x / f.x};
  ORGANON_CHECK(annotated.shape() == shape && Box::of_shape(shape).contains(inner));
  ORGANON_CHECK(cells.z * f.z == shape.z && cells.y * f.y == shape.y && cells.x * f.x == shape.x);
  ORGANON_CHECK(first.z * f.z == inner.begin.z && first.y * f.y == inner.begin.y &&
                first.x * f.x == inner.begin.x);
  const Shape3 wanted = target.shape();
  ORGANON_CHECK(mask.shape() == wanted && inner.shape().z == wanted.z * f.z &&
                inner.shape().y == wanted.y * f.y && inner.shape().x == wanted.x * f.x);

  // One voxel more than the limit, so that a distance at the limit is not lost to rounding.
  const double reach_nm = options.limit_nm + std::abs(options.add_nm);
  Array<float> to_boundary = Array<float>::uninitialized(shape);
  signed_distance(member, voxel_size_nm, reach_nm + voxel_size_nm.largest(), to_boundary);

  const Index3 one{1, 1, 1};
  Array<std::uint8_t> known(cells + Shape3{2, 2, 2});
  for_each_index(Box::of_shape(cells), [&](const Index3& cell) {
    std::uint8_t is_known = 1;
    for_each_index(sampled(cell, options),
                   [&](const Index3& at) { is_known &= static_cast<std::uint8_t>(annotated(at) != 0); });
    known(cell + one) = is_known;
  });
  const SizeNm cell_size_nm{voxel_size_nm.z * static_cast<double>(f.z),
                            voxel_size_nm.y * static_cast<double>(f.y),
                            voxel_size_nm.x * static_cast<double>(f.x)};
  const Array<float> to_border = distance_to_border(known, cell_size_nm, reach_nm + cell_size_nm.largest());

  const auto add = static_cast<float>(options.add_nm);
  const auto limit = static_cast<float>(options.limit_nm);
  for_each_index(Box::of_shape(wanted), [&](const Index3& at) {
    const Index3 cell = first + at;
    const Box voxels = sampled(cell, options);
    float sum = 0;
    for_each_index(voxels, [&](const Index3& voxel) {
      sum += std::clamp(to_boundary(voxel), -limit - add, limit - add);
    });
    const float distance = sum / static_cast<float>(voxels.volume());
    const float border = to_border(cell + one) + (distance < 0 ? 1.0F : 0.0F);
    const bool is_certain = border >= limit - add || std::abs(distance) < border;
    mask(at) = known(cell + one) != 0 && is_certain;
    target(at) = std::tanh((distance + add) / static_cast<float>(options.scale_nm));
  });
}

std::uint8_t quantize_prediction(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::round(128.0F * value + 127.0F), 0.0F, 255.0F));
}

}  // namespace organon::voxel
