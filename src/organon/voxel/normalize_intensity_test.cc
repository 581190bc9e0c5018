#include "organon/voxel/normalize_intensity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "organon/array/array.h"
#include "organon/base/random.h"

namespace organon::voxel {
namespace {

template <class T>
void expect_like_brute_force(double low, double high, std::int64_t factor) {
  Array<T> raw(Shape3{3, 4, 7} * factor);
  Random random(6);
  for (std::int64_t i = 0; i < raw.size(); ++i) raw.data()[i] = static_cast<T>(random.next());
  Array<float> normalized({3, 4, 7});
  normalize_intensity<T>(raw, factor, low, high, normalized);
  for (std::int64_t z = 0; z < 3; ++z) {
    for (std::int64_t y = 0; y < 4; ++y) {
      for (std::int64_t x = 0; x < 7; ++x) {
        double sum = 0;
        for (std::int64_t i = 0; i < factor * factor * factor; ++i) {
          sum += static_cast<double>(raw(z * factor + i / (factor * factor), y * factor + i / factor % factor,
                                         x * factor + i % factor));
        }
        const double mean = sum / static_cast<double>(factor * factor * factor);
        EXPECT_NEAR(normalized(z, y, x), std::clamp((mean - low) / (high - low) * 2 - 1, -1.0, 1.0), 1e-5);
      }
    }
  }
}

TEST(NormalizeIntensity, EqualsBruteForce) {
  for (const std::int64_t factor : {1, 2, 3}) {
    expect_like_brute_force<std::uint8_t>(30, 220, factor);
    expect_like_brute_force<std::int8_t>(-30, 100, factor);
    expect_like_brute_force<std::uint16_t>(1000, 60000, factor);
    expect_like_brute_force<std::int16_t>(-1000, 1000, factor);
  }
}

TEST(NormalizeIntensity, NothingButNumbersComesOut) {
  Array<float> raw({1, 1, 3}, std::nanf(""));
  raw(0, 0, 1) = -INFINITY;
  raw(0, 0, 2) = INFINITY;
  Array<float> normalized({1, 1, 3});
  normalize_intensity<float>(raw, 1, 0, 1, normalized);
  EXPECT_EQ(normalized(0, 0, 0), 0);
  EXPECT_EQ(normalized(0, 0, 1), -1);
  EXPECT_EQ(normalized(0, 0, 2), 1);
}

}  // namespace
}  // namespace organon::voxel
