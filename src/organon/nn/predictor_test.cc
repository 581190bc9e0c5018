#include "organon/nn/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/nn/network.h"
#include "organon/nn/torch.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

// A module as another program saves one, from its source.
std::filesystem::path store_module(const std::filesystem::path& folder, const std::string& forward,
                                   const std::string& info) {
  std::filesystem::create_directories(folder);
  torch::jit::Module module("lab");
  module.register_parameter("half", torch::full({1}, 0.5), false);
  module.define("def forward(self, x):\n" + forward);
  module.save((folder / "model.pt").string());
  write_text_atomically(folder / "model.json", info);
  return folder / "model.pt";
}

Array<float> ramp(const Shape3& shape) {
  Array<float> values(shape);
  for (std::int64_t i = 0; i < values.size(); ++i)
    values.data()[i] = static_cast<float>(i) / static_cast<float>(values.size()) * 2 - 1;
  return values;
}

std::vector<Array<float>> ramps(const Shape3& shape, int count) {
  std::vector<Array<float>> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(ramp(shape));
  return inputs;
}

TEST(Predictor, AModuleGetsItsRangeAndGivesItsChannels) {
  const TemporaryFolder folder;
  // Two channels of what lies in the middle: half of the input, and the input itself.
  const auto path = store_module(
      folder.path(), "  y = x[:, :, 1:-1, 2:-2, 1:-1]\n  return torch.cat([self.half * y, y], 1)\n",
      R"({"classes": ["b", "a"], "voxel_size_nm": [8, 4, 4], "input_shape": [4, 6, 8], "output_shape": [2, 2, 6],
          "value_range": [0, 1], "output": "probability", "channels": [1, 0]})");
  const PredictorInfo info = read_predictor_info(path);
  EXPECT_EQ(info.classes, (std::vector<std::string>{"b", "a"}));
  EXPECT_FALSE(info.network.has_value());
  const Predictor predictor({path}, {"cpu"});
  const Array<float> input = ramp({4, 6, 8});
  const auto found = predictor.predict(ramps({4, 6, 8}, 2));
  ASSERT_EQ(found.size(), 2U);
  ASSERT_EQ(found[1].size(), 2U);
  ASSERT_EQ(found[1][0].shape(), (Shape3{2, 2, 6}));
  for (std::int64_t z = 0; z < 2; ++z) {
    for (std::int64_t y = 0; y < 2; ++y) {
      for (std::int64_t x = 0; x < 6; ++x) {
        const float grey = (input(z + 1, y + 2, x + 1) + 1) / 2;
        EXPECT_NEAR(found[1][0](z, y, x), 2 * grey - 1, 1e-6);
        EXPECT_NEAR(found[1][1](z, y, x), 2 * 0.5F * grey - 1, 1e-6);
      }
    }
  }
}

TEST(Predictor, SlicesAreABatchAndLogitsAreSquashed) {
  const TemporaryFolder folder;
  const auto path = store_module(folder.path(), "  return torch.cat([x, 3 * x], 1)\n",
                                 R"({"classes": ["a"], "voxel_size_nm": 8, "input_shape": [1, 6, 8],
          "output_shape": [1, 6, 8], "output": "logit", "channels": [1], "slice_wise": true})");
  const Predictor predictor({path}, {""});
  const Array<float> input = ramp({5, 6, 8});
  const auto found = predictor.predict(ramps({5, 6, 8}, 1));
  ASSERT_EQ(found[0][0].shape(), (Shape3{5, 6, 8}));
  for (std::int64_t i = 0; i < input.size(); ++i)
    EXPECT_NEAR(found[0][0].data()[i], 2 / (1 + std::exp(-3 * input.data()[i])) - 1, 1e-5);
}

TEST(Predictor, ModulesThatDoNotKeepTheirWordAreNamed) {
  const TemporaryFolder folder;
  const std::string info =
      R"({"classes": ["a"], "voxel_size_nm": 8, "input_shape": [4, 4, 4], "output_shape": [4, 4, 4]})";
  const auto message = [&](const std::string& forward) {
    const auto path = store_module(folder.path(), forward, info);
    try {
      Predictor({path}, {"cpu"}).predict(ramps({4, 4, 4}, 1));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      EXPECT_NE(error.message().find("model.pt"), std::string::npos);
      return error.message();
    }
    return std::string();
  };
  EXPECT_EQ(message("  return x\n"), "");
  EXPECT_NE(message("  return x[:, :, 1:]\n").find("4 x 4 x 4 voxels for a batch"), std::string::npos);
  EXPECT_NE(message("  return x[:, 1:]\n").find("1 channels or more"), std::string::npos);
  EXPECT_NE(message("  return torch.mm(x, x)\n").find("it fails on an input"), std::string::npos);
  write_text_atomically(folder.path() / "model.pt", "no archive");
  EXPECT_THROW(Predictor({folder.path() / "model.pt"}, {"cpu"}), Error);
  std::filesystem::remove(folder.path() / "model.json");
  EXPECT_THROW(read_predictor_info(folder.path() / "model.pt"), Error);
}

// Learned for a few steps, so that means and variances are not those of a new network.
void store_network(const std::filesystem::path& path, std::uint64_t seed, const std::string& normalization) {
  NetworkInfo info;
  info.options.features = {4, 6};
  info.options.pooling = {"2"};
  info.options.stem = 2;
  info.options.normalization = normalization;
  info.classes = {"a", "b"};
  info.voxel_size_nm = {8, 8, 8};
  info.seed = seed;
  Network network(info, "cpu");
  Random random(seed);
  for (int step = 0; step < 10; ++step) {
    TrainingBatch batch;
    for (int i = 0; i < 2; ++i) {
      batch.raw.emplace_back(Shape3::cube(16));
      batch.targets.emplace_back();
      batch.masks.emplace_back();
      for (int c = 0; c < 2; ++c) {
        batch.targets.back().emplace_back(Shape3::cube(16));
        batch.masks.back().emplace_back(Shape3::cube(16), std::uint8_t{1});
      }
      for (std::int64_t k = 0; k < batch.raw.back().size(); ++k) {
        const auto value = static_cast<float>(random.uniform(-1, 1));
        batch.raw.back().data()[k] = value;
        batch.targets.back()[0].data()[k] = value > 0.2F ? 0.9F : -0.9F;
        batch.targets.back()[1].data()[k] = value < 0.5F ? 0.9F : -0.9F;
      }
    }
    network.train_step(batch, {});
  }
  network.save(path);
}

Array<std::uint8_t> noise(const Shape3& shape) {
  Random random(3);
  Array<std::uint8_t> grey(shape);
  for (std::int64_t i = 0; i < grey.size(); ++i)
    grey.data()[i] = static_cast<std::uint8_t>(random.below(256));
  return grey;
}

Array<float> normalized(const Array<std::uint8_t>& grey, float low, float high) {
  Array<float> values(grey.shape());
  const float scale = 2 / (high - low);
  for (std::int64_t i = 0; i < grey.size(); ++i)
    values.data()[i] = std::clamp((static_cast<float>(grey.data()[i]) - low) * scale - 1, -1.0F, 1.0F);
  return values;
}

std::uint8_t byte_of(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::round(128.0F * value + 127.0F), 0.0F, 255.0F));
}

void for_each_index(const Shape3& shape, const std::function<void(const Index3&)>& visit) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) visit({z, y, x});
    }
  }
}

const PredictorOptions kFloat32{"cpu", Precision::kFloat32};

TEST(Predictor, ANetworkPredictsAsItself) {
  for (const char* normalization : {"batch", "group", "none"}) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "network.organon";
    store_network(path, 1, normalization);
    NetworkFile with_levels = decode_network(read_text(path), "network");
    with_levels.info.boundary_levels = {0.0625, -0.25};
    write_text_atomically(path, encode_network(with_levels));
    const PredictorInfo read = read_predictor_info(path);
    ASSERT_TRUE(read.network.has_value());
    EXPECT_EQ(read.classes, (std::vector<std::string>{"a", "b"}));
    std::vector<Array<float>> inputs;
    inputs.push_back(normalized(noise({8, 16, 12}), 20, 220));
    inputs.push_back(ramp({8, 16, 12}));
    const auto expected = Network::load(path, "cpu").predict(inputs);
    const auto found = Predictor({path}, kFloat32).predict(inputs);
    ASSERT_EQ(found.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(found[i].size(), 2U);
      for (std::size_t c = 0; c < 2; ++c) {
        // Not bit by bit: normalization became part of the weights.
        for (std::int64_t k = 0; k < expected[i][c].size(); ++k)
          ASSERT_NEAR(found[i][c].data()[k], expected[i][c].data()[k], 2e-5) << normalization;
      }
    }
  }
}

// The twin turns, adds, cuts and rounds voxel by voxel.
TEST(Predictor, BytesAreTheRoundedMeanOfCopiesAndNetworks) {
  const TemporaryFolder folder;
  const std::vector<std::filesystem::path> paths = {folder.path() / "1.organon", folder.path() / "2.organon"};
  store_network(paths[0], 1, "batch");
  store_network(paths[1], 2, "batch");
  const Shape3 shape{8, 16, 12};
  const Array<std::uint8_t> grey = noise(shape);
  const Array<float> raw = normalized(grey, 20, 220);
  const Box inner{{1, 2, 5}, {6, 15, 8}};
  const Predictor both(paths, kFloat32);
  std::vector<Predictor> each;
  for (const auto& path : paths) each.emplace_back(std::vector{path}, kFloat32);
  const int mirrors[] = {0, 7, 1, 6, 2, 5, 4, 3};
  for (const int flips : {1, 2, 4, 8}) {
    const PredictedBytes found = both.predict_bytes(raw, flips, inner);
    const PredictedBytes of_grey = both.predict_bytes(grey, {20, 220}, flips, inner);
    ASSERT_EQ(found.num_classes(), 2U);
    std::vector<Array<float>> sums;
    for (int c = 0; c < 2; ++c) sums.emplace_back(shape);
    for (int i = 0; i < flips; ++i) {
      const auto turned = [&](const Index3& at) {
        return Index3{(mirrors[i] & 4) != 0 ? shape.z - 1 - at.z : at.z,
                      (mirrors[i] & 2) != 0 ? shape.y - 1 - at.y : at.y,
                      (mirrors[i] & 1) != 0 ? shape.x - 1 - at.x : at.x};
      };
      std::vector<Array<float>> inputs;
      inputs.emplace_back(shape);
      for_each_index(shape, [&](const Index3& at) { inputs[0](at) = raw(turned(at)); });
      for (const Predictor& one : each) {
        const auto outputs = one.predict(inputs);
        for (std::size_t c = 0; c < 2; ++c)
          for_each_index(shape, [&](const Index3& at) { sums[c](at) += outputs[0][c](turned(at)); });
      }
    }
    for (std::size_t c = 0; c < 2; ++c) {
      ASSERT_EQ(found.of_class(c).shape(), inner.shape());
      for_each_index(inner.shape(), [&](const Index3& at) {
        ASSERT_EQ(found.of_class(c)(at),
                  byte_of(sums[c](at + inner.begin) / (2 * static_cast<float>(flips))));
        ASSERT_EQ(of_grey.of_class(c)(at), found.of_class(c)(at));
      });
    }
  }
}

TEST(Predictor, HalvesAreRoundedAwayFromZeroAndTheRestIsClipped) {
  const TemporaryFolder folder;
  const auto path = store_module(folder.path(), "  return x\n",
                                 R"({"classes": ["a"], "voxel_size_nm": 8, "input_shape": [1, 1, 1024],
          "output_shape": [1, 1, 1024]})");
  const Predictor predictor({path}, kFloat32);
  Array<float> input({1, 1, 1024});
  for (std::int64_t i = 0; i < 1024; ++i) input(0, 0, i) = (static_cast<float>(i) / 2 - 256) / 128;
  const PredictedBytes found = predictor.predict_bytes(input, 1, Box::of_shape(input.shape()));
  for (std::int64_t i = 0; i < 1024; ++i) ASSERT_EQ(found.of_class(0)(0, 0, i), byte_of(input(0, 0, i))) << i;
}

TEST(Predictor, Bfloat16StaysNearFloat32) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "network.organon";
  store_network(path, 1, "batch");
  std::unique_ptr<Predictor> rounded;
  try {
    rounded = std::make_unique<Predictor>(std::vector{path}, PredictorOptions{"cpu", Precision::kBfloat16});
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    GTEST_SKIP() << error.message();
  }
  const Array<std::uint8_t> grey = noise({16, 32, 24});
  const Box all = Box::of_shape(grey.shape());
  const PredictedBytes expected = Predictor({path}, kFloat32).predict_bytes(grey, {20, 220}, 2, all);
  const PredictedBytes found = rounded->predict_bytes(grey, {20, 220}, 2, all);
  // Rounded to 8 bits of mantissa layer by layer; the more layers, the more.
  constexpr int kTolerance = 4;
  std::int64_t num_different = 0;
  for (std::size_t c = 0; c < 2; ++c) {
    for_each_index(grey.shape(), [&](const Index3& at) {
      ASSERT_NEAR(found.of_class(c)(at), expected.of_class(c)(at), kTolerance);
      num_different += found.of_class(c)(at) != expected.of_class(c)(at) ? 1 : 0;
    });
  }
  EXPECT_GT(num_different, 0);
}

TEST(Predictor, PrecisionsAndDevicesThatDoNotGoTogetherAreRefused) {
  EXPECT_EQ(prediction_device_types(Precision::kAuto),
            (std::vector<std::string>{"cuda", "cpu_bfloat16", "cpu"}));
  EXPECT_EQ(prediction_device_types(Precision::kFloat32), device_types());
  EXPECT_FALSE(computes_bfloat16("cpu", Precision::kAuto));
  EXPECT_TRUE(computes_bfloat16("cpu_bfloat16", Precision::kAuto));
  EXPECT_TRUE(computes_bfloat16("cuda", Precision::kAuto));
  EXPECT_FALSE(computes_bfloat16("cuda", Precision::kFloat32));
  EXPECT_THROW(precision_named("float16"), Error);
  const TemporaryFolder folder;
  const auto path = folder.path() / "network.organon";
  store_network(path, 1, "none");
  EXPECT_THROW(Predictor({path}, {"cpu_bfloat16", Precision::kFloat32}), Error);
  EXPECT_THROW(Predictor({path}, {"abacus", Precision::kAuto}), Error);
  const auto module = store_module(folder.path(), "  return x\n",
                                   R"({"classes": ["a"], "voxel_size_nm": 8, "input_shape": [4, 4, 4],
          "output_shape": [4, 4, 4]})");
  EXPECT_THROW(Predictor({module}, {"cpu", Precision::kBfloat16}), Error);
}

TEST(Predictor, NetworksThatLackTheirMeanAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "network.organon";
  store_network(path, 1, "none");
  NetworkFile file = decode_network(read_text(path), "network");
  file.tensors.pop_back();
  write_text_atomically(path, encode_network(file));
  EXPECT_NO_THROW(Predictor({path}, kFloat32)) << "what the optimiser knows is not needed";
  std::erase_if(file.tensors,
                [](const NetworkFile::Tensor& tensor) { return tensor.name == "mean.head.bias"; });
  write_text_atomically(path, encode_network(file));
  EXPECT_THROW(Predictor({path}, kFloat32), Error);
}

}  // namespace
}  // namespace organon::nn
