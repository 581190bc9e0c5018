#include "organon/stages/training/boundary_levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "organon/base/random.h"

namespace organon::stages {
namespace {

// A sample of a class, and what its targets would be as stored.
struct Sample {
  Array<float> prediction, target;
  Array<std::uint8_t> mask;
};

constexpr Shape3 kShape{9, 10, 11};

Sample sample_of(Random& random, double share, double lowered, double noise) {
  Sample sample{Array<float>(kShape), Array<float>(kShape), Array<std::uint8_t>(kShape)};
  for (std::int64_t i = 0; i < sample.target.size(); ++i) {
    const double distance = random.uniform() < share ? random.uniform(0, 0.2) : random.uniform(-1.2, 0);
    sample.target.data()[i] = static_cast<float>(std::max(-0.99, distance));
    sample.prediction.data()[i] =
        static_cast<float>(std::max(-0.99, distance) - lowered + random.uniform(-noise, noise));
    sample.mask.data()[i] = random.uniform() < 0.9;
  }
  return sample;
}

// Outputs are distances less `lowered`, and noise up to `noise`; `share` of the voxels are inside.
std::vector<Sample> samples_of(int count, double share, double lowered, double noise) {
  Random random(7);
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) samples.push_back(sample_of(random, share, lowered, noise));
  return samples;
}

std::array<std::int64_t, 256> as_stored(const std::vector<Sample>& samples) {
  std::array<std::int64_t, 256> num_voxels{};
  for (const Sample& sample : samples) {
    for (std::int64_t i = 0; i < sample.target.size(); ++i) {
      const float t = sample.target.data()[i];
      // What is inside stays inside, and what is far stays far.
      int value = static_cast<int>(std::lround(128 * t + 127));
      value = t > 0       ? std::max(value, 128)
              : t > -0.9F ? std::clamp(value, 12, 127)
                          : std::clamp(value, 1, 11);
      if (sample.mask.data()[i] != 0) ++num_voxels[static_cast<std::size_t>(value)];
    }
  }
  return num_voxels;
}

double best_of(const std::vector<Sample>& samples, const std::array<std::int64_t, 256>& num_voxels) {
  BoundaryLevel level;
  for (const Sample& sample : samples) level.add(sample.prediction, sample.target, sample.mask);
  return level.best(num_voxels);
}

// F1 where each stratum's voxels weigh `weights`: inside, near, far.
double f1_at(const std::vector<Sample>& samples, double level, const std::array<double, 3>& weights) {
  double both = 0, either = 0;
  for (const Sample& sample : samples) {
    for (std::int64_t i = 0; i < sample.target.size(); ++i) {
      if (sample.mask.data()[i] == 0) continue;
      const float t = sample.target.data()[i];
      const double weight = weights[t > 0 ? 0 : t > -0.9F ? 1 : 2];
      const bool is_found = static_cast<double>(sample.prediction.data()[i]) > level;
      both += t > 0 && is_found ? weight : 0;
      either += (t > 0 ? weight : 0) + (is_found ? weight : 0);
    }
  }
  return either == 0 ? 0 : 2 * both / either;
}

TEST(BoundaryLevel, IsTheBestOfAllThatAreTriedOneByOne) {
  for (const double lowered : {-0.1, 0.0, 0.07, 0.2}) {
    for (const double share : {0.08, 0.3}) {
      const std::vector<Sample> samples = samples_of(3, share, lowered, 0.1);
      const double found = best_of(samples, as_stored(samples));
      double best = 0;
      for (int level = -38; level <= 0; ++level)
        best = std::max(best, f1_at(samples, level / 128.0, {1, 1, 1}));
      EXPECT_NEAR(f1_at(samples, found, {1, 1, 1}), best, 1e-12) << lowered << " " << share;
      EXPECT_GT(best, 0.1);
    }
  }
}

TEST(BoundaryLevel, IsWhatTheOutputsWereLoweredBy) {
  const std::vector<Sample> samples = samples_of(2, 0.2, 0.15625, 0);
  EXPECT_NEAR(best_of(samples, as_stored(samples)), -0.15625, 1 / 128.0);
}

TEST(BoundaryLevel, VoxelsWeighAsInWholeCropsNotAsInSamples) {
  const std::vector<Sample> samples = samples_of(1, 0.3, 0.1, 0.15);
  // Where most of a crop is far or near, false voxels there cost more.
  auto num_voxels = as_stored(samples);
  std::array<double, 3> weights = {1, 50, 7};
  for (std::size_t value = 1; value < 12; ++value) num_voxels[value] *= 7;
  for (std::size_t value = 12; value < 128; ++value) num_voxels[value] *= 50;
  const double found = best_of(samples, num_voxels);
  double best = 0;
  for (int level = -38; level <= 0; ++level) best = std::max(best, f1_at(samples, level / 128.0, weights));
  EXPECT_NEAR(f1_at(samples, found, weights), best, 1e-9);
  EXPECT_GT(found, best_of(samples, as_stored(samples)) + 0.02);
}

TEST(BoundaryLevel, WhatWasNotLearnedIsNotFoundEverywhere) {
  for (const double share : {0.15, 0.3, 0.6}) {
    for (const double noise : {0.0, 0.05}) {
      Random random(9);
      std::vector<Sample> samples = samples_of(1, share, 0, 0);
      for (std::int64_t i = 0; i < samples[0].prediction.size(); ++i)
        samples[0].prediction.data()[i] = static_cast<float>(-0.15 + random.uniform(-noise, noise));
      EXPECT_EQ(best_of(samples, as_stored(samples)), 0) << share << " " << noise;
    }
  }
  // A handful of voxels says nothing.
  const std::vector<Sample> few = samples_of(1, 0.05, 0.1, 0);
  EXPECT_EQ(best_of(few, as_stored(few)), 0);
  const std::vector<Sample> none = samples_of(1, 0, 0, 0.1);
  EXPECT_EQ(best_of(none, as_stored(none)), 0);
  EXPECT_EQ(BoundaryLevel().best({}), 0);
}

TEST(BoundaryLevel, OutputsThatAreNoNumbersAreBelowAllLevels) {
  const std::vector<Sample> samples = samples_of(1, 0.3, 0.1, 0);
  const double level = best_of(samples, as_stored(samples));
  EXPECT_NE(level, 0);
  std::vector<Sample> odd = samples_of(1, 0.3, 0.1, 0);
  for (std::int64_t i = 0; i < odd[0].prediction.size(); ++i) {
    float& value = odd[0].prediction.data()[i];
    if (value < -0.5F) value = i % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : -INFINITY;
    if (value > 0.08F) value = INFINITY;
  }
  EXPECT_EQ(best_of(odd, as_stored(odd)), level);
}

TEST(BoundaryLevel, CropsAreSummedPerClass) {
  std::vector<TrainingCrop> crops(2);
  for (TrainingCrop& crop : crops) {
    crop.num_voxels.resize(2);
    crop.num_voxels[0][3] = 5;
    crop.num_voxels[1][255] = 7;
  }
  const auto sums = sum_num_voxels(crops);
  ASSERT_EQ(sums.size(), 2U);
  EXPECT_EQ(sums[0][3], 10);
  EXPECT_EQ(sums[1][255], 14);
  EXPECT_EQ(sums[1][3], 0);
}

}  // namespace
}  // namespace organon::stages
