#include "organon/stages/training/sample_source.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/error.h"

namespace organon::stages {
namespace {

constexpr Shape3 kShape{20, 26, 32};

// Raw and target carry the same number at every voxel, so that a sample shows whether they stay together.
std::vector<TrainingCrop> numbered_crop() {
  std::vector<TrainingCrop> crops(1);
  TrainingCrop& crop = crops[0];
  crop.raw = Array<float>(kShape);
  crop.targets.emplace_back(kShape);
  for (std::int64_t i = 0; i < crop.raw.size(); ++i) {
    const auto value = static_cast<std::uint8_t>(1 + mix64(static_cast<std::uint64_t>(i)) % 255);
    crop.targets[0].data()[i] = value;
    crop.raw.data()[i] = (static_cast<float>(value) - 127) / 128;
  }
  find_places(crop);
  return crops;
}

SampleOptions plain(std::int64_t edge, std::int64_t output_edge) {
  SampleOptions options;
  options.edge = edge;
  options.output_edge = output_edge;
  options.augment = AugmentOptions::none();
  return options;
}

TEST(SampleSource, RawAndTargetsStayTogetherUnderSymmetries) {
  const auto crops = numbered_crop();
  for (const auto& [edge, output] : {std::pair<std::int64_t, std::int64_t>{8, 8}, {9, 9}, {12, 6}, {13, 7}}) {
    SampleOptions options = plain(edge, output);
    options.augment.symmetries = true;
    const SampleSource source(crops, options);
    for (std::int64_t step = 0; step < 20; ++step) {
      const TrainingSample sample = source.sample(step, 1);
      const std::int64_t margin = (edge - output) / 2;
      for (std::int64_t z = 0; z < output; ++z) {
        for (std::int64_t y = 0; y < output; ++y) {
          for (std::int64_t x = 0; x < output; ++x) {
            ASSERT_TRUE(sample.masks[0](z, y, x));
            ASSERT_NEAR(sample.targets[0](z, y, x), sample.raw(z + margin, y + margin, x + margin), 1e-5)
                << edge << " " << output;
          }
        }
      }
    }
  }
}

TEST(SampleSource, RawAndTargetsStayTogetherWhenTurned) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw = Array<float>(Shape3::cube(40));
  crops[0].targets.emplace_back(Shape3::cube(40));
  // A smooth field, so that interpolation is the same for both up to quantisation.
  for (std::int64_t i = 0; i < crops[0].raw.size(); ++i) {
    const double z = static_cast<double>(i / 1600), y = static_cast<double>(i / 40 % 40),
                 x = static_cast<double>(i % 40);
    const double value = std::round(127 + 100 * std::sin(0.11 * z + 0.07 * y) * std::cos(0.09 * x));
    crops[0].targets[0].data()[i] = static_cast<std::uint8_t>(value);
    crops[0].raw.data()[i] = static_cast<float>((value - 127) / 128);
  }
  find_places(crops[0]);
  SampleOptions options = plain(12, 12);
  options.augment.symmetries = true;
  options.augment.turned_share = 1;
  options.augment.rotation_degrees = 180;
  options.augment.scale_range = 0.2;
  const SampleSource source(crops, options);
  std::int64_t known = 0;
  for (std::int64_t step = 0; step < 10; ++step) {
    const TrainingSample sample = source.sample(step, 0);
    for (std::int64_t i = 0; i < sample.raw.size(); ++i) {
      if (sample.masks[0].data()[i] == 0) continue;
      ++known;
      ASSERT_NEAR(sample.targets[0].data()[i], sample.raw.data()[i], 1e-4);
    }
  }
  EXPECT_GT(known, 10 * 1728 / 2);
}

TEST(SampleSource, ATurnByNothingIsTheSymmetryItself) {
  const auto crops = numbered_crop();
  SampleOptions straight = plain(8, 8);
  straight.augment.symmetries = true;
  SampleOptions turned = straight;
  turned.augment.turned_share = 1;  // by 0 degrees, scale 1
  const SampleSource a(crops, straight);
  const SampleSource b(crops, turned);
  for (std::int64_t step = 0; step < 10; ++step) {
    const TrainingSample expected = a.sample(step, 0);
    const TrainingSample found = b.sample(step, 0);
    for (std::int64_t i = 0; i < expected.raw.size(); ++i) {
      ASSERT_NEAR(found.raw.data()[i], expected.raw.data()[i], 2e-3);
    }
  }
}

TEST(SampleSource, SamplesDependOnSeedStepAndPlaceAlone) {
  const auto crops = numbered_crop();
  SampleOptions options;
  options.edge = options.output_edge = 8;
  const SampleSource one(crops, options);
  const SampleSource other(crops, options);
  other.sample(3, 1);
  const auto equal = [](const TrainingSample& a, const TrainingSample& b) {
    return std::equal(a.raw.data(), a.raw.data() + a.raw.size(), b.raw.data());
  };
  EXPECT_TRUE(equal(one.sample(5, 0), other.sample(5, 0)));
  EXPECT_FALSE(equal(one.sample(5, 0), one.sample(5, 1)));
  EXPECT_FALSE(equal(one.sample(5, 0), one.sample(6, 0)));
  options.seed = 2;
  EXPECT_FALSE(equal(one.sample(5, 0), SampleSource(crops, options).sample(5, 0)));
}

TEST(SampleSource, UnannotatedVoxelsAreMasked) {
  auto crops = numbered_crop();
  for (std::int64_t i = 0; i < crops[0].targets[0].size(); ++i) {
    const bool is_known = i / (26 * 32) >= 5 && i % 32 < 20;
    if (!is_known) crops[0].targets[0].data()[i] = 0;
  }
  find_places(crops[0]);
  EXPECT_EQ(crops[0].annotated, (Box{{5, 0, 0}, {20, 26, 20}}));
  SampleOptions options;
  options.edge = options.output_edge = 16;
  const SampleSource source(crops, options);
  std::int64_t known = 0;
  for (std::int64_t step = 0; step < 30; ++step) {
    const TrainingSample sample = source.sample(step, 0);
    for (std::int64_t i = 0; i < sample.raw.size(); ++i) {
      known += sample.masks[0].data()[i];
      // Interpolating across the edge of what is known would show as values below the least stored one.
      if (sample.masks[0].data()[i] != 0) {
        ASSERT_GE(sample.targets[0].data()[i], (1 - 127) / 128.0F);
      }
    }
  }
  EXPECT_GT(known, 30 * 4096 / 2);
}

TEST(SampleSource, ForegroundIsSoughtAsOftenAsAsked) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw = Array<float>(Shape3::cube(64));
  crops[0].targets.emplace_back(Shape3::cube(64), std::uint8_t{1});
  for (std::int64_t z = 40; z < 43; ++z) crops[0].targets[0](z, 50, 11) = 200;
  find_places(crops[0]);
  ASSERT_EQ(crops[0].foreground[0].size(), 3U);
  SampleOptions options;
  options.edge = options.output_edge = 8;
  options.foreground_share = 0.5;
  const SampleSource source(crops, options);
  int hits = 0;
  for (std::int64_t step = 0; step < 400; ++step) {
    const TrainingSample sample = source.sample(step, 0);
    const auto& target = sample.targets[0];
    hits += std::any_of(target.data(), target.data() + target.size(), [](float t) { return t > 0; });
  }
  EXPECT_NEAR(hits, 200, 60);
}

TEST(SampleSource, CropsWithoutAnnotationAreRefused) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw = Array<float>(Shape3::cube(8));
  crops[0].targets.emplace_back(Shape3::cube(8));
  find_places(crops[0]);
  EXPECT_THROW(SampleSource(crops, SampleOptions{}), Error);
}

}  // namespace
}  // namespace organon::stages
