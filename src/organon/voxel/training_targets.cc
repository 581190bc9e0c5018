#include "organon/voxel/training_targets.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "organon/array/array.h"
#include "organon/voxel/distance_transform.h"
#include "organon/voxel/signed_distance.h"

namespace organon::voxel {
namespace {

bool is_one_of(const std::vector<std::uint64_t>& ids, std::uint64_t id) {
  return ids.empty() ? id != 0 : std::find(ids.begin(), ids.end(), id) != ids.end();
}

Array<float> distance_to(const Array<std::uint8_t>& mask, const SizeNm& voxel_size_nm, double bound_nm) {
  // Most views are annotated throughout.
  if (std::find(mask.data(), mask.data() + mask.size(), 1) == mask.data() + mask.size()) {
    return Array<float>(mask.shape(), std::numeric_limits<float>::infinity());
  }
  Array<float> distance = Array<float>::uninitialized(mask.shape());
  distance_transform(mask, voxel_size_nm, {DistanceTo::kForeground, bound_nm}, distance);
  return distance;
}

// Per index the distance from its centre to the first centre beyond the view.
std::vector<float> distances_to_end(std::int64_t count, double voxel_size_nm) {
  std::vector<float> distances;
  for (std::int64_t i = 0; i < count; ++i) {
    distances.push_back(static_cast<float>(static_cast<double>(std::min(i + 1, count - i)) * voxel_size_nm));
  }
  return distances;
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
  Array<float> to_boundary = Array<float>::uninitialized(shape);
  signed_distance(member, voxel_size_nm, reach_nm, to_boundary);
  const Array<float> to_unknown = distance_to(unknown, voxel_size_nm, reach_nm);

  const auto end_z = distances_to_end(shape.z, voxel_size_nm.z);
  const auto end_y = distances_to_end(shape.y, voxel_size_nm.y);
  const auto end_x = distances_to_end(shape.x, voxel_size_nm.x);
  const auto limit = static_cast<float>(options.limit_nm);
  const auto cells = static_cast<float>(f * f * f);
  for (std::int64_t z = 0; z < target.shape().z; ++z) {
    for (std::int64_t y = 0; y < target.shape().y; ++y) {
      for (std::int64_t x = 0; x < target.shape().x; ++x) {
        float sum = 0;
        bool is_certain = true;
        for (std::int64_t i = 0; i < f * f * f; ++i) {
          const Index3 at = inner.begin + Index3{z * f + i / (f * f), y * f + i / f % f, x * f + i % f};
          const float distance = std::clamp(to_boundary(at), -limit, limit);
          sum += distance;
          const float border =
              std::min({to_unknown(at), end_z[static_cast<std::size_t>(at.z)],
                        end_y[static_cast<std::size_t>(at.y)], end_x[static_cast<std::size_t>(at.x)]});
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
