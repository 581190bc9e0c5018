#include "organon/voxel/training_targets.h"

#include <algorithm>
#include <cmath>

#include "organon/array/array.h"
#include "organon/voxel/distance_transform.h"

namespace organon::voxel {
namespace {

bool is_one_of(const std::vector<std::uint64_t>& ids, std::uint64_t id) {
  return ids.empty() ? id != 0 : std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Voxels of the mask whose 26 neighbours inside the view all belong to it (what lies outside counts as
// belonging).
Array<std::uint8_t> erode(const Array<std::uint8_t>& mask) {
  const Shape3 shape = mask.shape();
  Array<std::uint8_t> result = mask.clone();
  const auto along = [&](std::int64_t stride, std::int64_t size, auto&& position_of) {
    const Array<std::uint8_t> before = result.clone();
    for (std::int64_t i = 0; i < result.size(); ++i) {
      const std::int64_t position = position_of(i);
      if (position > 0 && before.data()[i - stride] == 0) result.data()[i] = 0;
      if (position + 1 < size && before.data()[i + stride] == 0) result.data()[i] = 0;
    }
  };
  along(1, shape.x, [&](std::int64_t i) { return i % shape.x; });
  along(shape.x, shape.y, [&](std::int64_t i) { return i / shape.x % shape.y; });
  along(shape.x * shape.y, shape.z, [&](std::int64_t i) { return i / (shape.x * shape.y); });
  return result;
}

Array<float> distance_within(const Array<std::uint8_t>& mask, const SizeNm& voxel_size_nm, DistanceTo to,
                             double bound_nm) {
  Array<float> distance = Array<float>::uninitialized(mask.shape());
  distance_transform(mask, voxel_size_nm, {to, bound_nm}, distance);
  return distance;
}

// Distance from a voxel centre to the first voxel centre beyond the view.
float distance_to_end(const Index3& index, const Shape3& shape, const SizeNm& voxel_size_nm) {
  const auto axis = [](std::int64_t i, std::int64_t n, double size) {
    return static_cast<double>(std::min(i + 1, n - i)) * size;
  };
  return static_cast<float>(
      std::min({axis(index.z, shape.z, voxel_size_nm.z), axis(index.y, shape.y, voxel_size_nm.y),
                axis(index.x, shape.x, voxel_size_nm.x)}));
}

}  // namespace

Shape3 target_halo(const SizeNm& size, const TargetOptions& options) {
  const auto axis = [&](double voxel) {
    return static_cast<std::int64_t>(std::ceil(options.limit_nm / voxel)) + 1;
  };
  return {axis(size.z), axis(size.y), axis(size.x)};
}

void make_target(ArrayView<const std::uint64_t> labels, ArrayView<const std::uint8_t> annotated,
                 const Box& inner, const std::vector<std::uint64_t>& ids, const SizeNm& voxel_size_nm,
                 const TargetOptions& options, ArrayView<float> target, ArrayView<std::uint8_t> mask) {
  const Shape3 shape = labels.shape();
  ORGANON_CHECK(annotated.shape() == shape && Box::of_shape(shape).contains(inner));
  const std::int64_t f = options.factor;
  ORGANON_CHECK(Index3(target.shape()) * f == Index3(inner.shape()) && mask.shape() == target.shape());

  Array<std::uint8_t> member(shape);
  Array<std::uint8_t> unknown(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        member(z, y, x) = is_one_of(ids, labels(z, y, x));
        unknown(z, y, x) = annotated(z, y, x) == 0;
      }
    }
  }
  // One voxel more than the limit, so that a distance at the limit is not lost to rounding.
  const double reach_nm = options.limit_nm + voxel_size_nm.largest();
  const Array<float> inside =
      distance_within(erode(member), voxel_size_nm, DistanceTo::kBackground, reach_nm);
  const Array<float> outside = distance_within(member, voxel_size_nm, DistanceTo::kForeground, reach_nm);
  const Array<float> to_unknown = distance_within(unknown, voxel_size_nm, DistanceTo::kForeground, reach_nm);

  const auto limit = static_cast<float>(options.limit_nm);
  const auto cells = static_cast<float>(f * f * f);
  for (std::int64_t z = 0; z < target.shape().z; ++z) {
    for (std::int64_t y = 0; y < target.shape().y; ++y) {
      for (std::int64_t x = 0; x < target.shape().x; ++x) {
        float sum = 0;
        bool is_certain = true;
        for (std::int64_t i = 0; i < f * f * f; ++i) {
          const Index3 at = inner.begin + Index3{z * f + i / (f * f), y * f + i / f % f, x * f + i % f};
          const float distance = std::clamp(member(at) != 0 ? inside(at) : -outside(at), -limit, limit);
          sum += distance;
          const float border = std::min(to_unknown(at), distance_to_end(at, shape, voxel_size_nm));
          is_certain = is_certain && unknown(at) == 0 && (border >= limit || std::abs(distance) < border);
        }
        const double distance = sum / cells + options.add_nm;
        target(z, y, x) = static_cast<float>(std::tanh(distance / options.scale_nm));
        mask(z, y, x) = is_certain;
      }
    }
  }
}

std::uint8_t quantize_prediction(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::round(128.0F * value + 127.0F), 0.0F, 255.0F));
}

}  // namespace organon::voxel
