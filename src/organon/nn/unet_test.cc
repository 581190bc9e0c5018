#include "organon/nn/unet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "organon/base/random.h"
#include "organon/nn/network_cost.h"

namespace organon::nn {
namespace {

std::int64_t counted_parameters(const NetworkOptions& options, std::int64_t num_classes) {
  UNet network(options, num_classes);
  std::int64_t sum = 0;
  for (const torch::Tensor& weight : network->parameters()) sum += weight.numel();
  return sum;
}

TEST(UNet, HasTheNumberOfParametersThatIsStated) {
  // The paper's topology with fewer maps.
  NetworkOptions narrow = paper_network();
  narrow.features = {2, 4, 8, 16};
  narrow.last_features = 4;
  const auto two = [](std::int64_t in, std::int64_t out) { return 27 * (in * out + out * out) + 2 * out; };
  const std::int64_t by_hand = two(1, 2) + two(2, 4) + two(4, 8) + two(8, 16) +  //
                               16 * 8 + two(16, 8) + 8 * 4 + two(8, 4) + 4 * 4 + two(6, 4) + (4 + 1) * 14;
  EXPECT_EQ(counted_parameters(narrow, 14), by_hand);
  EXPECT_EQ(num_parameters(narrow, 14), by_hand);
  narrow.output_scale = 2;
  EXPECT_EQ(counted_parameters(narrow, 14), by_hand + 4 * 4 + two(4, 4));
  EXPECT_EQ(counted_parameters(compact_network(), 3), num_parameters(compact_network(), 3));
}

// Any network that the options allow has the parameters and makes the shapes that are stated.
TEST(UNet, IsWhatItsOptionsSay) {
  const torch::NoGradGuard no_gradient;
  Random random(13);
  const auto pick = [&](const std::vector<std::string>& words) { return words[random.below(words.size())]; };
  int num_run = 0;
  for (int i = 0; i < 60; ++i) {
    NetworkOptions options;
    options.features.clear();
    options.pooling.clear();
    options.kernels.clear();
    const std::size_t levels = 1 + random.below(3);
    for (std::size_t level = 0; level < levels; ++level) {
      options.features.push_back(static_cast<std::int64_t>(1 + random.below(4)));
      options.kernels.push_back(pick({"1", "3", "1x3x3", "3x1x5"}));
      if (level > 0) options.pooling.push_back(pick({"1", "2", "3", "1x2x2", "2x3x1"}));
    }
    options.convolutions = static_cast<std::int64_t>(1 + random.below(3));
    options.stem = static_cast<std::int64_t>(1 + random.below(2));
    options.output_scale = static_cast<std::int64_t>(1 + random.below(2));
    options.padding = pick({"same", "replicate", "valid"});
    options.alignment = pick({"centred", "paper"});
    options.normalization = pick({"batch", "group", "instance", "none"});
    options.residual = options.convolutions > 1 ? pick({"auto", "true", "false"}) : "auto";
    options.skip = pick({"add", "concatenate"});
    if (options.skip == "concatenate") options.last_features = static_cast<std::int64_t>(random.below(4));
    options.check();
    SCOPED_TRACE(options_to_json(options));
    const std::int64_t classes = 2;
    EXPECT_EQ(counted_parameters(options, classes), num_parameters(options, classes));
    const Shape3 input = smallest_input(options, {1, 5, 9});
    if (input.product() == 0 || input.largest() > 80) continue;
    UNet network(options, classes);
    network->eval();
    const torch::Tensor output = network->forward(torch::randn({2, 1, input.z, input.y, input.x}));
    const Shape3 expected = output_shape(options, input);
    EXPECT_EQ(output.sizes().vec(),
              (std::vector<std::int64_t>{2, classes, expected.z, expected.y, expected.x}));
    ++num_run;
  }
  EXPECT_GT(num_run, 20);
}

TEST(UNet, ResidualsAddTheMiddleOfTheFirstResult) {
  for (const char* padding : {"valid", "same", "replicate"}) {
    NetworkOptions options;
    options.features = {1};
    options.pooling = {};
    options.stem = 1;
    options.padding = padding;
    options.normalization = "none";
    options.residual = "true";
    Level level(0, 1, 1, options);
    const torch::NoGradGuard no_gradient;
    for (const auto& weight : level->named_parameters()) {
      weight.value().zero_();
      if (weight.key() == "convolution0.weight") weight.value()[0][0][1][1][1] = 1;
    }
    // The second convolution yields 0, so that the first result's middle is all there is.
    const torch::Tensor x = torch::rand({2, 1, 7, 8, 9});
    const std::int64_t lost = options.is_valid() ? 2 : 0;
    const torch::Tensor middle =
        x.narrow(2, lost, 7 - 2 * lost).narrow(3, lost, 8 - 2 * lost).narrow(4, lost, 9 - 2 * lost);
    EXPECT_TRUE(torch::equal(level->forward(x), middle)) << padding;
  }
}

NetworkOptions one_replicated_convolution(std::int64_t features) {
  NetworkOptions options;
  options.features = {features};
  options.pooling = {};
  options.kernels = {"3x1x5"};
  options.convolutions = 1;
  options.stem = 1;
  options.padding = "replicate";
  options.normalization = "none";
  return options;
}

// Against faces taken by number, whose gradients libtorch sums.
TEST(UNet, ReplicatedFacesGiveTheirGradientsToTheNearestVoxels) {
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast3d}) {
    Level level(0, 2, 3, one_replicated_convolution(3));
    const torch::Tensor start = torch::rand({2, 2, 4, 5, 6}).contiguous(format);
    const torch::Tensor factor = torch::randn({2, 3, 4, 5, 6});
    torch::Tensor x = start.clone().requires_grad_(true);
    const torch::Tensor found = level->forward(x);
    (found * factor).sum().backward();

    torch::Tensor twin = start.clone().requires_grad_(true);
    const auto nearest = [](std::int64_t size, std::int64_t width) {
      return torch::arange(-width, size + width).clamp(0, size - 1);
    };
    const torch::Tensor padded = twin.index_select(2, nearest(4, 1)).index_select(4, nearest(6, 2));
    const auto weights = level->named_parameters();
    const torch::Tensor expected =
        torch::conv3d(padded, weights["convolution0.weight"], weights["convolution0.bias"]).relu();
    (expected * factor).sum().backward();
    EXPECT_TRUE(torch::allclose(found, expected, 1e-5, 1e-5));
    EXPECT_TRUE(torch::allclose(x.grad(), twin.grad(), 1e-4, 1e-5));
  }
}

// Maps whose faces go on as they are: to convolutions of uniform maps no face can be seen, and every kernel
// of a volume, whatever its shape, finds at the faces what it would find where the volume was larger.
TEST(UNet, ReplicatedFacesAreTheNearestVoxels) {
  Level level(0, 1, 1, one_replicated_convolution(1));
  const torch::NoGradGuard no_gradient;
  const torch::Tensor x = torch::rand({2, 1, 4, 5, 6});
  const torch::Tensor found = level->forward(x);
  const auto weights = level->named_parameters();
  const torch::Tensor& weight = weights["convolution0.weight"];
  const float bias = weights["convolution0.bias"].item<float>();
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t z = 0; z < 4; ++z) {
      for (std::int64_t y = 0; y < 5; ++y) {
        for (std::int64_t w = 0; w < 6; ++w) {
          float expected = bias;
          for (std::int64_t i = -1; i <= 1; ++i) {
            for (std::int64_t k = -2; k <= 2; ++k) {
              expected +=
                  weight[0][0][i + 1][0][k + 2].item<float>() *
                  x[n][0][std::clamp<std::int64_t>(z + i, 0, 3)][y][std::clamp<std::int64_t>(w + k, 0, 5)]
                      .item<float>();
            }
          }
          ASSERT_NEAR((found[n][0][z][y][w].item<float>()), std::max(0.0F, expected), 1e-5F);
        }
      }
    }
  }
}

// What small patches teach holds in large tiles: a network learned, by maps of its own, from patches that are
// nearly all face, predicts the same in the middle of a large uniform volume. (Zeros around maps fail this.)
TEST(UNet, AUniformVolumeLooksTheSameInEveryTile) {
  NetworkOptions options = compact_network();
  options.features = {4, 6, 8};
  options.pooling = {"2", "2"};
  torch::manual_seed(5);
  UNet network(options, 2);
  network->eval();
  const torch::NoGradGuard no_gradient;
  const auto middle_of = [&](std::int64_t edge) {
    const torch::Tensor output = network->forward(torch::full({1, 1, edge, edge, edge}, 0.5));
    return output[0][0][edge / 2][edge / 2][edge / 2].item<float>();
  };
  EXPECT_NEAR(middle_of(8), middle_of(96), 1e-5F);
  options.padding = "same";
  torch::manual_seed(5);
  network = UNet(options, 2);
  network->eval();
  EXPECT_GT(std::abs(middle_of(8) - middle_of(96)), 1e-4F);
}

}  // namespace
}  // namespace organon::nn
