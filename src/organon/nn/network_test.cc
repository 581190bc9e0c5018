#include "organon/nn/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

NetworkInfo small_info() {
  NetworkInfo info;
  info.options.features = {8, 16};
  info.options.pooling = {"2"};
  info.options.stem = 2;
  info.classes = {"bright", "dark"};
  info.voxel_size_nm = {8, 8, 8};
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

TEST(Network, SettledItLearnsFromWhatPredictionsSee) {
  Network network(small_info());
  train(network, 20, 1);
  // Samples unlike each other, which their own statistics would hide.
  TrainingBatch batch = blobs(16, 4, 77);
  for (std::int64_t k = 0; k < batch.raw[0].size(); ++k) batch.raw[0].data()[k] += 2;
  OptimizerOptions still;
  still.learning_rate = 0;
  still.average = 0;  // what predicts has the weights of the last step
  still.least_share = 0.5;
  const std::vector<double> by_pairs = network.train_step(batch, still);
  std::vector<Array<float>> inputs;
  for (const auto& raw : batch.raw) inputs.push_back(raw.clone());
  const auto predictions = network.predict(inputs);
  std::vector<double> expected(2, 0);
  for (std::size_t c = 0; c < 2; ++c) {
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::int64_t k = 0; k < inputs[i].size(); ++k) {
        const double error = predictions[i][c].data()[k] - batch.targets[i][c].data()[k];
        expected[c] += error * error / static_cast<double>(4 * inputs[i].size());
      }
    }
  }
  still.is_settled = true;
  const std::vector<double> settled = network.train_step(batch, still);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(settled[c], expected[c], 1e-4 * expected[c]);
    EXPECT_GT(std::abs(by_pairs[c] - expected[c]), 0.02 * expected[c]);
  }
  still.threads = 2;
  EXPECT_EQ(network.train_step(batch, still), settled);  // and the statistics stay
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

TEST(Network, WhatIsSavedForPredictionPredictsAlikeAndIsAQuarter) {
  const TemporaryFolder folder;
  Network network(small_info());
  train(network, 3, 2);
  network.save(folder.path() / "whole.organon");
  network.save_for_prediction(folder.path() / "a.organon");
  EXPECT_LT(std::filesystem::file_size(folder.path() / "a.organon"),
            std::filesystem::file_size(folder.path() / "whole.organon") * 3 / 10);
  const Network loaded = Network::load(folder.path() / "a.organon");
  EXPECT_EQ(loaded.step(), 3);
  const TrainingBatch batch = blobs(16, 2, 999);
  const auto expected = network.predict(batch.raw);
  const auto found = loaded.predict(batch.raw);
  for (std::size_t c = 0; c < 2; ++c) {
    for (std::int64_t i = 0; i < expected[0][c].size(); ++i)
      ASSERT_EQ(found[0][c].data()[i], expected[0][c].data()[i]);
  }
}

TEST(Network, PredictionsAreLessTheBoundaryLevelsAndTrainingKnowsNothingOfThem) {
  const TemporaryFolder folder;
  Network network(small_info());
  train(network, 3, 2);
  const TrainingBatch batch = blobs(16, 2, 999);
  const auto plain = network.predict(batch.raw);
  network.set_boundary_levels({-0.25, 0.125});
  network.save(folder.path() / "a.organon");
  Network loaded = Network::load(folder.path() / "a.organon");
  const auto lowered = loaded.predict(batch.raw);
  for (std::int64_t i = 0; i < plain[0][0].size(); ++i) {
    ASSERT_EQ(lowered[1][0].data()[i], plain[1][0].data()[i] + 0.25F);
    ASSERT_EQ(lowered[1][1].data()[i], plain[1][1].data()[i] - 0.125F);
  }
  network.set_boundary_levels({});
  EXPECT_EQ(train(loaded, 3, 2), train(network, 3, 2));
  EXPECT_EQ(loaded.hash(), network.hash());
}

TEST(Network, ATrainingStartsFromANetworkOfOtherClasses) {
  const TemporaryFolder folder;
  Network network(small_info());
  train(network, 20, 2);
  const auto path = folder.path() / "a.organon";
  network.save_for_prediction(path);
  const TrainingBatch batch = blobs(16, 2, 999);
  const auto expected = network.predict(batch.raw);
  NetworkInfo info = small_info();
  info.seed = 99;
  info.classes = {"another", info.classes[0]};
  Network started = Network::start_from(path, info);
  EXPECT_EQ(started.step(), 0);
  EXPECT_EQ(started.info().classes, info.classes);
  const auto found = started.predict(batch.raw);
  for (std::int64_t i = 0; i < expected[0][0].size(); ++i)
    ASSERT_EQ(found[0][1].data()[i], expected[0][0].data()[i]);
  train(started, 2, 2);

  info.classes = {"another"};
  EXPECT_THROW(Network::start_from(path, info), Error);
  info = small_info();
  info.options.features.back() += 8;
  EXPECT_THROW(Network::start_from(path, info), Error);
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

// A network whose every weight is set by `value`(name, index, number of values), and every bias is 0.
Network with_weights(
    const NetworkInfo& info,
    const std::function<float(const std::string& name, std::size_t index, std::size_t count)>& value) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.organon";
  Network(info).save(path);
  NetworkFile file = decode_network(read_text(path), "a");
  for (auto& tensor : file.tensors) {
    if (!tensor.name.starts_with("mean.")) continue;
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      tensor.values[i] = tensor.name.ends_with("bias") ? 0 : value(tensor.name, i, tensor.values.size());
    }
  }
  write_text_atomically(path, encode_network(file), Fsync::kNo);
  return Network::load(path);
}

// As the paper's network joins its ways, but small: 36 -> 6, 42 -> 12, 48 -> 18.
NetworkInfo small_paper(const std::string& alignment) {
  NetworkInfo info;
  info.options = paper_network();
  info.options.features = {2, 3, 4};
  info.options.pooling = {"2", "3"};
  info.options.convolutions = 1;
  info.options.last_features = 3;
  info.options.alignment = alignment;
  info.classes = {"mito"};
  info.voxel_size_nm = {8, 8, 8};
  return info;
}

Array<float> mirrored(const Array<float>& cube) {
  Array<float> result(cube.shape());
  std::reverse_copy(cube.data(), cube.data() + cube.size(), result.data());
  return result;
}

// Largest difference of a network's prediction of a mirrored input from the mirrored prediction.
double asymmetry(const NetworkInfo& info, std::int64_t edge) {
  // Random, but equal for taps at equal distances from a kernel's centre.
  const Network network = with_weights(info, [](const std::string& name, std::size_t index,
                                                std::size_t count) {
    std::size_t tap = index;
    if (name.find("convolution") != std::string::npos && count % 27 == 0) {
      tap = std::min(index % 27, 26 - index % 27) + index / 27 * 27;
    }
    return static_cast<float>(static_cast<double>(mix64(tap * 31 + name.size() * 7919) % 2001) / 5000 - 0.17);
  });
  Random random(6);
  std::vector<Array<float>> inputs;
  inputs.push_back(random_cube(edge, random));
  inputs.push_back(mirrored(inputs[0]));
  const auto outputs = network.predict(inputs);
  const Array<float> turned = mirrored(outputs[1][0]);
  double most = 0;
  double spread = 0;
  for (std::int64_t i = 0; i < turned.size(); ++i) {
    const double value = outputs[0][0].data()[i];
    most = std::max(most, std::abs(value - turned.data()[i]));
    spread = std::max(spread, std::abs(value - outputs[0][0].data()[0]));
  }
  EXPECT_GT(spread, 0.01);
  return most / spread;
}

TEST(Network, SymmetricWeightsCommuteWithMirroringWhereWaysAreCentred) {
  constexpr double kRounding = 1e-4;
  for (const std::int64_t edge : {42, 48}) {
    EXPECT_LT(asymmetry(small_paper("centred"), edge), kRounding);
    EXPECT_GT(asymmetry(small_paper("paper"), edge), 0.05);
  }
  NetworkInfo fine = small_paper("centred");
  fine.options.output_scale = 2;
  EXPECT_LT(asymmetry(fine, 42), kRounding);
  NetworkInfo odd = small_paper("centred");
  odd.options.pooling = {"3", "3"};
  const Shape3 input = smallest_input(odd.options, Shape3::cube(9));
  EXPECT_LT(asymmetry(odd, input.z), kRounding);
}

// Passes on what one of the ways brings: taps in the centres of kernels, the other way's maps at 0.
float centre_tap(const NetworkInfo& info, bool is_deep, const std::string& name, std::size_t index) {
  if (name.find("convolution") == std::string::npos) return 1;
  if (index % 27 != 13) return 0;
  if (name.find("up0.convolution0") == std::string::npos) return 1;
  const auto own = static_cast<std::size_t>(info.options.features[0]);
  const auto joined = own + static_cast<std::size_t>(info.options.up_features(0));
  return (index / 27 % joined >= own) == is_deep ? 1 : 0;
}

TEST(Network, ThePaperAlignmentShiftsTheDeepWayByOneVoxel) {
  Random random(2);
  std::vector<Array<float>> inputs;
  inputs.push_back(random_cube(48, random));
  const auto predict = [&](const std::string& alignment, bool is_deep) {
    const NetworkInfo info = small_paper(alignment);
    return std::move(with_weights(info, [&](const std::string& name, std::size_t index, std::size_t) {
                       return centre_tap(info, is_deep, name, index);
                     }).predict(inputs)[0][0]);
  };
  const Array<float> centred = predict("centred", true);
  const Array<float> shifted = predict("paper", true);
  const std::int64_t edge = centred.shape().z;
  ASSERT_EQ(edge, 18);
  int differ = 0;
  for (std::int64_t z = 1; z < edge; ++z) {
    for (std::int64_t y = 1; y < edge; ++y) {
      for (std::int64_t x = 1; x < edge; ++x) {
        ASSERT_EQ(shifted(z, y, x), centred(z - 1, y - 1, x - 1));
        differ += shifted(z, y, x) != centred(z, y, x) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(differ, 0);
  const Array<float> one = predict("centred", false);
  const Array<float> other = predict("paper", false);
  for (std::int64_t i = 0; i < one.size(); ++i) ASSERT_EQ(one.data()[i], other.data()[i]);
}

TEST(Network, ABrightVoxelComesOutWhereItsCentreIs) {
  for (const std::int64_t scale : {1, 2}) {
    NetworkInfo info = small_paper("centred");
    info.options.output_scale = scale;
    const Network network = with_weights(info, [&](const std::string& name, std::size_t index, std::size_t) {
      return centre_tap(info, false, name, index);
    });
    const Index3 bright{20, 24, 27};
    std::vector<Array<float>> inputs;
    inputs.emplace_back(Shape3::cube(48));
    inputs[0](bright) = 1;
    const auto output = std::move(network.predict(inputs)[0][0]);
    const auto shapes = shapes_of(info.options, Shape3::cube(48));
    ASSERT_EQ(output.shape(), shapes->output);
    const VoxelGrid raw{{8, 8, 8}, {100, 200, 300}};
    const VoxelGrid fine = raw.refined(Shape3::cube(scale));
    std::int64_t count = 0;
    for (std::int64_t z = 0; z < output.shape().z; ++z) {
      for (std::int64_t y = 0; y < output.shape().y; ++y) {
        for (std::int64_t x = 0; x < output.shape().x; ++x) {
          const PointNm centre = fine.to_nm(shapes->output_begin + Index3{z, y, x});
          const bool is_bright = raw.voxel_containing(centre) == bright;
          ASSERT_EQ(output(z, y, x) > 0, is_bright) << z << " " << y << " " << x;
          count += is_bright ? 1 : 0;
        }
      }
    }
    EXPECT_EQ(count, scale * scale * scale);
  }
}

TEST(Network, OutputsDependOnNothingBeyondTheReceptiveRadius) {
  NetworkInfo info = small_info();
  info.options.features = {4, 4};
  const Network network(info);
  const std::int64_t radius = receptive_radius(info.options).z;
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

// As the paper's in all but the numbers of maps. Tiles shifted by a whole step of the coarsest level agree.
TEST(Network, ThePaperNetworkTurns216Into36AndItsTilesAgree) {
  NetworkInfo info;
  info.options = paper_network();
  info.options.features = {1, 1, 2, 2};
  info.options.last_features = 2;
  info.classes = {"mito"};
  const Network network(info);
  Random random(3);
  const Array<float> volume = random_cube(216 + 18, random);
  std::vector<Array<float>> inputs;
  for (const std::int64_t shift : {0, 18}) {
    inputs.emplace_back(Shape3::cube(216));
    copy_voxels<float>(volume.view().part(Box::at(Index3::cube(shift), Shape3::cube(216))), inputs.back());
  }
  const auto results = network.predict(inputs);
  ASSERT_EQ(results[0][0].shape(), Shape3::cube(36));
  double spread = 0;
  for (std::int64_t z = 0; z < 18; ++z) {
    for (std::int64_t y = 0; y < 18; ++y) {
      for (std::int64_t x = 0; x < 18; ++x) {
        ASSERT_NEAR(results[0][0](z + 18, y + 18, x + 18), results[1][0](z, y, x), 1e-5);
        spread =
            std::max(spread, std::abs(static_cast<double>(results[1][0](z, y, x) - results[1][0](0, 0, 0))));
      }
    }
  }
  EXPECT_GT(spread, 1e-3);
}

TEST(Network, EveryNormalizationLearnsAndIsSaved) {
  for (const char* normalization : {"batch", "group", "instance", "none"}) {
    NetworkInfo info = small_info();
    info.options.normalization = normalization;
    info.options.pooling = {"1x2x2"};
    info.options.kernels = {"1x3x3", "3"};
    Network network(info);
    const auto losses = train(network, 30, 1);
    EXPECT_LT(losses[losses.size() - 1], 0.9 * losses[1]) << normalization;
    const TemporaryFolder folder;
    network.save(folder.path() / "a.organon");
    Random random(1);
    std::vector<Array<float>> inputs;
    inputs.push_back(random_cube(16, random));
    const auto expected = network.predict(inputs);
    const auto found = Network::load(folder.path() / "a.organon").predict(inputs);
    for (std::int64_t i = 0; i < found[0][0].size(); ++i)
      ASSERT_EQ(found[0][0].data()[i], expected[0][0].data()[i]);
  }
}

// A processor without instructions for it computes the same, slowly.
TEST(Network, LearnsInBfloat16) {
  OptimizerOptions optimizer;
  optimizer.precision = Precision::kBfloat16;
  try {
    trains_in_bfloat16("cpu", Precision::kBfloat16);
  } catch (const Error& error) {
    Network network(small_info());
    EXPECT_THROW(network.train_step(blobs(16, 2, 1), optimizer), Error);
    GTEST_SKIP() << error.what();
  }
  EXPECT_FALSE(trains_in_bfloat16("cpu", Precision::kAuto));
  EXPECT_FALSE(trains_in_bfloat16("cpu_bfloat16", Precision::kAuto));
  EXPECT_TRUE(trains_in_bfloat16("cuda", Precision::kAuto));
  for (const char* normalization : {"batch", "group", "instance", "none"}) {
    SCOPED_TRACE(normalization);
    NetworkInfo info = small_info();
    info.options.normalization = normalization;
    info.options.output_scale = 1;
    Network network(info), exact(info);
    const TrainingBatch batch = blobs(16, 4, 3);
    const auto first = network.train_step(batch, optimizer);
    const auto expected = exact.train_step(batch, {});
    EXPECT_NE(first, expected);
    for (std::size_t c = 0; c < first.size(); ++c) EXPECT_NEAR(first[c], expected[c], 0.01 * expected[c]);
    // What is kept is float32, and a training goes on from it.
    const TemporaryFolder folder;
    network.save(folder.path() / "a.organon");
    Network loaded = Network::load(folder.path() / "a.organon");
    EXPECT_EQ(loaded.train_step(batch, optimizer), network.train_step(batch, optimizer));
    std::vector<double> last, last_expected;
    for (int i = 0; i < 30; ++i) {
      last = network.train_step(batch, optimizer);
      last_expected = exact.train_step(batch, {});
    }
    EXPECT_LT(last[0], 0.7 * first[0]);
    EXPECT_NEAR(last[0], last_expected[0], 0.1 * first[0]);
  }
}

TEST(Network, FinerOutputsLearn) {
  NetworkInfo info = small_info();
  info.options.output_scale = 2;
  Network network(info);
  TrainingBatch batch = blobs(32, 2, 4);
  for (Array<float>& raw : batch.raw) {
    Array<float> coarse(Shape3::cube(16));
    for (std::int64_t z = 0; z < 16; ++z) {
      for (std::int64_t y = 0; y < 16; ++y) {
        for (std::int64_t x = 0; x < 16; ++x) coarse(z, y, x) = raw(2 * z, 2 * y, 2 * x);
      }
    }
    raw = std::move(coarse);
  }
  const auto first = network.train_step(batch, {});
  std::vector<double> last;
  for (int i = 0; i < 30; ++i) last = network.train_step(batch, {});
  EXPECT_LT(last[0], 0.6 * first[0]);
}

}  // namespace
}  // namespace organon::nn
