#include "organon/voxel/downsample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <type_traits>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"

namespace organon::voxel {
namespace {

template <class T>
Array<T> noise(const Shape3& shape, std::uint64_t num_values, std::uint64_t seed) {
  Array<T> voxels(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    voxels.data()[i] = static_cast<T>(random.below(num_values));
  return voxels;
}

/// Values of the cell of an output voxel.
template <class T>
std::vector<T> cell_of(const Array<T>& input, const Shape3& factor, std::int64_t z, std::int64_t y,
                       std::int64_t x) {
  std::vector<T> values;
  const Shape3 shape = input.shape();
  for (std::int64_t iz = z * factor.z; iz < std::min((z + 1) * factor.z, shape.z); ++iz)
    for (std::int64_t iy = y * factor.y; iy < std::min((y + 1) * factor.y, shape.y); ++iy)
      for (std::int64_t ix = x * factor.x; ix < std::min((x + 1) * factor.x, shape.x); ++ix)
        values.push_back(input(iz, iy, ix));
  return values;
}

template <class T>
void expect_mean(const Shape3& shape, const Shape3& factor, std::uint64_t num_values) {
  const Array<T> input = noise<T>(shape, num_values, 3);
  Array<T> output(downsampled_shape(shape, factor));
  downsample_mean<T>(input, factor, output);
  const Shape3 size = output.shape();
  for (std::int64_t z = 0; z < size.z; ++z)
    for (std::int64_t y = 0; y < size.y; ++y)
      for (std::int64_t x = 0; x < size.x; ++x) {
        const auto values = cell_of(input, factor, z, y, x);
        if constexpr (std::is_integral_v<T>) {
          Wide sum = 0;
          for (const T value : values) sum += value;
          const Wide count = values.size();
          ASSERT_EQ(output(z, y, x), static_cast<T>((2 * sum + count) / (2 * count)));
        } else {
          double sum = 0;
          for (const T value : values) sum += static_cast<double>(value);
          const double mean = sum / static_cast<double>(values.size());
          ASSERT_NEAR(output(z, y, x), mean, 1e-6 * (1 + std::abs(mean)));
        }
      }
}

template <class T>
void expect_mode(const Shape3& shape, const Shape3& factor, std::uint64_t num_values) {
  const Array<T> input = noise<T>(shape, num_values, 5);
  Array<T> output(downsampled_shape(shape, factor));
  downsample_mode<T>(input, factor, output);
  const Shape3 size = output.shape();
  for (std::int64_t z = 0; z < size.z; ++z)
    for (std::int64_t y = 0; y < size.y; ++y)
      for (std::int64_t x = 0; x < size.x; ++x) {
        std::map<T, int> counts;
        for (const T value : cell_of(input, factor, z, y, x)) ++counts[value];
        T best = counts.begin()->first;
        for (const auto& [value, count] : counts)
          if (count > counts[best]) best = value;
        ASSERT_EQ(output(z, y, x), best) << z << " " << y << " " << x;
      }
}

constexpr Shape3 kShapes[] = {{8, 8, 8}, {7, 9, 21}, {1, 5, 6}, {17, 3, 33}};
constexpr Shape3 kFactors[] = {{1, 1, 1}, {2, 2, 2}, {1, 2, 4}, {4, 1, 8}, {8, 8, 8}, {32, 32, 32}};

TEST(DownsampleMean, EqualsItsDefinition) {
  for (const Shape3& shape : kShapes) {
    for (const Shape3& factor : kFactors) {
      expect_mean<std::uint8_t>(shape, factor, 256);
      expect_mean<std::uint16_t>(shape, factor, 65536);
      expect_mean<std::uint32_t>(shape, factor, 1ull << 32);
      expect_mean<std::uint64_t>(shape, factor, 1ull << 63);
      expect_mean<float>(shape, factor, 1000);
    }
  }
}

TEST(DownsampleMode, EqualsItsDefinitionFromFewToVeryManyIds) {
  for (const Shape3& shape : kShapes) {
    for (const Shape3& factor : kFactors) {
      expect_mode<std::uint8_t>(shape, factor, 2);
      expect_mode<std::uint16_t>(shape, factor, 5);
      expect_mode<std::uint32_t>(shape, factor, 1000);
      expect_mode<std::uint64_t>(shape, factor, 1ull << 60);
    }
  }
}

// Cells of one id beside cells of several, in every place of a vector.
TEST(DownsampleMode, EqualsItsDefinitionAmongCellsOfOneId) {
  for (const std::int64_t width : {2, 3, 16, 33, 70}) {
    for (const std::uint64_t num_values : {2, 3}) {
      expect_mode<std::uint32_t>({40, 6, width}, {2, 2, 2}, num_values);
      expect_mode<std::uint64_t>({40, 6, width}, {2, 2, 2}, num_values);
    }
  }
}

TEST(DownsampleMode, TakesTheSmallestOfEquallyFrequent) {
  Array<std::uint32_t> input({1, 2, 2});
  input(0, 0, 0) = 9, input(0, 0, 1) = 4, input(0, 1, 0) = 4, input(0, 1, 1) = 9;
  Array<std::uint32_t> output({1, 1, 1});
  downsample_mode<std::uint32_t>(input, {1, 2, 2}, output);
  EXPECT_EQ(output(0, 0, 0), 4u);
}

TEST(Downsample, BlocksGiveTheVoxelsOfTheWhole) {
  const Shape3 shape{19, 22, 37}, factor{2, 4, 2};
  const Array<std::uint8_t> input = noise<std::uint8_t>(shape, 6, 9);
  Array<std::uint8_t> mean(downsampled_shape(shape, factor)), mode(mean.shape());
  downsample_mean<std::uint8_t>(input, factor, mean);
  downsample_mode<std::uint8_t>(input, factor, mode);
  const BlockGrid blocks(Box::of_shape(mean.shape()), {3, 2, 5});
  for (std::int64_t id = 0; id < blocks.count(); ++id) {
    const Box box = blocks.box_of(id);
    const Box from = Box{{box.begin.z * factor.z, box.begin.y * factor.y, box.begin.x * factor.x},
                         {box.end.z * factor.z, box.end.y * factor.y, box.end.x * factor.x}}
                         .intersect(Box::of_shape(shape));
    Array<std::uint8_t> part_mean(box.shape()), part_mode(box.shape());
    downsample_mean<std::uint8_t>(input.view().part(from), factor, part_mean);
    downsample_mode<std::uint8_t>(input.view().part(from), factor, part_mode);
    const Shape3 size = box.shape();
    for (std::int64_t z = 0; z < size.z; ++z)
      for (std::int64_t y = 0; y < size.y; ++y)
        for (std::int64_t x = 0; x < size.x; ++x) {
          const Index3 at = box.begin + Index3{z, y, x};
          ASSERT_EQ(part_mean(z, y, x), mean(at));
          ASSERT_EQ(part_mode(z, y, x), mode(at));
        }
  }
}

TEST(Downsample, RefusesFactorsThatAreNoPowersOfTwo) {
  for (const std::int64_t factor : {0, 3, 64, -2})
    EXPECT_THROW(downsampled_shape({8, 8, 8}, {1, factor, 1}), Error) << factor;
}

}  // namespace
}  // namespace organon::voxel
