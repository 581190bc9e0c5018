#include "organon/nn/network_cost.h"

#include <gtest/gtest.h>

namespace organon::nn {
namespace {

// Weights and biases of two convolutions of 3x3x3.
std::int64_t two(std::int64_t in, std::int64_t out) { return 27 * (in * out + out * out) + 2 * out; }

TEST(NetworkCost, ThePaperNetworkHasItsNumberOfParameters) {
  for (const std::int64_t classes : {14, 34}) {
    const std::int64_t by_hand = two(1, 12) + two(12, 72) + two(72, 432) + two(432, 2592) +  // down
                                 2592 * 432 + two(432 + 432, 432) +  // mixes without biases
                                 432 * 72 + two(72 + 72, 72) +       //
                                 72 * 72 + two(12 + 72, 72) +        //
                                 (72 + 1) * classes;
    EXPECT_EQ(num_parameters(paper_network(), classes), by_hand);
    EXPECT_GT(by_hand, 220'000'000);
    EXPECT_LT(by_hand, 250'000'000);
    EXPECT_EQ(num_parameters(paper_8nm_network(), classes), by_hand + 72 * 72 + two(72, 72));
  }
}

TEST(NetworkCost, OperationsByHand) {
  NetworkOptions network = paper_network();
  network.features = {3};
  network.pooling = {};
  network.last_features = 0;
  // 7 -> 5 -> 3 voxels; one map to three, three to three, three to two classes.
  EXPECT_EQ(forward_operations(network, 2, Shape3::cube(7)), 2 * (125 * 27 * 3 + 27 * 27 * 9 + 27 * 3 * 2));
  EXPECT_EQ(forward_operations(network, 2, Shape3::cube(4)), 0);
  EXPECT_EQ(operations_per_voxel(network, 2), 2 * (27 * 3 + 27 * 9 + 3 * 2));

  network.features = {2, 5};
  network.pooling = {"1x2x2"};
  network.kernels = {"1x3x3", "3"};
  network.convolutions = 1;
  network.padding = "same";
  network.skip = "add";
  // 4 x 8 x 8 voxels, then 4 x 4 x 4: down, down, mix, up, head.
  EXPECT_EQ(forward_operations(network, 1, {4, 8, 8}),
            2 * (256 * 9 * 2 + 64 * 27 * 2 * 5 + 64 * 5 * 2 + 256 * 9 * 2 * 2 + 256 * 2));
  EXPECT_EQ(operations_per_voxel(network, 1), forward_operations(network, 1, {4, 8, 8}) / 256);
  network.skip = "concatenate";
  network.stem = 2;
  network.output_scale = 2;
  // 8 x 16 x 16 voxels folded to the same; a mix more, and up at 8 x 16 x 16; the head unfolds to twice that.
  EXPECT_EQ(forward_operations(network, 1, {8, 16, 16}),
            2 * (256 * 9 * 8 * 2 + 64 * 27 * 2 * 5 + 64 * 5 * 2 + 256 * 9 * 4 * 2 + 256 * 2 * 2 +
                 2048 * 9 * 2 * 2 + 2048 * 2 * 8));
}

TEST(NetworkCost, ConvolutionsFollowEachOther) {
  NetworkOptions network = compact_network();
  network.output_scale = 2;
  const auto all = convolutions_of(network, 3, Shape3::cube(32));
  // Two per level and way, three mixes, the refining ones, the head.
  ASSERT_EQ(all.size(), 8U + 9U + 3U + 1U);
  EXPECT_EQ(all.front().in, 8);
  EXPECT_EQ(all.front().input, Shape3::cube(16));
  EXPECT_EQ(all.back().out, 8 * 3);
  EXPECT_EQ(all.back().output(), Shape3::cube(32));
  EXPECT_TRUE(convolutions_of(network, 3, Shape3::cube(31)).empty());
}

TEST(NetworkCost, TilesCostMoreTheSmallerTheyAre) {
  const NetworkOptions paper = paper_network();
  double last = 1e300;
  for (const std::int64_t edge : {198, 216, 288, 396}) {
    const auto output = static_cast<double>(output_shape(paper, Shape3::cube(edge)).product());
    const double each = forward_operations(paper, 14, Shape3::cube(edge)) / output;
    EXPECT_LT(each, last);
    EXPECT_GT(each, operations_per_voxel(paper, 14));
    last = each;
  }
}

TEST(NetworkCost, TheLargestTileIsTheLastThatFits) {
  for (const std::string& name : network_preset_names()) {
    const NetworkOptions network = network_preset(name);
    const std::int64_t memory = std::int64_t{20} << 30;
    const auto tile = largest_tile(network, 14, memory, 32);
    ASSERT_TRUE(tile.has_value()) << name;
    EXPECT_LE(prediction_bytes(network, 14, tile->input), memory);
    EXPECT_GT(prediction_bytes(network, 14, tile->input + input_multiple(network)), memory);
    EXPECT_FALSE(largest_tile(network, 14, 1000, 32).has_value());
  }
}

TEST(NetworkCost, MoreTakesMoreMemory) {
  const NetworkOptions network = compact_network();
  const std::int64_t one = training_bytes(network, 2, Shape3::cube(64), 2, 1);
  EXPECT_GT(training_bytes(network, 2, Shape3::cube(128), 2, 1), one);
  EXPECT_GT(training_bytes(network, 2, Shape3::cube(64), 8, 4), one);
  NetworkOptions fine = network;
  fine.output_scale = 2;
  EXPECT_GT(training_bytes(fine, 2, Shape3::cube(64), 2, 1), one);
  EXPECT_GT(prediction_bytes(fine, 2, Shape3::cube(64)), prediction_bytes(network, 2, Shape3::cube(64)));
}

}  // namespace
}  // namespace organon::nn
