#include "organon/nn/network_options.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::nn {
namespace {

TEST(NetworkOptions, ThePaperNetworkHasItsTableOfSizes) {
  const NetworkOptions paper = paper_network();
  const std::pair<std::int64_t, std::int64_t> table[] = {{198, 18}, {216, 36},  {234, 54},  {252, 72},
                                                         {270, 90}, {288, 108}, {360, 180}, {396, 216}};
  for (const auto& [input, output] : table) {
    EXPECT_EQ(output_edge(paper, input), output);
    EXPECT_EQ((input - output) / 2, 90);
  }
  EXPECT_EQ(output_edge(paper, 180), 0);  // too small
  EXPECT_EQ(output_edge(paper, 217), 0);  // does not pool evenly
}

TEST(NetworkOptions, ThePaperNetworkHasItsNumberOfParameters) {
  // Convolutions with biases: two per level and direction; mixes without biases; head.
  const auto two = [](std::int64_t in, std::int64_t out) { return 27 * (in * out + out * out) + 2 * out; };
  const std::int64_t by_hand = two(1, 12) + two(12, 72) + two(72, 432) + two(432, 2592) +  //
                               2592 * 432 + two(864, 432) + 432 * 72 + two(144, 72) + 72 * 72 + two(84, 72) +
                               (72 + 1) * 14;
  EXPECT_EQ(num_parameters(paper_network(), 14), by_hand);
  EXPECT_GT(by_hand, 220'000'000);
  EXPECT_LT(by_hand, 250'000'000);
}

TEST(NetworkOptions, SamePaddingKeepsEdgesThatPoolEvenly) {
  NetworkOptions network;
  network.features = {4, 8, 16};
  network.pooling = {2, 3};
  network.stem = 2;
  EXPECT_EQ(input_multiple(network), 12);
  EXPECT_EQ(output_edge(network, 48), 48);
  EXPECT_EQ(output_edge(network, 40), 0);
}

TEST(NetworkOptions, ReceptiveRadiusOfSmallNetworksByHand) {
  NetworkOptions network;
  network.features = {1};
  network.pooling = {};
  network.stem = 1;
  network.convolutions = 3;
  EXPECT_EQ(receptive_radius(network), 3);
  network.features = {1, 1};
  network.pooling = {2};
  network.convolutions = 1;
  // Down 1, pool 1, coarse convolution 2, repeat 1, up 1.
  EXPECT_EQ(receptive_radius(network), 6);
}

TEST(NetworkOptions, OptionsThatDoNotFitTogetherAreRefused) {
  NetworkOptions network;
  network.features = {8, 16};
  network.pooling = {2, 2};
  EXPECT_THROW(network.check(), Error);
  network.pooling = {2};
  EXPECT_NO_THROW(network.check());
  network.last_features = 4;
  EXPECT_THROW(network.check(), Error);
  network.skip = "concatenate";
  EXPECT_NO_THROW(network.check());
  EXPECT_THROW(network_preset("huge"), Error);
}

}  // namespace
}  // namespace organon::nn
