#include "organon/nn/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

NetworkInfo small_info() {
  NetworkInfo info;
  info.options.features = {8, 16};
  info.options.pooling = {2};
  info.options.stem = 2;
  info.classes = {"bright", "dark"};
  info.voxel_size_nm = 8;
  return info;
}

NetworkInfo valid_info() {
  NetworkInfo info = small_info();
  info.options.stem = 1;
  info.options.padding = "valid";
  info.options.normalization = "none";
  info.options.skip = "concatenate";
  return info;
}

Array<float> random_cube(std::int64_t edge, Random& random) {
  Array<float> cube(Shape3::cube(edge));
  for (std::int64_t i = 0; i < cube.size(); ++i) cube.data()[i] = static_cast<float>(random.uniform(-1, 1));
  return cube;
}

// Raw of two grey levels in blobs of 4 voxels; targets say which.
TrainingBatch blobs(std::int64_t edge, std::size_t count, std::uint64_t seed) {
  Random random(seed);
  TrainingBatch batch;
  for (std::size_t i = 0; i < count; ++i) {
    Array<float> raw = random_cube(edge, random);
    Array<float> bright(raw.shape());
    Array<float> dark(raw.shape());
    for (std::int64_t z = 0; z < edge; ++z) {
      for (std::int64_t y = 0; y < edge; ++y) {
        for (std::int64_t x = 0; x < edge; ++x) {
          const bool is_bright =
              mix64(seed + i * 4096 + static_cast<std::uint64_t>(z / 4 * 256 + y / 4 * 16 + x / 4)) % 2 == 0;
          raw(z, y, x) = 0.2F * raw(z, y, x) + (is_bright ? 0.5F : -0.5F);
          bright(z, y, x) = is_bright ? 0.8F : -0.8F;
          dark(z, y, x) = -bright(z, y, x);
        }
      }
    }
    batch.raw.push_back(std::move(raw));
    batch.targets.emplace_back();
    batch.targets.back().push_back(std::move(bright));
    batch.targets.back().push_back(std::move(dark));
    batch.masks.emplace_back();
    batch.masks.back().emplace_back(Shape3::cube(edge), std::uint8_t{1});
    batch.masks.back().emplace_back(Shape3::cube(edge), std::uint8_t{1});
  }
  return batch;
}

std::vector<double> train(Network& network, int steps, int threads, std::int64_t edge = 16) {
  std::vector<double> losses;
  OptimizerOptions optimizer;
  optimizer.threads = threads;
  for (int i = 0; i < steps; ++i) {
    const auto seed = static_cast<std::uint64_t>(network.step());
    for (const double loss : network.train_step(blobs(edge, 4, seed), optimizer)) losses.push_back(loss);
  }
  return losses;
}

TEST(Network, LearnsAnEasyTask) {
  Network network(small_info());
  const auto losses = train(network, 60, 2);
  EXPECT_LT(losses[losses.size() - 2], 0.4 * losses[0]);
  EXPECT_LT(losses[losses.size() - 1], 0.4 * losses[1]);
  const TrainingBatch batch = blobs(16, 2, 999);
  std::vector<Array<float>> inputs;
  for (const auto& raw : batch.raw) inputs.push_back(raw.clone());
  const auto predictions = network.predict(inputs);
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < inputs[0].size(); ++i) {
    right += (predictions[0][0].data()[i] > 0) == (batch.targets[0][0].data()[i] > 0);
  }
  EXPECT_GT(static_cast<double>(right), 0.9 * static_cast<double>(inputs[0].size()));
}

TEST(Network, ThreadsChangeNothing) {
  Network one(small_info());
  Network three(small_info());
  EXPECT_EQ(train(one, 4, 1), train(three, 4, 3));
}

TEST(Network, ASavedTrainingGoesOnAlongTheSameCurve) {
  const TemporaryFolder folder;
  Network network(small_info());
  train(network, 3, 2);
  network.save(folder.path() / "a.organon");
  const auto expected = train(network, 3, 2);
  Network loaded = Network::load(folder.path() / "a.organon");
  EXPECT_EQ(loaded.step(), 3);
  EXPECT_EQ(loaded.info().classes, small_info().classes);
  EXPECT_EQ(Network::read_info(folder.path() / "a.organon").options.features, small_info().options.features);
  EXPECT_EQ(train(loaded, 3, 2), expected);
}

TEST(Network, UnannotatedVoxelsHaveNoSay) {
  OptimizerOptions optimizer;
  TrainingBatch batch = blobs(16, 2, 5);
  for (auto& masks : batch.masks) {
    for (std::int64_t i = 0; i < masks[0].size() / 2; ++i) masks[0].data()[i] = 0;
  }
  Network first(small_info());
  const auto expected = first.train_step(batch, optimizer);
  for (auto& targets : batch.targets) {
    for (std::int64_t i = 0; i < targets[0].size() / 2; ++i) targets[0].data()[i] = 1000;
  }
  Network second(small_info());
  EXPECT_EQ(second.train_step(batch, optimizer), expected);
  EXPECT_EQ(second.train_step(batch, optimizer), first.train_step(batch, optimizer));
}

TEST(Network, ALossThatIsNotFiniteNamesStepAndClass) {
  Network network(small_info());
  train(network, 2, 1);
  TrainingBatch batch = blobs(16, 2, 5);
  batch.targets[1][1].data()[7] = std::numeric_limits<float>::quiet_NaN();
  try {
    network.train_step(batch, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_NE(error.message().find("step 3"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("dark"), std::string::npos) << error.message();
  }
  // The weights are those of before.
  Network twin(small_info());
  train(twin, 2, 1);
  EXPECT_EQ(train(network, 1, 1), train(twin, 1, 1));
}

TEST(Network, FilesThatDoNotFitAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.organon";
  Network(small_info()).save(path);
  const NetworkFile good = decode_network(read_text(path), "a");
  NetworkFile renamed = good;
  renamed.tensors[1].name = "other";
  NetworkFile shortened = good;
  shortened.tensors[0].values.pop_back();
  NetworkFile fewer = good;
  fewer.tensors.pop_back();
  for (const NetworkFile& bad : {renamed, shortened, fewer}) {
    write_text_atomically(path, encode_network(bad), Fsync::kNo);
    try {
      Network::load(path);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
  EXPECT_THROW(Network::load(folder.path() / "none"), Error);
}

TEST(Network, ValidTilesAgreeWhereTheyOverlap) {
  const NetworkInfo info = valid_info();
  const Network network(info);
  const std::int64_t input = 32;
  const std::int64_t output = output_edge(info.options, input);
  ASSERT_GT(output, 4);
  Random random(3);
  const Array<float> volume = random_cube(input + 4, random);
  const auto tile = [&](std::int64_t shift) {
    Array<float> cube(Shape3::cube(input));
    copy_voxels<float>(volume.view().part(Box::at({shift, shift, shift}, cube.shape())), cube);
    return cube;
  };
  std::vector<Array<float>> inputs;
  inputs.push_back(tile(0));
  inputs.push_back(tile(4));
  const auto results = network.predict(inputs);
  ASSERT_EQ(results[0][0].shape(), Shape3::cube(output));
  for (std::int64_t z = 0; z + 4 < output; ++z) {
    for (std::int64_t y = 0; y + 4 < output; ++y) {
      for (std::int64_t x = 0; x + 4 < output; ++x) {
        ASSERT_NEAR(results[0][1](z + 4, y + 4, x + 4), results[1][1](z, y, x), 1e-5);
      }
    }
  }
}

TEST(Network, OutputsDependOnNothingBeyondTheReceptiveRadius) {
  NetworkInfo info = small_info();
  info.options.features = {4, 4};
  const Network network(info);
  const std::int64_t radius = receptive_radius(info.options);
  const std::int64_t edge = 64;
  Random random(8);
  std::vector<Array<float>> inputs;
  inputs.push_back(random_cube(edge, random));
  inputs.push_back(inputs[0].clone());
  inputs[1](10, 32, 32) += 2;
  const auto results = network.predict(inputs);
  std::int64_t reach = 0;
  for (std::int64_t z = 0; z < edge; ++z) {
    for (std::int64_t i = 0; i < edge * edge; ++i) {
      const std::int64_t at = z * edge * edge + i;
      if (std::abs(results[0][0].data()[at] - results[1][0].data()[at]) > 1e-6)
        reach = std::max(reach, z - 10);
    }
  }
  EXPECT_LE(reach, radius);
  EXPECT_GT(reach, radius / 3);
}

TEST(Network, TakesInputsThatAreNoCubes) {
  const Network network(small_info());
  std::vector<Array<float>> inputs;
  inputs.emplace_back(Shape3{8, 16, 24}, 0.5F);
  EXPECT_EQ(network.predict(inputs)[0][1].shape(), (Shape3{8, 16, 24}));
}

TEST(Network, ThePaperNetworkTurns216Into36) {
  NetworkInfo info;
  info.options = paper_network();
  info.options.features = {1, 1, 2, 2};  // as the paper in all but the numbers of maps
  info.options.last_features = 2;
  info.classes = {"mito"};
  const Network network(info);
  std::vector<Array<float>> inputs;
  inputs.emplace_back(Shape3::cube(216), 0.25F);
  inputs.emplace_back(Shape3::cube(216), 0.25F);
  EXPECT_EQ(network.predict(inputs)[0][0].shape(), Shape3::cube(36));
}

}  // namespace
}  // namespace organon::nn
