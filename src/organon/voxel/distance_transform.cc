#include "organon/voxel/distance_transform.h"

#include <cmath>
#include <limits>
#include <vector>

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Squared distances along one line: d(q) = min over p of (w (q - p))^2 + f(p).
class LowerEnvelope {
 public:
  explicit LowerEnvelope(std::int64_t longest)
      : values_(static_cast<std::size_t>(longest)), vertices_(values_.size()), borders_(values_.size() + 1) {}

  void transform(double* line, std::int64_t stride, std::int64_t size, double step) {
    const double step2 = step * step;
    std::int64_t count = 0;
    for (std::int64_t q = 0; q < size; ++q) {
      const double value = line[q * stride];
      values_[static_cast<std::size_t>(q)] = value;
      if (value == kInfinity) continue;
      double border = -kInfinity;
      while (count > 0) {
        const std::int64_t p = vertices_[static_cast<std::size_t>(count - 1)];
        // Where the parabolas of p and q meet, in steps.
        border =
            ((value - values_[static_cast<std::size_t>(p)]) / step2 + static_cast<double>(q * q - p * p)) /
            static_cast<double>(2 * (q - p));
        if (border > borders_[static_cast<std::size_t>(count - 1)]) break;
        --count;
        border = -kInfinity;
      }
      vertices_[static_cast<std::size_t>(count)] = q;
      borders_[static_cast<std::size_t>(count)] = border;
      ++count;
    }
    if (count == 0) return;
    std::int64_t k = 0;
    for (std::int64_t q = 0; q < size; ++q) {
      while (k + 1 < count && borders_[static_cast<std::size_t>(k + 1)] < static_cast<double>(q)) ++k;
      const std::int64_t p = vertices_[static_cast<std::size_t>(k)];
      const auto distance = static_cast<double>(q - p);
      line[q * stride] = distance * distance * step2 + values_[static_cast<std::size_t>(p)];
    }
  }

 private:
  std::vector<double> values_;
  std::vector<std::int64_t> vertices_;
  std::vector<double> borders_;
};

}  // namespace

void distance_to_mask(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm, double limit_nm,
                      ArrayView<float> distance_nm) {
  const Shape3 shape = mask.shape();
  ORGANON_CHECK(distance_nm.shape() == shape);
  Array<double> squared = Array<double>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const std::uint8_t* from = mask.row(z, y);
      double* to = squared.view().row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) to[x] = from[x] != 0 ? 0 : kInfinity;
    }
  }
  LowerEnvelope envelope(std::max<std::int64_t>(1, shape.largest()));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      envelope.transform(squared.view().row(z, y), 1, shape.x, voxel_size_nm.x);
    }
  }
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t x = 0; x < shape.x; ++x) {
      envelope.transform(squared.view().row(z, 0) + x, shape.x, shape.y, voxel_size_nm.y);
    }
  }
  for (std::int64_t y = 0; y < shape.y; ++y) {
    for (std::int64_t x = 0; x < shape.x; ++x) {
      envelope.transform(squared.view().row(0, y) + x, shape.y * shape.x, shape.z, voxel_size_nm.z);
    }
  }
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const double* from = squared.view().row(z, y);
      float* to = distance_nm.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const double distance = std::sqrt(from[x]);
        to[x] = distance <= limit_nm ? static_cast<float>(distance) : std::numeric_limits<float>::infinity();
      }
    }
  }
}

void distance_to_mask(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                      ArrayView<float> distance_nm) {
  distance_to_mask(mask, voxel_size_nm, kInfinity, distance_nm);
}

}  // namespace organon::voxel
