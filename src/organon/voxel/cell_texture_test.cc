#include "organon/voxel/cell_texture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/geometry/integer_division.h"

namespace organon::voxel {
namespace {

struct Cells {
  Array<std::uint16_t> codes;
  Array<float> means;
};

Shape3 num_cells(const Shape3& shape, const Shape3& factor) {
  return {ceil_divide(shape.z, factor.z), ceil_divide(shape.y, factor.y), ceil_divide(shape.x, factor.x)};
}

template <class T>
Cells cells_of(ArrayView<const T> raw, const Shape3& factor) {
  const Shape3 shape = num_cells(raw.shape(), factor);
  Cells cells{Array<std::uint16_t>(shape), Array<float>(shape)};
  texture_of_cells<T>(raw, factor, cells.codes, cells.means);
  return cells;
}

// The header's words in floating point, two passes: means first.
template <class T>
std::pair<double, double> texture_by_definition(ArrayView<const T> cell) {
  const Shape3 n = cell.shape();
  long double variance = 0;
  long double covariance = 0;
  for (std::int64_t z = 0; z < n.z; ++z) {
    long double mean = 0, upper = 0, lower = 0;
    for (std::int64_t y = 0; y < n.y; ++y) {
      for (std::int64_t x = 0; x < n.x; ++x) {
        mean += cell(z, y, x);
        if (y + 1 < n.y) upper += cell(z, y, x);
        if (y > 0) lower += cell(z, y, x);
      }
    }
    const auto voxels = static_cast<long double>(n.y * n.x);
    const auto pairs = static_cast<long double>((n.y - 1) * n.x);
    mean /= voxels;
    upper /= pairs;
    lower /= pairs;
    for (std::int64_t y = 0; y < n.y; ++y) {
      for (std::int64_t x = 0; x < n.x; ++x) {
        variance += (cell(z, y, x) - mean) * (cell(z, y, x) - mean) / voxels;
        if (y > 0) covariance += (cell(z, y - 1, x) - upper) * (cell(z, y, x) - lower) / pairs;
      }
    }
  }
  const auto slices = static_cast<long double>(n.z);
  return {static_cast<double>(variance / slices), static_cast<double>(covariance / slices)};
}

template <class T>
Array<T> noise(const Shape3& shape, std::uint64_t seed, double low, double high) {
  Array<T> raw(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < raw.size(); ++i)
    raw.data()[i] = static_cast<T>(std::lround(low + (high - low) * random.uniform()));
  return raw;
}

template <class T>
class CellTextureTypes : public ::testing::Test {};
using Types = ::testing::Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t>;
TYPED_TEST_SUITE(CellTextureTypes, Types);

TYPED_TEST(CellTextureTypes, EqualsTheDefinition) {
  using T = TypeParam;
  const double low = std::numeric_limits<T>::min() + 1.0;
  const double high = std::numeric_limits<T>::max() - 1.0;
  for (const Shape3& factor : {Shape3{1, 4, 4}, Shape3{3, 5, 2}, Shape3{8, 8, 8}, Shape3{2, 64, 64}}) {
    Array<T> raw = noise<T>({9, 70, 66}, 3, low, high);
    // Smooth along y, else the covariance is chance.
    for (std::int64_t z = 0; z < 9; ++z)
      for (std::int64_t y = 1; y < 70; ++y)
        for (std::int64_t x = 0; x < 66; ++x)
          raw(z, y, x) = static_cast<T>((raw(z, y - 1, x) * 3 + raw(z, y, x)) / 4);
    const Cells cells = cells_of<T>(raw.view(), factor);
    for (std::int64_t z = 0; z < cells.codes.shape().z; ++z) {
      for (std::int64_t y = 0; y < cells.codes.shape().y; ++y) {
        for (std::int64_t x = 0; x < cells.codes.shape().x; ++x) {
          const Box box = Box::at({z * factor.z, y * factor.y, x * factor.x}, factor)
                              .intersect(Box::of_shape(raw.shape()));
          const auto cell = std::as_const(raw).view().part(box);
          long double sum = 0;
          for (std::int64_t i = 0; i < box.volume(); ++i) {
            const Shape3 n = box.shape();
            sum += cell(i / (n.y * n.x), i / n.x % n.y, i % n.x);
          }
          ASSERT_FLOAT_EQ(cells.means(z, y, x), static_cast<float>(sum / box.volume()));
          if ((box.shape().y - 1) * box.shape().x < 8) {
            ASSERT_EQ(cells.codes(z, y, x), kUncountedCell);
            continue;
          }
          if (cells.codes(z, y, x) == kUncountedCell) continue;  // zeros by chance
          const auto [variance, covariance] = texture_by_definition(cell);
          const double texture = std::max(covariance, variance / 64);
          ASSERT_NEAR(cells.codes(z, y, x), texture_code(texture), 1);  // at the edge of a bin
        }
      }
    }
  }
}

TEST(CellTexture, LargestSumsDoNotOverflow) {
  // Half of each cell at either end of the range: the largest variance there is.
  Array<std::uint16_t> raw({64, 64, 64}, 65534);
  for (std::int64_t z = 0; z < 64; ++z)
    for (std::int64_t y = 0; y < 64; ++y)
      for (std::int64_t x = 0; x < 32; ++x) raw(z, y, x) = 1;
  const Cells cells = cells_of<std::uint16_t>(std::as_const(raw).view(), {64, 64, 64});
  EXPECT_EQ(cells.codes(0, 0, 0), texture_code(32766.5 * 32766.5));
  EXPECT_EQ(cells.means(0, 0, 0), 32767.5F);
}

TEST(CellTexture, BlocksGiveTheCellsOfTheWhole) {
  const Array<std::uint8_t> raw = noise<std::uint8_t>({13, 29, 31}, 5, 1, 254);
  const Shape3 factor{3, 6, 5};
  const Cells whole = cells_of<std::uint8_t>(raw.view(), factor);
  for (std::int64_t cut = 0; cut < 29; cut += 6) {
    const Box box{{3, cut, 10}, {13, std::min<std::int64_t>(cut + 12, 29), 31}};
    const Cells part = cells_of<std::uint8_t>(raw.view().part(box), factor);
    for (std::int64_t z = 0; z < part.codes.shape().z; ++z)
      for (std::int64_t y = 0; y < part.codes.shape().y; ++y)
        for (std::int64_t x = 0; x < part.codes.shape().x; ++x)
          ASSERT_EQ(part.codes(z, y, x), whole.codes(z + 1, y + cut / 6, x + 2));
  }
}

TEST(CellTexture, NeitherNoiseNorBrightnessOfSlicesCounts) {
  Array<std::uint8_t> raw = noise<std::uint8_t>({16, 64, 64}, 7, 100, 160);  // sd 17
  for (std::int64_t z = 0; z < 16; ++z)
    for (std::int64_t y = 0; y < 64; ++y)
      for (std::int64_t x = 0; x < 64; ++x) raw(z, y, x) = static_cast<std::uint8_t>(raw(z, y, x) + 5 * z);
  const Cells cells = cells_of<std::uint8_t>(std::as_const(raw).view(), {16, 16, 16});
  // At the least an eighth, and some chance: 240 pairs a slice, 16 slices.
  for (std::int64_t i = 0; i < cells.codes.size(); ++i)
    EXPECT_LT(texture_sd(cells.codes.data()[i]), 17 / 5.0);
}

TEST(CellTexture, FilledUpCellsAreToldApart) {
  Array<std::uint8_t> raw = noise<std::uint8_t>({8, 8, 40}, 9, 90, 110);
  for (std::int64_t z = 0; z < 8; ++z) {
    for (std::int64_t y = 0; y < 8; ++y) {
      for (std::int64_t x = 0; x < 8; ++x) raw(z, y, x) = 0;
      for (std::int64_t x = 8; x < 10; ++x) raw(z, y, x) = 0;     // a quarter of the second cell
      for (std::int64_t x = 24; x < 32; ++x) raw(z, y, x) = 137;  // one value, whichever
    }
  }
  raw(3, 3, 20) = raw(3, 4, 20) = 0;  // two dark voxels
  const Cells cells = cells_of<std::uint8_t>(std::as_const(raw).view(), {8, 8, 8});
  EXPECT_EQ(cells.codes(0, 0, 0), kConstantCell);
  EXPECT_EQ(cells.codes(0, 0, 1), kUncountedCell);
  EXPECT_GE(cells.codes(0, 0, 2), kFirstTexture);
  EXPECT_EQ(cells.codes(0, 0, 3), kConstantCell);
  EXPECT_GE(cells.codes(0, 0, 4), kFirstTexture);
}

TEST(CellTexture, CodesRiseWithTheVarianceInEightStepsADoubling) {
  EXPECT_EQ(texture_code(0), kFirstTexture);
  EXPECT_EQ(texture_code(-4), kFirstTexture);
  EXPECT_EQ(texture_code(std::nan("")), kFirstTexture);
  EXPECT_LT(texture_code(1e300), kNumTextures);
  for (double variance = 0.01; variance < 4e9; variance *= 1.01) {
    EXPECT_EQ(texture_code(2 * variance), texture_code(variance) + 8);
    const double sd = texture_sd(texture_code(variance));
    EXPECT_LE(sd * sd, variance * (1 + 1e-12));
    EXPECT_GT(texture_sd(static_cast<std::uint16_t>(texture_code(variance) + 1)), std::sqrt(variance));
  }
}

TEST(CellTexture, CellsTooLargeAreRefused) {
  const Array<std::uint8_t> raw({1, 8, 8});
  Array<std::uint16_t> codes({1, 1, 1});
  Array<float> means({1, 1, 1});
  EXPECT_THROW(texture_of_cells<std::uint8_t>(raw, {1, 65, 8}, codes, means), Error);
  EXPECT_THROW(texture_of_cells<std::uint8_t>(raw, {0, 8, 8}, codes, means), Error);
}

}  // namespace
}  // namespace organon::voxel
