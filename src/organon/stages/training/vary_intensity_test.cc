#include "organon/stages/training/vary_intensity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace organon::stages {
namespace {

constexpr double kRounding = 3e-6;  // of float, and of the table of the exponent
constexpr std::uint64_t kNumSeeds = 1000;

/// A line of grey values from -1 to 1, each 1/64 above the one before.
Array<float> ramp() {
  Array<float> raw(Shape3{1, 1, 129});
  for (std::int64_t x = 0; x < 129; ++x) raw(0, 0, x) = static_cast<float>(x - 64) / 64;
  return raw;
}

Array<float> varied(const AugmentOptions& augment, std::uint64_t seed, Array<float> raw = ramp(),
                    std::size_t slice_axis = 0) {
  Random random(seed);
  vary_intensity(augment, slice_axis, random, raw);
  return raw;
}

std::vector<float> values_of(const Array<float>& raw) { return {raw.data(), raw.data() + raw.size()}; }

/// All of them lie in low..high, reach both, and half of them lie above `middle`.
void expect_range(const std::vector<double>& found, double low, double middle, double high) {
  const auto [least, most] = std::minmax_element(found.begin(), found.end());
  EXPECT_GE(*least, low - kRounding);
  EXPECT_LE(*most, high + kRounding);
  EXPECT_LT(*least, low + 0.02 * (high - low));
  EXPECT_GT(*most, high - 0.02 * (high - low));
  const auto above = std::count_if(found.begin(), found.end(), [&](double value) { return value > middle; });
  EXPECT_NEAR(static_cast<double>(above) / static_cast<double>(found.size()), 0.5, 0.07);
}

TEST(VaryIntensity, NothingChangesWhereAllRangesAreZero) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Array<float> raw = ramp(), same = varied(AugmentOptions::none(), seed);
    for (std::int64_t i = 0; i < raw.size(); ++i) ASSERT_NEAR(same.data()[i], raw.data()[i], kRounding);
  }
}

TEST(VaryIntensity, EqualForEqualRandomNumbers) {
  AugmentOptions all;
  all.blurred_share = 0.5;
  all.defect_share = 0.5;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(values_of(varied(all, seed)), values_of(varied(all, seed)));
    EXPECT_NE(values_of(varied(all, seed)), values_of(varied(all, seed + 1)));
  }
}

TEST(VaryIntensity, ContrastIsAFactorFromOneOverOnePlusRangeToOnePlusRange) {
  for (const double range : {0.45, 2.0}) {
    AugmentOptions augment = AugmentOptions::none();
    augment.contrast_range = range;
    std::vector<double> factors;
    for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
      const Array<float> raw = ramp(), result = varied(augment, seed);
      const float factor = result(0, 0, 128);
      for (std::int64_t i = 0; i < raw.size(); ++i)
        ASSERT_NEAR(result.data()[i], factor * raw.data()[i], 3 * kRounding);
      factors.push_back(factor);
    }
    expect_range(factors, 1 / (1 + range), 1, 1 + range);
  }
}

TEST(VaryIntensity, BrightnessIsAShiftInUnitsOfHalfTheWindow) {
  AugmentOptions augment = AugmentOptions::none();
  augment.brightness_range = 0.3;
  std::vector<double> shifts;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    const Array<float> raw = ramp(), result = varied(augment, seed);
    const float shift = result(0, 0, 64);
    for (std::int64_t i = 0; i < raw.size(); ++i)
      ASSERT_NEAR(result.data()[i], raw.data()[i] + shift, kRounding);
    shifts.push_back(shift);
  }
  expect_range(shifts, -0.3, 0, 0.3);
}

TEST(VaryIntensity, GammaIsAnExponentThatKeepsBothEnds) {
  AugmentOptions augment = AugmentOptions::none();
  augment.gamma_range = 0.4;
  std::vector<double> exponents;
  for (std::uint64_t seed = 0; seed < kNumSeeds; ++seed) {
    const Array<float> result = varied(augment, seed);
    EXPECT_NEAR(result(0, 0, 0), -1, kRounding);
    EXPECT_NEAR(result(0, 0, 128), 1, kRounding);
    const double exponent = std::log((result(0, 0, 64) + 1.0) / 2) / std::log(0.5);
    for (std::int64_t x = 0; x <= 128; ++x) {
      const double expected = 2 * std::pow(static_cast<double>(x) / 128, exponent) - 1;
      ASSERT_NEAR(result(0, 0, x), expected, 2 * kRounding);
    }
    exponents.push_back(exponent);
  }
  expect_range(exponents, 1 / 1.4, 1, 1.4);
}

TEST(VaryIntensity, GammaThenContrastThenBrightness) {
  AugmentOptions augment = AugmentOptions::none();
  augment.contrast_range = 0.45;
  augment.brightness_range = 0.3;
  augment.gamma_range = 0.4;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Array<float> result = varied(augment, seed);
    const double contrast = (result(0, 0, 128) - result(0, 0, 0)) / 2;
    const double shift = (result(0, 0, 128) + result(0, 0, 0)) / 2;
    const double exponent = std::log(((result(0, 0, 64) - shift) / contrast + 1) / 2) / std::log(0.5);
    for (std::int64_t x = 0; x <= 128; ++x) {
      const double expected = (2 * std::pow(static_cast<double>(x) / 128, exponent) - 1) * contrast + shift;
      ASSERT_NEAR(result(0, 0, x), expected, 3 * kRounding);
    }
  }
}

TEST(VaryIntensity, NoiseHasAtMostTheStandardDeviationAskedFor) {
  AugmentOptions augment = AugmentOptions::none();
  augment.noise = 0.15;
  std::vector<double> deviations;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Array<float> result = varied(augment, seed, Array<float>(Shape3::cube(16), 0.25F));
    const auto count = static_cast<double>(result.size());
    double sum = 0, squares = 0, neighbours = 0;
    for (std::int64_t i = 0; i < result.size(); ++i) {
      const double noise = result.data()[i] - 0.25;
      sum += noise;
      squares += noise * noise;
      if (i > 0) neighbours += noise * (result.data()[i - 1] - 0.25);
    }
    const double deviation = std::sqrt(squares / count);
    // Five standard errors of the mean, and of the correlation.
    EXPECT_LE(std::abs(sum / count), 5 * deviation / std::sqrt(count) + kRounding);
    EXPECT_LE(std::abs(neighbours / count), 5 * deviation * deviation / std::sqrt(count) + kRounding);
    deviations.push_back(deviation);
  }
  const double most = *std::max_element(deviations.begin(), deviations.end());
  EXPECT_LE(most, 0.15 * 1.06) << "five standard errors above, from 4096 voxels";
  EXPECT_GT(most, 0.13);
  const auto quiet =
      std::count_if(deviations.begin(), deviations.end(), [](double value) { return value < kRounding; });
  EXPECT_GT(quiet, 50) << "some samples stay as they are";
  EXPECT_LT(quiet, 150);
}

TEST(VaryIntensity, BlurKeepsTheSumAndIsNoWiderThanAsked) {
  AugmentOptions augment = AugmentOptions::none();
  augment.blurred_share = 1;
  augment.blur_voxels = 0.8;
  double widest = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Array<float> point(Shape3::cube(9));
    point(4, 4, 4) = 1;
    const Array<float> result = varied(augment, seed, std::move(point));
    double sum = 0, squares = 0;
    for (std::int64_t z = 0; z < 9; ++z) {
      for (std::int64_t y = 0; y < 9; ++y) {
        for (std::int64_t x = 0; x < 9; ++x) {
          sum += result(z, y, x);
          squares += result(z, y, x) * static_cast<double>((y - 4) * (y - 4));
        }
      }
    }
    EXPECT_NEAR(sum, 1, 1e-4);
    widest = std::max(widest, std::sqrt(squares));
  }
  EXPECT_LT(widest, 0.81);
  EXPECT_GT(widest, 0.7);
}

TEST(VaryIntensity, ADefectSpoilsOneSliceAcrossItsAxis) {
  AugmentOptions augment = AugmentOptions::none();
  augment.defect_share = 1;
  const Shape3 shape{4, 5, 6};
  std::int64_t num_spoilt = 0;
  for (std::uint64_t seed = 0; seed < 90; ++seed) {
    const std::size_t axis = seed % 3;
    Array<float> raw(shape);
    for (std::int64_t i = 0; i < raw.size(); ++i) raw.data()[i] = static_cast<float>(i) / 120 - 0.5F;
    const Array<float> before = raw.clone();
    const Array<float> after = varied(augment, seed, std::move(raw), axis);
    std::vector<std::int64_t> changed;  // positions along the axis
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        for (std::int64_t x = 0; x < shape.x; ++x)
          if (std::abs(after(z, y, x) - before(z, y, x)) > kRounding)
            changed.push_back(axis == 0 ? z : axis == 1 ? y : x);
      }
    }
    if (changed.empty()) continue;  // the first slice doubled is itself
    ++num_spoilt;
    EXPECT_EQ(std::count(changed.begin(), changed.end(), changed[0]), std::ssize(changed)) << seed;
  }
  EXPECT_GT(num_spoilt, 70);
}

}  // namespace
}  // namespace organon::stages
