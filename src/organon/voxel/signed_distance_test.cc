#include "organon/voxel/signed_distance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/voxel/distance_transform.h"

namespace organon::voxel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Function>
void for_each(const Shape3& shape, Function&& function) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) function(Index3{z, y, x});
    }
  }
}

Array<std::uint8_t> random_mask(const Shape3& shape, int num_cuboids, std::uint64_t seed) {
  Array<std::uint8_t> mask(shape);
  Random random(seed);
  for (int i = 0; i < num_cuboids; ++i) {
    const Index3 begin{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.z))),
                       static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.y))),
                       static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.x)))};
    const std::int64_t size = static_cast<std::int64_t>(3 + random.below(5));
    const Box box = Box{begin, begin + Index3{size, size, size}}.intersect(Box::of_shape(shape));
    for_each(box.shape(),
             [&](const Index3& at) { mask(box.begin + at) = static_cast<std::uint8_t>(i % 3 + 1); });
  }
  return mask;
}

bool is_eroded(const Array<std::uint8_t>& mask, const Index3& at) {
  bool all = true;
  for_each({3, 3, 3}, [&](const Index3& step) {
    const Index3 near = at + step - Index3{1, 1, 1};
    if (Box::of_shape(mask.shape()).contains(near) && mask(near) == 0) all = false;
  });
  return all;
}

// From the definition: two transforms, of the eroded mask and of the mask.
TEST(SignedDistance, EqualsTheDefinition) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Shape3 shape{static_cast<std::int64_t>(9 + seed), 17, static_cast<std::int64_t>(40 - seed)};
    const SizeNm size = seed % 2 == 0 ? SizeNm{8, 4, 4} : SizeNm{3.24, 4, 5.5};
    const double bound_nm = seed % 3 == 0 ? kInfinity : 14;
    const Array<std::uint8_t> mask = random_mask(shape, static_cast<int>(seed), seed);
    Array<std::uint8_t> not_eroded(shape);
    for_each(shape, [&](const Index3& at) { not_eroded(at) = !is_eroded(mask, at); });
    Array<float> inside(shape);
    distance_transform(not_eroded, size, {.bound_nm = bound_nm}, inside);
    Array<float> outside(shape);
    distance_transform(mask, size, {.bound_nm = bound_nm}, outside);
    Array<float> distance(shape);
    signed_distance(mask, size, bound_nm, distance);
    for_each(shape, [&](const Index3& at) {
      ASSERT_EQ(distance(at), mask(at) != 0 ? inside(at) : -outside(at)) << "seed " << seed;
    });
  }
}

TEST(SignedDistance, BoundaryIsZeroAndItsOutsideNeighboursOneVoxelBelow) {
  Array<std::uint8_t> mask({5, 5, 9});
  for_each({5, 5, 5}, [&](const Index3& at) { mask(at) = 1; });
  Array<float> distance({5, 5, 9});
  signed_distance(mask, {4, 4, 4}, kInfinity, distance);
  const float expected[] = {16, 12, 8, 4, 0, -4, -8, -12, -16};
  for (std::int64_t x = 0; x < 9; ++x) EXPECT_EQ(distance(2, 2, x), expected[x]);
}

TEST(SignedDistance, WithoutABoundaryAllIsInfinite) {
  Array<float> distance({3, 4, 5});
  signed_distance(Array<std::uint8_t>({3, 4, 5}, 1), {4, 4, 4}, 100, distance);
  EXPECT_EQ(distance(1, 2, 3), static_cast<float>(kInfinity));
  signed_distance(Array<std::uint8_t>({3, 4, 5}), {4, 4, 4}, 100, distance);
  EXPECT_EQ(distance(1, 2, 3), -static_cast<float>(kInfinity));
  EXPECT_THROW(signed_distance(Array<std::uint8_t>({3, 4, 5}), {4, -4, 4}, 100, distance), Error);
}

}  // namespace
}  // namespace organon::voxel
