#include "organon/voxel/median_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/random.h"

namespace organon::voxel {
namespace {

Array<std::uint16_t> random_values(const Shape3& shape, std::uint64_t seed, std::uint64_t below) {
  Array<std::uint16_t> values(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < values.size(); ++i)
    values.data()[i] = static_cast<std::uint16_t>(random.below(below));
  return values;
}

TEST(MedianFilter, EqualsSortingEachBox) {
  const std::vector<Shape3> shapes = {{7, 9, 11}, {1, 1, 6}, {3, 1, 2}, {5, 12, 1}};
  const std::vector<Shape3> radii = {{1, 1, 1}, {0, 2, 3}, {2, 0, 0}, {0, 0, 0}, {9, 9, 9}};
  for (const Shape3& shape : shapes) {
    for (const Shape3& radius : radii) {
      for (const std::uint16_t first_counted : {0, 3, 19}) {
        const Array<std::uint16_t> values = random_values(shape, 11, 20);
        Array<std::uint16_t> medians(shape);
        median_filter(values, {radius, first_counted, 20}, medians);
        for (std::int64_t i = 0; i < values.size(); ++i) {
          const Index3 at{i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x};
          const Box box = Box{at, at + Index3{1, 1, 1}}.grow(radius, radius).intersect(Box::of_shape(shape));
          std::vector<std::uint16_t> counted;
          for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
            for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
              for (std::int64_t x = box.begin.x; x < box.end.x; ++x)
                if (values(z, y, x) >= first_counted) counted.push_back(values(z, y, x));
          std::sort(counted.begin(), counted.end());
          ASSERT_EQ(medians(at), counted.empty() ? 0 : counted[(counted.size() - 1) / 2]);
        }
      }
    }
  }
}

TEST(MedianFilter, AnEdgeStaysWhereItIs) {
  Array<std::uint16_t> values({4, 6, 10}, 100);
  for (std::int64_t z = 0; z < 4; ++z)
    for (std::int64_t y = 0; y < 6; ++y)
      for (std::int64_t x = 0; x < 5; ++x) values(z, y, x) = 7;
  values(2, 3, 2) = 100;
  Array<std::uint16_t> medians(values.shape());
  median_filter(values, {{2, 2, 2}, 0, 101}, medians);
  for (std::int64_t i = 0; i < values.size(); ++i) EXPECT_EQ(medians.data()[i], i % 10 < 5 ? 7 : 100);
}

}  // namespace
}  // namespace organon::voxel
