#include "organon/nn/predictor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/error.h"
#include "organon/base/files.h"
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
  const auto predictor = load_predictor(path, "cpu");
  const Array<float> input = ramp({4, 6, 8});
  const auto found = predictor->predict(ramps({4, 6, 8}, 2));
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
  const auto predictor = load_predictor(path, "");
  const Array<float> input = ramp({5, 6, 8});
  const auto found = predictor->predict(ramps({5, 6, 8}, 1));
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
      load_predictor(path, "cpu")->predict(ramps({4, 4, 4}, 1));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      EXPECT_NE(error.message().find("model.pt"), std::string::npos);
      return error.message();
    }
    return std::string();
  };
  EXPECT_EQ(message("  return x\n"), "");
  EXPECT_NE(message("  return x[:, :, 1:]\n").find("expected 1 outputs"), std::string::npos);
  EXPECT_NE(message("  return x[:, 1:]\n").find("1 channels or more"), std::string::npos);
  EXPECT_NE(message("  return torch.mm(x, x)\n").find("it fails on an input"), std::string::npos);
  write_text_atomically(folder.path() / "model.pt", "no archive");
  EXPECT_THROW(load_predictor(folder.path() / "model.pt", "cpu"), Error);
  std::filesystem::remove(folder.path() / "model.json");
  EXPECT_THROW(read_predictor_info(folder.path() / "model.pt"), Error);
}

TEST(Predictor, ANetworkPredictsAsItself) {
  const TemporaryFolder folder;
  NetworkInfo info;
  info.options.features = {4, 6};
  info.options.pooling = {"2"};
  info.classes = {"a"};
  info.voxel_size_nm = {8, 8, 8};
  const Network network(info);
  network.save(folder.path() / "network.organon");
  const PredictorInfo read = read_predictor_info(folder.path() / "network.organon");
  ASSERT_TRUE(read.network.has_value());
  EXPECT_EQ(read.classes, info.classes);
  const auto inputs = ramps({8, 8, 8}, 2);
  const auto expected = network.predict(inputs);
  const auto found = load_predictor(folder.path() / "network.organon", "cpu")->predict(inputs);
  for (std::int64_t i = 0; i < expected[0][0].size(); ++i)
    ASSERT_EQ(found[0][0].data()[i], expected[0][0].data()[i]);
}

}  // namespace
}  // namespace organon::nn
