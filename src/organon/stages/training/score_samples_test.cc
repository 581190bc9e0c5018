#include "organon/stages/training/score_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace organon::stages {
namespace {

constexpr Shape3 kShape{24, 24, 48};

// Sheets of two voxels, of which raw shows a thick blur with noise: where they end is not seen.
std::vector<TrainingCrop> crops_of_sheets(std::uint64_t seed) {
  Random random(seed);
  TrainingCrop crop;
  crop.raw.emplace_back(kShape);
  crop.targets.emplace_back(kShape);
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        const double voxels = 1.0 - std::abs(static_cast<double>((x + y / 3) % 12) - 5.5);
        crop.raw[0](z, y, x) = static_cast<float>(0.5 * voxels + random.uniform(-0.8, 0.8));
        crop.targets[0](z, y, x) =
            static_cast<std::uint8_t>(std::max(1L, std::lround(127 + 128 * std::tanh(voxels * 4 / 50))));
      }
    }
  }
  find_places(crop);
  std::vector<TrainingCrop> crops;
  crops.push_back(std::move(crop));
  return crops;
}

SampleOptions sampling() {
  SampleOptions options;
  options.shape = options.output_shape = {16, 16, 16};
  options.augment = AugmentOptions::none();
  return options;
}

nn::Network trained(const std::vector<TrainingCrop>& crops) {
  nn::NetworkInfo info;
  info.options.features = {4, 8};
  info.options.pooling = {"2"};
  info.classes = {"sheet"};
  nn::Network network(info, "cpu");
  nn::OptimizerOptions optimizer;
  optimizer.learning_rate = 0.02;
  optimizer.average = 0.9;
  const SampleSource source(crops, sampling());
  for (int step = 0; step < 60; ++step) {
    nn::TrainingBatch batch;
    for (int place = 0; place < 2; ++place) {
      TrainingSample sample = source.sample(step, place);
      batch.raw.push_back(std::move(sample.raw));
      batch.targets.push_back(std::move(sample.targets));
      batch.masks.push_back(std::move(sample.masks));
    }
    optimizer.is_settled = step >= 40;
    network.train_step(batch, optimizer);
  }
  return network;
}

// F1 of what `network` finds in samples that are drawn one by one.
double f1_one_by_one(const nn::Network& network, const std::vector<TrainingCrop>& crops, std::int64_t count) {
  SampleOptions options = sampling();
  options.foreground_share = 0;
  const SampleSource source(crops, options);
  double both = 0, either = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const TrainingSample sample = source.sample(i / 2 * 2, i % 2);
    std::vector<Array<float>> raw;
    raw.push_back(sample.raw.clone());
    const auto found = network.predict(raw);
    for (std::int64_t k = 0; k < sample.targets[0].size(); ++k) {
      if (sample.masks[0].data()[k] == 0) continue;
      const bool is_true = sample.targets[0].data()[k] > 0;
      const bool is_found = found[0][0].data()[k] > 0;
      both += is_true && is_found;
      either += static_cast<double>(is_true) + static_cast<double>(is_found);
    }
  }
  return 2 * both / either;
}

TEST(ScoreSamples, ThinSheetsAreFoundBestAtTheirLevel) {
  const auto crops = crops_of_sheets(1);
  const auto others = crops_of_sheets(2);
  nn::Network network = trained(crops);
  const double at_0 = f1_on_samples(network, others, sampling(), 12, 1).at(0);
  const std::vector<double> levels = find_boundary_levels(network, crops, sampling(), 12, 1);
  ASSERT_EQ(levels.size(), 1U);
  EXPECT_LT(levels[0], -0.02);
  EXPECT_EQ(find_boundary_levels(network, crops, sampling(), 12, 3), levels);
  network.set_boundary_levels(levels);
  const double at_level = f1_on_samples(network, others, sampling(), 12, 2).at(0);
  EXPECT_GT(at_level, at_0 + 0.01);
  // Not to the last digit: two inputs at once, or one.
  EXPECT_NEAR(at_level, f1_one_by_one(network, others, 12), 1e-3);
  for (int level = -38; level <= 0; level += 2) {
    network.set_boundary_levels({level / 128.0});
    EXPECT_LT(f1_on_samples(network, others, sampling(), 12, 1).at(0), at_level + 0.01) << level;
  }
}

TEST(ScoreSamples, WhatIsInNeitherIsRight) {
  auto crops = crops_of_sheets(1);
  nn::Network network = trained(crops);
  std::fill_n(crops[0].targets[0].data(), crops[0].targets[0].size(), std::uint8_t{1});
  find_places(crops[0]);
  EXPECT_EQ(find_boundary_levels(network, crops, sampling(), 4, 1), std::vector<double>{0});
  network.set_boundary_levels({0.99});
  EXPECT_EQ(f1_on_samples(network, crops, sampling(), 4, 1), std::vector<double>{1});
}

}  // namespace
}  // namespace organon::stages
