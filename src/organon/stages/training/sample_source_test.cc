#include "organon/stages/training/sample_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "organon/array/copy.h"
#include "organon/base/error.h"

namespace organon::stages {
namespace {

constexpr Shape3 kShape{20, 26, 32};

// Raw and target carry the same number at every voxel, so that a sample shows whether they stay together.
std::vector<TrainingCrop> numbered_crop() {
  std::vector<TrainingCrop> crops(1);
  TrainingCrop& crop = crops[0];
  crop.raw.emplace_back(kShape);
  crop.targets.emplace_back(kShape);
  for (std::int64_t i = 0; i < crop.raw[0].size(); ++i) {
    const auto value = static_cast<std::uint8_t>(1 + mix64(static_cast<std::uint64_t>(i)) % 255);
    crop.targets[0].data()[i] = value;
    crop.raw[0].data()[i] = (static_cast<float>(value) - 127) / 128;
  }
  find_places(crop);
  return crops;
}

TEST(SampleSource, VoxelsAreCountedByTheirValue) {
  const TrainingCrop crop = std::move(numbered_crop()[0]);
  ASSERT_EQ(crop.num_voxels.size(), 1U);
  for (std::size_t value = 0; value < 256; ++value) {
    EXPECT_EQ(crop.num_voxels[0][value],
              std::count(crop.targets[0].data(), crop.targets[0].data() + crop.targets[0].size(), value));
  }
}

SampleOptions plain(std::int64_t edge, std::int64_t output_edge) {
  SampleOptions options;
  options.shape = Shape3::cube(edge);
  options.output_shape = Shape3::cube(output_edge);
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
  crops[0].raw.emplace_back(Shape3::cube(40));
  crops[0].targets.emplace_back(Shape3::cube(40));
  // A smooth field, so that interpolation is the same for both up to quantisation.
  for (std::int64_t i = 0; i < crops[0].raw[0].size(); ++i) {
    const double z = static_cast<double>(i / 1600), y = static_cast<double>(i / 40 % 40),
                 x = static_cast<double>(i % 40);
    const double value = std::round(127 + 100 * std::sin(0.11 * z + 0.07 * y) * std::cos(0.09 * x));
    crops[0].targets[0].data()[i] = static_cast<std::uint8_t>(value);
    crops[0].raw[0].data()[i] = static_cast<float>((value - 127) / 128);
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
  options.shape = options.output_shape = Shape3::cube(8);
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
  options.shape = options.output_shape = Shape3::cube(16);
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

// Several classes at once are what each is alone, and a voxel of a turned patch has a say only where all
// voxels do between which it lies: of a crop that says 1 or nothing, at random, an eighth power of the share.
TEST(SampleSource, ClassesAreTakenEachByItself) {
  Random random(21);
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(Shape3::cube(40));
  for (const double known : {0.9, 0.5, 1.0}) {
    Array<std::uint8_t> stored(Shape3::cube(40));
    for (std::int64_t i = 0; i < stored.size(); ++i) {
      const std::uint8_t values[] = {1, 127, 128, 255};
      stored.data()[i] = random.uniform() < known ? values[random.below(4)] : std::uint8_t{0};
    }
    crops[0].targets.push_back(std::move(stored));
  }
  find_places(crops[0]);
  std::vector<std::vector<TrainingCrop>> alone(3);
  for (std::size_t c = 0; c < 3; ++c) {
    TrainingCrop& crop = alone[c].emplace_back();
    crop.raw.emplace_back(Shape3::cube(40));
    crop.targets.emplace_back(Shape3::cube(40));
    copy_voxels<std::uint8_t>(std::as_const(crops[0].targets[c]).view(), crop.targets[0]);
    crop.annotated = crops[0].annotated;
    crop.foreground.emplace_back();
  }
  for (const double turned : {0.0, 1.0}) {
    SampleOptions options;
    options.shape = options.output_shape = Shape3::cube(16);
    options.foreground_share = 0;
    options.augment.turned_share = turned;
    const SampleSource source(crops, options);
    std::vector<std::int64_t> known(3, 0), inside(3, 0);
    for (std::int64_t step = 0; step < 20; ++step) {
      const TrainingSample sample = source.sample(step, 0);
      for (std::size_t c = 0; c < 3; ++c) {
        const TrainingSample own = SampleSource(alone[c], options).sample(step, 0);
        for (std::int64_t i = 0; i < own.raw.size(); ++i) {
          ASSERT_EQ(sample.masks[c].data()[i], own.masks[0].data()[i]);
          ASSERT_EQ(sample.targets[c].data()[i], own.targets[0].data()[i]);
          known[c] += own.masks[0].data()[i];
          inside[c] += sample.masks[2].data()[i];
          ASSERT_GE(own.targets[0].data()[i], (1 - 127) / 128.0F - 1e-5F);
          ASSERT_LE(own.targets[0].data()[i], 1 + 1e-5F);
        }
      }
    }
    ASSERT_GT(inside[0], 10000);
    for (std::size_t c = 0; c < 2; ++c) {
      const double share = static_cast<double>(known[c]) / static_cast<double>(inside[c]);
      const double of_one = c == 0 ? 0.9 : 0.5;
      EXPECT_NEAR(share, turned > 0 ? std::pow(of_one, 8) : of_one, 0.03) << c;
    }
  }
}

TEST(SampleSource, ForegroundIsSoughtAsOftenAsAsked) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(Shape3::cube(64));
  crops[0].targets.emplace_back(Shape3::cube(64), std::uint8_t{1});
  for (std::int64_t z = 40; z < 43; ++z) crops[0].targets[0](z, 50, 11) = 200;
  find_places(crops[0]);
  ASSERT_EQ(crops[0].foreground[0].size(), 3U);
  SampleOptions options;
  options.shape = options.output_shape = Shape3::cube(8);
  options.foreground_share = 0.5;
  options.augment.elastic_nm = 0;  // a line of three voxels is lost between others where it is deformed
  const SampleSource source(crops, options);
  int hits = 0;
  for (std::int64_t step = 0; step < 400; ++step) {
    const TrainingSample sample = source.sample(step, 0);
    const auto& target = sample.targets[0];
    hits += std::any_of(target.data(), target.data() + target.size(), [](float t) { return t > 0; });
  }
  EXPECT_NEAR(hits, 200, 60);
}

// A smooth field of which raw holds the values, and targets the same, stored: on their own, finer grid.
std::vector<TrainingCrop> smooth_crop(const Shape3& shape, std::int64_t scale) {
  const auto field = [](double z, double y, double x) {
    return std::sin(0.11 * z + 0.07 * y) * std::cos(0.09 * x);
  };
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(shape);
  crops[0].targets.emplace_back(Shape3(Index3(shape) * scale));
  const auto fill = [&](const Shape3& of, double size, auto set) {
    for (std::int64_t z = 0; z < of.z; ++z) {
      for (std::int64_t y = 0; y < of.y; ++y) {
        for (std::int64_t x = 0; x < of.x; ++x) {
          set(Index3{z, y, x},
              field((static_cast<double>(z) + 0.5) * size, (static_cast<double>(y) + 0.5) * size,
                    (static_cast<double>(x) + 0.5) * size));
        }
      }
    }
  };
  fill(shape, 1,
       [&](const Index3& at, double value) { crops[0].raw[0](at) = static_cast<float>(value * 0.78); });
  fill(crops[0].targets[0].shape(), 1.0 / static_cast<double>(scale), [&](const Index3& at, double value) {
    crops[0].targets[0](at) = static_cast<std::uint8_t>(std::lround(127 + 100 * value));
  });
  find_places(crops[0]);
  return crops;
}

// Whatever becomes of a sample, targets on a grid twice as fine lie where raw has what they were made of.
TEST(SampleSource, FinerTargetsLieOnRawHoweverItIsDeformed) {
  for (const std::int64_t scale : {1, 2}) {
    const auto crops = smooth_crop(Shape3::cube(40), scale);
    for (int kind = 0; kind < 3; ++kind) {
      SCOPED_TRACE(testing::Message() << "scale " << scale << " kind " << kind);
      SampleOptions options = plain(14, 8 * scale);
      options.target_scale = scale;
      options.augment.symmetries = true;
      options.augment.turned_share = kind == 0 ? 0 : 1;
      options.augment.elastic_nm = kind == 2 ? 16 : 0;  // two voxels
      options.augment.elastic_spacing = 12;
      const SampleSource source(crops, options);
      std::int64_t known = 0;
      for (std::int64_t step = 0; step < 10; ++step) {
        const TrainingSample sample = source.sample(step, 0);
        for (std::int64_t z = 0; z < 8; ++z) {
          for (std::int64_t y = 0; y < 8; ++y) {
            for (std::int64_t x = 0; x < 8; ++x) {
              double mean = 0;
              bool is_known = true;
              for (std::int64_t k = 0; k < scale * scale * scale; ++k) {
                const Index3 at{z * scale + k / (scale * scale), y * scale + k / scale % scale,
                                x * scale + k % scale};
                is_known = is_known && sample.masks[0](at) != 0;
                mean += sample.targets[0](at);
              }
              if (!is_known) continue;
              ++known;
              ASSERT_NEAR(mean / static_cast<double>(scale * scale * scale), sample.raw(z + 3, y + 3, x + 3),
                          0.015);
            }
          }
        }
      }
      EXPECT_GT(known, 10 * 512 / 3);
    }
  }
}

TEST(SampleSource, DeformationsHaveTheSizeThatWasAsked) {
  // Raw holds its own x: what a sample shows of it is where its voxels were taken.
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(Shape3::cube(64));
  crops[0].targets.emplace_back(Shape3::cube(64), std::uint8_t{100});
  for (std::int64_t i = 0; i < crops[0].raw[0].size(); ++i)
    crops[0].raw[0].data()[i] = static_cast<float>(i % 64) / 64;
  find_places(crops[0]);
  SampleOptions options = plain(16, 16);
  options.augment.turned_share = 1;
  options.augment.elastic_nm = 12;
  options.augment.elastic_spacing = 16;
  const SampleSource source(crops, options);
  options.augment.elastic_nm = 0;
  const SampleSource still(crops, options);
  double sum = 0, squares = 0, count = 0;
  for (std::int64_t step = 0; step < 200; ++step) {
    const TrainingSample moved = source.sample(step, 0);
    const TrainingSample unmoved = still.sample(step, 0);
    for (std::int64_t i = 0; i < moved.raw.size(); i += 37) {
      const double shift = 64 * (moved.raw.data()[i] - unmoved.raw.data()[i]);
      sum += shift;
      squares += shift * shift;
      ++count;
    }
  }
  EXPECT_NEAR(sum / count, 0, 0.25);
  // 1.5 voxels at control points, less between them.
  EXPECT_NEAR(std::sqrt(squares / count), 1.1, 0.3);
}

TEST(SampleSource, AnisotropicVoxelsAreNotSwappedAndTurnInNanometres) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(Shape3{24, 48, 48});
  crops[0].targets.emplace_back(Shape3{24, 48, 48}, std::uint8_t{100});
  // z in nm: it changes by 8 from slice to slice, and along no other axis.
  for (std::int64_t i = 0; i < crops[0].raw[0].size(); ++i)
    crops[0].raw[0].data()[i] = static_cast<float>(i / (48 * 48)) / 24;
  find_places(crops[0]);
  SampleOptions options = plain(8, 8);
  options.voxel_size_nm = {8, 4, 4};
  options.augment.symmetries = true;
  const SampleSource straight(crops, options);
  for (std::int64_t step = 0; step < 30; ++step) {
    const TrainingSample sample = straight.sample(step, 0);
    EXPECT_EQ(sample.raw(3, 0, 0), sample.raw(3, 7, 5));
    EXPECT_NE(sample.raw(3, 0, 0), sample.raw(4, 0, 0));
  }
  options.augment.symmetries = false;
  options.augment.turned_share = 1;
  options.augment.rotation_degrees = 40;
  options.augment.scale_range = 0;
  options.augment.elastic_nm = 0;
  const SampleSource turned(crops, options);
  for (std::int64_t step = 0; step < 30; ++step) {
    // The gradient of z in nm has length 1 along whatever it was turned to.
    const TrainingSample sample = turned.sample(step, 0);
    const auto slope = [&](const Index3& to, double size) {
      return 24 * 8 * (sample.raw(Index3{3, 3, 3} + to) - sample.raw(3, 3, 3)) / size;
    };
    const double z = slope({1, 0, 0}, 8), y = slope({0, 1, 0}, 4), x = slope({0, 0, 1}, 4);
    EXPECT_NEAR(std::sqrt(z * z + y * y + x * x), 1, 0.02);
  }
}

TEST(SampleSource, RareClassesAndLeastKnownSharesAreSought) {
  std::vector<TrainingCrop> crops(2);
  for (std::size_t i = 0; i < 2; ++i) {
    crops[i].raw.emplace_back(Shape3::cube(i == 0 ? 64 : 24), static_cast<float>(i));
    crops[i].targets.emplace_back(crops[i].raw[0].shape(), std::uint8_t{1});
  }
  crops[1].targets[0](12, 12, 12) = 200;
  for (TrainingCrop& crop : crops) find_places(crop);
  SampleOptions options = plain(8, 8);
  options.foreground_share = 0;
  const auto share_of_second = [&] {
    const SampleSource source(crops, options);
    int count = 0;
    for (std::int64_t step = 0; step < 400; ++step) count += source.sample(step, 0).raw(0, 0, 0) > 0.5;
    return count / 400.0;
  };
  EXPECT_NEAR(share_of_second(), 0.05, 0.03) << "by size";
  options.rare_classes = {0};
  EXPECT_NEAR(share_of_second(), 0.5, 0.08);

  // A checkerboard of blocks of which half say nothing.
  for (std::int64_t z = 0; z < 64; ++z) {
    for (std::int64_t y = 0; y < 64; ++y) {
      for (std::int64_t x = 0; x < 64; ++x)
        if ((z / 16 + y / 16 + x / 16) % 2 == 0) crops[0].targets[0](z, y, x) = 0;
    }
  }
  crops.pop_back();
  find_places(crops[0]);
  options.rare_classes.clear();
  const auto least_known = [&] {
    const SampleSource source(crops, options);
    std::int64_t least = 512;
    for (std::int64_t step = 0; step < 60; ++step) {
      const TrainingSample sample = source.sample(step, 0);
      const auto& mask = sample.masks[0];
      least = std::min<std::int64_t>(least, std::count(mask.data(), mask.data() + mask.size(), 1));
    }
    return least;
  };
  EXPECT_LT(least_known(), 100);
  options.least_known_share = 0.75;
  EXPECT_GT(least_known(), 384);
}

TEST(SampleSource, GreyValuesAreVariedButNotPlaces) {
  const auto crops = smooth_crop(Shape3::cube(32), 1);
  SampleOptions options = plain(16, 16);
  const SampleSource still(crops, options);
  options.augment.blurred_share = 1;
  options.augment.blur_voxels = 1.5;
  const SampleSource blurred(crops, options);
  options.augment.blurred_share = 0;
  options.augment.defect_share = 1;
  const SampleSource spoilt(crops, options);
  for (std::int64_t step = 0; step < 20; ++step) {
    const TrainingSample expected = still.sample(step, 0);
    const TrainingSample soft = blurred.sample(step, 0);
    const TrainingSample bad = spoilt.sample(step, 0);
    std::int64_t changed = 0;
    for (std::int64_t i = 0; i < 4096; ++i) {
      ASSERT_EQ(soft.targets[0].data()[i], expected.targets[0].data()[i]);
      ASSERT_EQ(bad.targets[0].data()[i], expected.targets[0].data()[i]);
      ASSERT_NEAR(soft.raw.data()[i], expected.raw.data()[i], 0.2) << "of a smooth field little is lost";
      changed += bad.raw.data()[i] != expected.raw.data()[i];
    }
    EXPECT_LE(changed, 256) << "one slice";
  }
}

TEST(SampleSource, CropsWithoutAnnotationAreRefused) {
  std::vector<TrainingCrop> crops(1);
  crops[0].raw.emplace_back(Shape3::cube(8));
  crops[0].targets.emplace_back(Shape3::cube(8));
  find_places(crops[0]);
  EXPECT_THROW(SampleSource(crops, SampleOptions{}), Error);
}

}  // namespace
}  // namespace organon::stages
