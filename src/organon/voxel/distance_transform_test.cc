#include "organon/voxel/distance_transform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "organon/array/array.h"
#include "organon/base/error.h"
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

double nearest_by_search(const Array<std::uint8_t>& mask, const Index3& from, const SizeNm& size,
                         DistanceTo to) {
  double nearest = std::numeric_limits<double>::infinity();
  for_each(mask.shape(), [&](const Index3& at) {
    if ((mask(at) != 0) == (to == DistanceTo::kForeground))
      nearest = std::min(nearest, distance_nm(from, at, size));
  });
  return nearest;
}

TEST(DistanceTransform, EqualsSearchOverAllVoxels) {
  const SizeNm sizes[] = {{1, 1, 1}, {8, 4, 4}, {3.24, 4, 5.5}};
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const Shape3 shape{static_cast<std::int64_t>(seed % 5 + 1), 9, static_cast<std::int64_t>(11 - seed % 7)};
    const DistanceTo to = seed % 2 == 0 ? DistanceTo::kForeground : DistanceTo::kBackground;
    const double rare = seed % 3 == 0 ? 0.02 : 0.2;
    const Array<std::uint8_t> mask =
        random_mask(shape, to == DistanceTo::kForeground ? rare : 1 - rare, seed);
    const SizeNm size = sizes[seed % 3];
    Array<float> distance(shape);
    distance_transform(mask, size, {.to = to}, distance);
    Array<float> squared(shape);
    squared_distance_transform(mask, size, {.to = to}, squared);
    for_each(shape, [&](const Index3& at) {
      const double expected = nearest_by_search(mask, at, size, to);
      if (std::isinf(expected)) {
        ASSERT_TRUE(std::isinf(distance(at)) && std::isinf(squared(at)));
      } else {
        ASSERT_NEAR(distance(at), expected, 1e-4);
        ASSERT_NEAR(squared(at), expected * expected, 1e-6 * expected * expected);
      }
    });
  }
}

TEST(DistanceTransform, BeyondTheBoundIsInfiniteAndTheRestUnchanged) {
  const Shape3 shape{7, 9, 12};
  const Array<std::uint8_t> mask = random_mask(shape, 0.02, 5);
  Array<float> all(shape);
  Array<float> bounded(shape);
  distance_transform(mask, {4, 4, 4}, {}, all);
  distance_transform(mask, {4, 4, 4}, {.bound_nm = 12}, bounded);
  for_each(shape, [&](const Index3& at) {
    if (all(at) <= 12) {
      ASSERT_EQ(bounded(at), all(at));
    } else {
      ASSERT_TRUE(std::isinf(bounded(at)));
    }
  });
}

TEST(DistanceTransform, WritesThroughStridedViews) {
  const Array<std::uint8_t> mask = random_mask({6, 7, 8}, 0.1, 3);
  Array<float> expected({6, 7, 8});
  distance_transform(mask, {1, 2, 3}, {}, expected);
  Array<float> wide({8, 9, 10}, -1.0F);
  const Box inner{{1, 1, 1}, {7, 8, 9}};
  distance_transform(mask, {1, 2, 3}, {}, wide.view().part(inner));
  for_each(wide.shape(), [&](const Index3& at) {
    if (inner.contains(at)) {
      ASSERT_EQ(wide(at), expected(at - inner.begin));
    } else {
      ASSERT_EQ(wide(at), -1.0F);
    }
  });
}

TEST(DistanceTransform, SenselessVoxelSizesAreRefused) {
  const Array<std::uint8_t> mask({2, 2, 2});
  Array<float> distance({2, 2, 2});
  EXPECT_THROW(distance_transform(mask, {0, 1, 1}, {}, distance), Error);
  EXPECT_THROW(distance_transform(mask, {1, -1, 1}, {}, distance), Error);
  EXPECT_THROW(distance_transform(mask, {1, 1, 1}, {.bound_nm = -1}, distance), Error);
}

}  // namespace
}  // namespace organon::voxel
