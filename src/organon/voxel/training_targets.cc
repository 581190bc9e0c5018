#include "organon/voxel/training_targets.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "organon/array/array.h"
#include "organon/array/copy.h"
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

// The cells that a box of label voxels consists of.
Box cells_of(const Box& voxels, const Shape3& f) {
  const auto divided = [&](const Index3& at) { return Index3{at.z / f.z, at.y / f.y, at.x / f.x}; };
  const Box cells{divided(voxels.begin), divided(voxels.end)};
  const auto times = [&](const Index3& at) { return Index3{at.z * f.z, at.y * f.y, at.x * f.x}; };
  ORGANON_CHECK(times(cells.begin) == voxels.begin && times(cells.end) == voxels.end);
  return cells;
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

Array<float> distance_to_unannotated(ArrayView<const std::uint8_t> annotated, const Box& inner,
                                     const SizeNm& voxel_size_nm, const TargetOptions& options,
                                     double bound_nm) {
  const Shape3& f = options.factor;
  const Box cells = cells_of(Box::of_shape(annotated.shape()), f);
  ORGANON_CHECK(Box::of_shape(annotated.shape()).contains(inner));
  // One cell that is not annotated on each side.
  const Index3 one{1, 1, 1};
  Array<std::uint8_t> known(cells.shape() + Shape3{2, 2, 2});
  for_each_index(cells, [&](const Index3& cell) {
    std::uint8_t is_known = 1;
    for_each_index(sampled(cell, options),
                   [&](const Index3& at) { is_known &= static_cast<std::uint8_t>(annotated(at) != 0); });
    known(cell + one) = is_known;
  });
  const SizeNm cell_size_nm{voxel_size_nm.z * static_cast<double>(f.z),
                            voxel_size_nm.y * static_cast<double>(f.y),
                            voxel_size_nm.x * static_cast<double>(f.x)};
  Array<float> distance = Array<float>::uninitialized(known.shape());
  signed_distance(known, cell_size_nm, bound_nm + cell_size_nm.largest(), distance);
  const Box wanted = cells_of(inner, f);
  Array<float> result = Array<float>::uninitialized(wanted.shape());
  copy_voxels<float>(std::as_const(distance).view().part(wanted.translate(one)), result);
  return result;
}

void make_target(ArrayView<const std::uint8_t> member, ArrayView<const float> to_unannotated,
                 const Box& inner, const SizeNm& voxel_size_nm, const TargetOptions& options,
                 ArrayView<float> target, ArrayView<std::uint8_t> mask) {
  const Shape3& f = options.factor;
  (void)cells_of(Box::of_shape(member.shape()), f);  // whole ones
  const Box wanted = cells_of(inner, f);
  ORGANON_CHECK(Box::of_shape(member.shape()).contains(inner));
  ORGANON_CHECK(target.shape() == wanted.shape() && mask.shape() == wanted.shape() &&
                to_unannotated.shape() == wanted.shape());

  // One voxel more than the limit, so that a distance at the limit is not lost to rounding.
  const double reach_nm = options.limit_nm + std::abs(options.add_nm);
  Array<float> to_boundary = Array<float>::uninitialized(member.shape());
  signed_distance(member, voxel_size_nm, reach_nm + voxel_size_nm.largest(), to_boundary);

  const auto add = static_cast<float>(options.add_nm);
  const auto limit = static_cast<float>(options.limit_nm);
  const auto scale = static_cast<float>(options.scale_nm);
  // Most voxels lie at a limit, as their neighbours do: tanh is not taken anew.
  float last_distance = -limit - add;
  float last_target = std::tanh((last_distance + add) / scale);
  for_each_index(Box::of_shape(wanted.shape()), [&](const Index3& at) {
    const Box voxels = sampled(wanted.begin + at, options);
    float sum = 0;
    for_each_index(voxels, [&](const Index3& voxel) {
      sum += std::clamp(to_boundary(voxel), -limit - add, limit - add);
    });
    const float distance = sum / static_cast<float>(voxels.volume());
    const float border = to_unannotated(at) + (distance < 0 ? 1.0F : 0.0F);
    const bool is_certain = border >= limit - add || std::abs(distance) < border;
    mask(at) = to_unannotated(at) >= 0 && is_certain;
    if (distance != last_distance) last_target = std::tanh((distance + add) / scale);
    last_distance = distance;
    target(at) = last_target;
  });
}

std::uint8_t quantize_prediction(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::round(128.0F * value + 127.0F), 0.0F, 255.0F));
}

}  // namespace organon::voxel
