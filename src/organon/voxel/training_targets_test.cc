#include "organon/voxel/training_targets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "organon/array/array.h"
#include "organon/base/random.h"

namespace organon::voxel {
namespace {

Array<std::uint8_t> random_mask(const Shape3& shape, double density, std::uint64_t seed) {
  Array<std::uint8_t> mask(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = random.uniform() < density;
  return mask;
}

double distance_nm(const Index3& a, const Index3& b, const SizeNm& size) {
  const double z = static_cast<double>(a.z - b.z) * size.z;
  const double y = static_cast<double>(a.y - b.y) * size.y;
  const double x = static_cast<double>(a.x - b.x) * size.x;
  return std::sqrt(z * z + y * y + x * x);
}

template <class Function>
void for_each(const Shape3& shape, Function&& function) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) function(Index3{z, y, x});
    }
  }
}

double nearest_by_search(const Array<std::uint8_t>& mask, const Index3& from, const SizeNm& size) {
  double nearest = std::numeric_limits<double>::infinity();
  for_each(mask.shape(), [&](const Index3& at) {
    if (mask(at) != 0) nearest = std::min(nearest, distance_nm(from, at, size));
  });
  return nearest;
}

// Straight from the definition, voxel by voxel.
TEST(TrainingTargets, EqualTheDefinitionOnRandomLabels) {
  const Shape3 shape{10, 12, 14};
  const SizeNm size{6, 4, 5};
  TargetOptions options;
  options.limit_nm = 20;
  options.factor = 2;
  options.add_nm = 3;
  Array<std::uint64_t> labels(shape);
  Random random(4);
  for (std::int64_t i = 0; i < labels.size(); ++i) labels.data()[i] = random.below(12);
  for_each({6, 6, 8}, [&](const Index3& at) { labels(at + Index3{1, 2, 3}) = 7; });
  const Array<std::uint8_t> annotated = random_mask(shape, 0.995, 9);
  const Box inner{{2, 2, 2}, {8, 10, 12}};
  const Shape3 coarse{3, 4, 5};
  Array<float> target(coarse);
  Array<std::uint8_t> mask(coarse);
  make_target(labels, annotated, inner, {7, 9}, size, options, target, mask);

  const Box whole = Box::of_shape(shape);
  const auto is_member = [&](const Index3& at) { return labels(at) == 7 || labels(at) == 9; };
  Array<std::uint8_t> not_eroded(shape);
  Array<std::uint8_t> member(shape);
  Array<std::uint8_t> unknown(shape);
  for_each(shape, [&](const Index3& at) {
    bool is_inner = is_member(at);
    for_each({3, 3, 3}, [&](const Index3& step) {
      const Index3 near = at + step - Index3{1, 1, 1};
      if (whole.contains(near) && !is_member(near)) is_inner = false;
    });
    not_eroded(at) = !is_inner;
    member(at) = is_member(at);
    unknown(at) = annotated(at) == 0;
  });
  for_each(coarse, [&](const Index3& cell) {
    double sum = 0;
    bool is_certain = true;
    for_each({2, 2, 2}, [&](const Index3& step) {
      const Index3 at = inner.begin + cell * 2 + step;
      const double raw =
          member(at) ? nearest_by_search(not_eroded, at, size) : -nearest_by_search(member, at, size);
      const double d = std::clamp(raw, -20.0, 20.0);
      sum += d;
      const double end = std::min({static_cast<double>(std::min(at.z + 1, shape.z - at.z)) * size.z,
                                   static_cast<double>(std::min(at.y + 1, shape.y - at.y)) * size.y,
                                   static_cast<double>(std::min(at.x + 1, shape.x - at.x)) * size.x});
      const double border = std::min(end, nearest_by_search(unknown, at, size));
      if (unknown(at) || (border < 20 && std::abs(d) >= border)) is_certain = false;
    });
    ASSERT_NEAR(target(cell), std::tanh((sum / 8 + 3) / 50), 1e-4);
    ASSERT_EQ(mask(cell) != 0, is_certain);
  });
}

TEST(TrainingTargets, QuantizationPutsTheBoundaryAt127) {
  EXPECT_EQ(quantize_prediction(0), 127);
  EXPECT_EQ(quantize_prediction(1), 255);
  EXPECT_EQ(quantize_prediction(-1), 0);
  EXPECT_EQ(quantize_prediction(-5), 0);
}

}  // namespace
}  // namespace organon::voxel
