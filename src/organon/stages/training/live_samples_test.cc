#include "organon/stages/training/live_samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "organon/array/any_array.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;
using storage::Rgb8;

TEST(KeptSteps, AreTheFirstTheNewestAndAnEvenChoiceBetween) {
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 250; step <= 250 * 400; step += 250) {
    steps.push_back(step);
    steps = kept_steps(steps);
    ASSERT_LE(steps.size(), 24U);
    ASSERT_EQ(steps.size(), std::min<std::size_t>(24, static_cast<std::size_t>(step / 250)));
    EXPECT_EQ(steps.front(), 250);
    for (std::int64_t k = 0; k < std::min<std::int64_t>(8, step / 250); ++k)
      ASSERT_EQ(steps[steps.size() - 1 - static_cast<std::size_t>(k)], step - 250 * k);
    std::int64_t widest = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) {
      ASSERT_LT(steps[i - 1], steps[i]);
      widest = std::max(widest, steps[i] - steps[i - 1]);
    }
    // 15 gaps hold all but the newest; none is three times as wide as all alike would be.
    ASSERT_LT(widest, std::max<std::int64_t>(500, 3 * step / 15)) << step;
  }
}

LivePatch patch_of(std::int64_t number, std::vector<double> positive, double known = 1) {
  const std::vector<double> shares(positive.size(), known);
  return {number, shares, std::move(positive)};
}

TEST(ChoosePatches, ShowEachClassAndPreferItsBoundary) {
  // All of class 0, half of it, a little of class 1, nothing.
  const std::vector<LivePatch> candidates = {patch_of(0, {1, 0}), patch_of(1, {0.5, 0}),
                                             patch_of(2, {0.45, 0}), patch_of(3, {0, 0.01}),
                                             patch_of(4, {0, 0})};
  const std::vector<LivePatch> chosen = choose_patches(candidates, 3);
  ASSERT_EQ(chosen.size(), 3U);
  EXPECT_EQ(chosen[0].number, 1);
  EXPECT_EQ(chosen[1].number, 3) << "a thin class, before a second sight of another";
  EXPECT_EQ(chosen[2].number, 2);
  EXPECT_EQ(choose_patches({patch_of(5, {0}), patch_of(6, {0})}, 1)[0].number, 5) << "the first of equals";
  EXPECT_EQ(choose_patches({patch_of(5, {0.3}, 0.3), patch_of(6, {0.1})}, 1)[0].number, 6)
      << "what has no say is no boundary";
}

// The first patch is the best alone, and a greedy choice of a gain that only shrinks is never worse than
// 1 - 1/e of the best one.
TEST(ChoosePatches, AreNearTheBestOfAllChoices) {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<LivePatch> candidates;
    for (std::int64_t i = 0; i < 7; ++i) {
      std::vector<double> positive;
      for (int c = 0; c < 4; ++c)
        positive.push_back(random.uniform() < 0.5 ? 0 : std::pow(random.uniform(), 3));
      candidates.push_back(patch_of(i, positive));
    }
    std::vector<double> most(4, 1e-300);
    for (const LivePatch& patch : candidates)
      for (std::size_t c = 0; c < 4; ++c)
        most[c] = std::max(most[c], patch.positive[c] * (1 - patch.positive[c]));
    const auto worth = [&](const std::vector<std::int64_t>& numbers) {
      double sum = 0;
      for (std::size_t c = 0; c < 4; ++c) {
        double seen = 0;
        for (const std::int64_t number : numbers) {
          const double positive = candidates[static_cast<std::size_t>(number)].positive[c];
          seen += positive * (1 - positive) / most[c];
        }
        sum += std::sqrt(seen);
      }
      return sum;
    };
    double best_one = 0;
    double best_two = 0;
    for (std::int64_t i = 0; i < 7; ++i) {
      best_one = std::max(best_one, worth({i}));
      for (std::int64_t j = 0; j < i; ++j) best_two = std::max(best_two, worth({i, j}));
    }
    const std::vector<LivePatch> chosen = choose_patches(candidates, 2);
    EXPECT_NEAR(worth({chosen[0].number}), best_one, 1e-12);
    EXPECT_GE(worth({chosen[0].number, chosen[1].number}), (1 - 1 / std::exp(1.0)) * best_two);
  }
}

// Class `a` is inside where x is large, class `b` is known in a part only.
std::vector<TrainingCrop> crops() {
  std::vector<TrainingCrop> result(1);
  const Shape3 shape{24, 26, 30};
  TrainingCrop& crop = result[0];
  crop.raw.emplace_back(shape);
  crop.targets.emplace_back(shape);
  crop.targets.emplace_back(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const auto hash = mix64(static_cast<std::uint64_t>((z * 32 + y) * 32 + x));
        crop.raw[0](z, y, x) = static_cast<float>(hash % 1000) / 500 - 1;
        crop.targets[0](z, y, x) =
            static_cast<std::uint8_t>(std::clamp<std::int64_t>(127 + (x - 15) * 20, 1, 255));
        crop.targets[1](z, y, x) = x < 12 ? (y < 13 ? 200 : 40) : 0;
      }
    }
  }
  find_places(crop);
  return result;
}

SampleOptions options() {
  SampleOptions result;
  result.shape = Shape3::cube(16);
  result.output_shape = Shape3::cube(16);
  return result;
}

nn::Network network() {
  nn::NetworkInfo info;
  info.options.features = {4, 8};
  info.options.pooling = {"2"};
  info.classes = {"a", "b"};
  info.voxel_size_nm = {8, 8, 8};
  return nn::Network(info);
}

void train_a_step(nn::Network& network) {
  nn::TrainingBatch batch;
  for (int i = 0; i < 2; ++i) {
    batch.raw.emplace_back(Shape3::cube(16), 0.5F);
    batch.targets.emplace_back();
    batch.masks.emplace_back();
    for (int c = 0; c < 2; ++c) {
      batch.targets.back().emplace_back(Shape3::cube(16), c == 0 ? 1.0F : -1.0F);
      batch.masks.back().emplace_back(Shape3::cube(16), std::uint8_t{1});
    }
  }
  network.train_step(batch, {});
}

struct Pixels {
  AnyArray channels;
  Rgb8 at(std::int64_t y, std::int64_t x) const {
    const auto values = channels.view<std::uint8_t>();
    return {values(0, y, x), values(1, y, x), values(2, y, x)};
  }
};

Pixels read_picture(const std::filesystem::path& path) {
  const auto bytes = read_file_if_exists(path);
  EXPECT_TRUE(bytes) << path;
  return {storage::decode_png_channels(*bytes, 3, path.string())};
}

Json index_in(const std::filesystem::path& folder) {
  return parse_json(read_text(folder / "samples" / "index.json"), "index.json");
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "samples"))
    names.insert(entry.path().filename().string());
  return names;
}

TEST(LiveSamples, DrawRawTruthAndWhatTheNetworkPredicts) {
  const TemporaryFolder folder;
  const auto training = crops();
  nn::Network learner = network();
  train_a_step(learner);
  LiveSamples live(folder.path(), {"a", "b"}, training, options(), 0);
  EXPECT_TRUE(index_in(folder.path()).at("steps").empty());
  live.write(learner);

  const Json index = index_in(folder.path());
  EXPECT_EQ(index.at("classes"), (Json{"a", "b"}));
  EXPECT_EQ(index.at("tile_pixels"), (Json{16, 16}));
  EXPECT_EQ(index.at("steps"), Json::parse(R"([{"step": 1, "file": "step_000001.png"}])"));
  const std::size_t num_patches = index.at("patches").size();
  ASSERT_EQ(num_patches, 4U);
  const Pixels raw = read_picture(folder.path() / "samples" / "raw.png");
  const Pixels truth = read_picture(folder.path() / "samples" / "truth.png");
  const Pixels predicted = read_picture(folder.path() / "samples" / "step_000001.png");
  EXPECT_EQ(raw.channels.shape(), (Shape3{3, 16, 64}));
  EXPECT_EQ(truth.channels.shape(), (Shape3{3, 32, 64}));
  EXPECT_EQ(predicted.channels.shape(), (Shape3{3, 32, 64}));

  // The patches again: of the first samples, those whose shares the index has.
  SampleOptions plain = options();
  plain.augment = AugmentOptions::none();
  plain.foreground_share = 1;
  const SampleSource source(training, plain);
  std::set<std::size_t> found;  // two samples of a small crop may be the same patch
  for (std::int64_t number = 0; number < 24; ++number) {
    const TrainingSample sample = source.sample(number, 0);
    for (std::size_t p = 0; p < num_patches; ++p) {
      const auto left = static_cast<std::int64_t>(16 * p);
      bool is_this = true;
      for (std::int64_t y = 0; y < 16; ++y)
        for (std::int64_t x = 0; x < 16; ++x)
          is_this = is_this && raw.at(y, left + x) == grey_of_raw(sample.raw(8, y, x), 1);
      if (!is_this) continue;
      found.insert(p);
      std::vector<Array<float>> inputs;
      inputs.push_back(sample.raw.clone());
      const auto prediction = learner.predict(inputs);
      double known = 0;
      double positive = 0;
      for (std::int64_t y = 0; y < 16; ++y) {
        for (std::int64_t x = 0; x < 16; ++x) {
          for (std::size_t c = 0; c < 2; ++c) {
            const auto row = static_cast<std::int64_t>(16 * c) + y;
            const bool is_known = sample.masks[c](8, y, x) != 0;
            ASSERT_EQ(truth.at(row, left + x),
                      is_known ? color_of_target(sample.targets[c](8, y, x)) : color_of_unknown(y, x));
            // Of two inputs at once, sums may differ in their last bits from those of one.
            const Rgb8 expected = color_of_target(prediction[0][c](8, y, x));
            ASSERT_NEAR(predicted.at(row, left + x).red, expected.red, 1);
            ASSERT_NEAR(predicted.at(row, left + x).blue, expected.blue, 1);
          }
          known += sample.masks[1](8, y, x) != 0;
          positive += sample.masks[1](8, y, x) != 0 && sample.targets[1](8, y, x) > 0;
        }
      }
      EXPECT_EQ(index.at("patches").at(p).at("known").at(1).get<double>(), known / 256);
      EXPECT_EQ(index.at("patches").at(p).at("positive").at(1).get<double>(), positive / 256);
    }
  }
  EXPECT_EQ(found.size(), num_patches);
  EXPECT_GT(index.at("patches").at(0).at("positive").at(1).get<double>(), 0) << "class b is seen";
}

TEST(LiveSamples, ATrainingThatGoesOnKeepsThePicturesUpToItsCheckpoint) {
  const TemporaryFolder folder;
  auto training = crops();
  nn::Network learner = network();
  {
    LiveSamples live(folder.path(), {"a", "b"}, training, options(), 0);
    for (int i = 0; i < 3; ++i) {
      train_a_step(learner);
      live.write(learner);
      live.write(learner);  // again: nothing
    }
  }
  const std::set<std::string> first_two = {"index.json", "raw.png", "truth.png", "step_000001.png",
                                           "step_000002.png"};
  write_text_atomically(folder.path() / "samples" / "notes_step_1.png.txt", "of somebody else", Fsync::kNo);
  const LiveSamples going_on(folder.path(), {"a", "b"}, training, options(), 2);
  std::set<std::string> expected = first_two;
  expected.insert("notes_step_1.png.txt");
  EXPECT_EQ(files_in(folder.path()), expected);
  EXPECT_EQ(index_in(folder.path()).at("steps").size(), 2U);
  EXPECT_EQ(index_in(folder.path()).at("steps").at(1).at("step"), 2);

  // Of other patches nothing is kept.
  training[0].raw[0](12, 13, 15) = 1;
  for (std::int64_t i = 0; i < training[0].raw[0].size(); ++i) training[0].raw[0].data()[i] *= -1;
  const LiveSamples of_others(folder.path(), {"a", "b"}, training, options(), 2);
  EXPECT_TRUE(index_in(folder.path()).at("steps").empty());
  EXPECT_FALSE(files_in(folder.path()).contains("step_000001.png"));
  EXPECT_TRUE(files_in(folder.path()).contains("notes_step_1.png.txt"));
}

TEST(LiveSamples, LeaveNoMoreFilesThanAreKept) {
  const TemporaryFolder folder;
  const auto training = crops();
  nn::Network learner = network();
  LiveSamples live(folder.path(), {"a", "b"}, training, options(), 0);
  for (int i = 0; i < 30; ++i) {
    train_a_step(learner);
    live.write_if_affordable(learner);  // the first seconds are free
  }
  live.write(learner);
  std::set<std::string> expected = {"index.json", "raw.png", "truth.png"};
  const Json steps = index_in(folder.path()).at("steps");
  for (const Json& one : steps) expected.insert(one.at("file").get<std::string>());
  EXPECT_LE(steps.size(), 24U);
  EXPECT_EQ(steps.back().at("step"), 30);
  EXPECT_EQ(files_in(folder.path()), expected);
}

// Many classes of large patches: fewer patches, and tiles of their middle.
TEST(LiveSamples, ArePicturesOfBoundedSize) {
  const TemporaryFolder folder;
  std::vector<TrainingCrop> training(1);
  std::vector<std::string> classes;
  const Shape3 shape{8, 300, 300};
  training[0].raw.emplace_back(shape);
  for (int c = 0; c < 35; ++c) {
    classes.push_back("class_" + std::to_string(c));
    training[0].targets.emplace_back(shape, std::uint8_t{30});
    training[0].targets.back()(4, 150, 150 + c) = 200;
  }
  find_places(training[0]);
  SampleOptions large = options();
  large.shape = {4, 280, 270};
  large.output_shape = {4, 280, 270};
  const LiveSamples live(folder.path(), classes, training, large, 0);
  const Json index = index_in(folder.path());
  EXPECT_EQ(index.at("tile_pixels"), (Json{256, 256}));
  EXPECT_EQ(index.at("patches").size(), 1U);
  EXPECT_EQ(read_picture(folder.path() / "samples" / "truth.png").channels.shape(),
            (Shape3{3, 35 * 256, 256}));
}

}  // namespace
}  // namespace organon::stages
