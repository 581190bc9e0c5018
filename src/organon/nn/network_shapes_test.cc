#include "organon/nn/network_shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "organon/base/random.h"
#include "organon/geometry/integer_division.h"

namespace organon::nn {
namespace {

constexpr std::pair<std::int64_t, std::int64_t> kPaperSizes[] = {
    {198, 18}, {216, 36}, {234, 54}, {252, 72}, {270, 90}, {288, 108}, {360, 180}, {396, 216}};

// As the paper's network joins its ways, but small: 36 -> 6.
NetworkOptions small_paper() {
  NetworkOptions network = paper_network();
  network.features = {2, 3, 4};
  network.pooling = {"2", "3"};
  network.convolutions = 1;
  network.last_features = 3;
  return network;
}

NetworkOptions random_network(Random& random) {
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random.below(n)); };
  const auto word = [&](std::int64_t step) {
    const auto digit = [&] { return std::to_string(1 + step * below(static_cast<std::uint64_t>(4 - step))); };
    return digit() + "x" + digit() + "x" + digit();
  };
  NetworkOptions network;
  network.features.assign(static_cast<std::size_t>(1 + below(4)), 2);
  network.pooling.clear();
  network.kernels.clear();
  for (std::size_t i = 0; i < network.features.size(); ++i) {
    if (i > 0) network.pooling.push_back(word(1));
    network.kernels.push_back(word(2));
  }
  network.convolutions = 1 + below(2);
  network.stem = 1 + below(2);
  network.output_scale = 1 + below(2);
  network.padding = below(2) == 0 ? "same" : "valid";
  network.alignment = below(2) == 0 ? "paper" : "centred";
  network.check();
  return network;
}

TEST(NetworkShapes, ThePaperNetworkHasItsTableOfSizes) {
  for (const char* alignment : {"paper", "centred"}) {
    NetworkOptions paper = paper_network();
    paper.alignment = alignment;
    for (const auto& [input, output] : kPaperSizes) {
      EXPECT_EQ(output_edge(paper, input), output);
      EXPECT_EQ(shapes_of(paper, Shape3::cube(input))->output_begin, Index3::cube(90));
    }
    EXPECT_EQ(output_edge(paper, 180), 0);  // too small
    EXPECT_EQ(output_edge(paper, 217), 0);  // does not pool evenly
    EXPECT_EQ(output_shape(paper, {198, 216, 234}), (Shape3{18, 36, 54}));
    EXPECT_EQ(input_multiple(paper), Shape3::cube(18));
    EXPECT_EQ(smallest_input(paper, {1, 19, 108}), (Shape3{198, 216, 288}));
  }
}

TEST(NetworkShapes, ThePaperNetworkAt8NmHasItsSizes) {
  const NetworkOptions paper = paper_8nm_network();
  const std::pair<std::int64_t, std::int64_t> table[] = {{216, 68}, {270, 176}, {288, 212}};
  for (const auto& [input, output] : table) {
    const auto shapes = shapes_of(paper, Shape3::cube(input));
    ASSERT_TRUE(shapes.has_value());
    EXPECT_EQ(shapes->output, Shape3::cube(output));
    EXPECT_EQ(shapes->output_begin, Index3::cube(182));
    EXPECT_EQ(2 * input - output, 2 * 182);  // in the middle
  }
}

TEST(NetworkShapes, ThePaperCropsRoundDownAndShiftTheDeepWayByOneVoxel) {
  NetworkOptions paper = paper_network();
  paper.alignment = "paper";
  const auto shifted = shapes_of(paper, Shape3::cube(216));
  ASSERT_TRUE(shifted.has_value());
  const auto expect = [](const LevelShapes& level, std::int64_t down, std::int64_t repeated,
                         std::int64_t joined, std::int64_t down_begin, std::int64_t repeated_begin,
                         std::int64_t shift, std::int64_t up) {
    EXPECT_EQ(level.down, Shape3::cube(down));
    EXPECT_EQ(level.repeated, Shape3::cube(repeated));
    EXPECT_EQ(level.joined, Shape3::cube(joined));
    EXPECT_EQ(level.down_begin, Index3::cube(down_begin));
    EXPECT_EQ(level.repeated_begin, Index3::cube(repeated_begin));
    EXPECT_EQ(level.shift, Index3::cube(shift));
    EXPECT_EQ(level.up, Shape3::cube(up));
  };
  expect(shifted->levels[2], 30, 18, 16, 7, 1, 0, 12);
  expect(shifted->levels[1], 102, 36, 31, 35, 2, 0, 27);
  // The repeated map begins at 78 of the way down; cropped by 7 it begins at 85, what it joins at 86.
  expect(shifted->levels[0], 212, 54, 40, 86, 7, -1, 36);
  paper.alignment = "centred";
  const auto centred = shapes_of(paper, Shape3::cube(216));
  ASSERT_TRUE(centred.has_value());
  expect(centred->levels[2], 30, 18, 16, 7, 1, 0, 12);
  expect(centred->levels[1], 102, 36, 31, 35, 2, 0, 27);
  expect(centred->levels[0], 212, 54, 40, 86, 8, 0, 36);
}

TEST(NetworkShapes, CentredOutputsLieInTheMiddleAndNothingIsShifted) {
  Random random(7);
  int num_valid = 0;
  int num_shifted = 0;
  for (int i = 0; i < 400; ++i) {
    NetworkOptions network = random_network(random);
    network.alignment = "centred";
    const Shape3 first =
        smallest_input(network, Shape3::cube(1 + static_cast<std::int64_t>(random.below(60))));
    ASSERT_GT(first.smallest(), 0);
    const auto shapes = shapes_of(network, first);
    ASSERT_TRUE(shapes.has_value()) << options_to_json(network);
    EXPECT_EQ(Shape3(shapes->output_begin) * 2, first * network.output_scale - shapes->output)
        << options_to_json(network);
    for (const LevelShapes& level : shapes->levels) {
      EXPECT_EQ(level.shift, Index3{}) << options_to_json(network);
      EXPECT_GE(std::min(Shape3(level.down_begin).smallest(), Shape3(level.repeated_begin).smallest()), 0);
      if (level.joined == Shape3{}) continue;
      EXPECT_GE((level.down - level.joined - Shape3(level.down_begin)).smallest(), 0);
      EXPECT_GE((level.repeated - level.joined - Shape3(level.repeated_begin)).smallest(), 0);
    }
    num_valid += network.is_valid() ? 1 : 0;
    network.alignment = "paper";
    if (const auto paper = shapes_of(network, first)) {
      num_shifted += std::any_of(paper->levels.begin(), paper->levels.end(),
                                 [](const LevelShapes& level) { return level.shift != Index3{}; });
    }
  }
  EXPECT_GT(num_valid, 100);
  EXPECT_GT(num_shifted, 20);
}

TEST(NetworkShapes, AnOddContextCostsOneStep) {
  NetworkOptions network = paper_network();
  network.features = {2, 2, 2};
  network.pooling = {"3", "3"};
  network.alignment = "paper";
  const Shape3 input = smallest_input(network, Shape3::cube(18));
  const Shape3 output = output_shape(network, input);
  EXPECT_EQ((input - output).z % 2, 1);
  network.alignment = "centred";
  EXPECT_EQ(output_shape(network, input), output - Shape3::cube(9));
}

TEST(NetworkShapes, SamePaddingKeepsShapesThatPoolEvenly) {
  NetworkOptions network;
  network.features = {4, 8, 16};
  network.pooling = {"2", "1x3x3"};
  network.stem = 2;
  EXPECT_EQ(input_multiple(network), (Shape3{4, 12, 12}));
  EXPECT_EQ(output_edge(network, 48), 48);
  EXPECT_EQ(output_edge(network, 40), 0);
  EXPECT_EQ(output_shape(network, {40, 48, 12}), (Shape3{40, 48, 12}));
  EXPECT_EQ(output_shape(network, {42, 48, 12}), Shape3{});
  network.output_scale = 2;
  EXPECT_EQ(output_shape(network, {40, 48, 12}), (Shape3{80, 96, 24}));
}

TEST(NetworkShapes, ASmallestInputIsTheFirstThatSuffices) {
  Random random(11);
  for (int i = 0; i < 60; ++i) {
    const NetworkOptions network = random_network(random);
    const auto wanted = static_cast<std::int64_t>(1 + random.below(40));
    const Shape3 found = smallest_input(network, Shape3::cube(wanted));
    std::int64_t z = 1;
    while (output_shape(network, {z, found.y, found.x}).z < wanted) ++z;
    EXPECT_EQ(found.z, z) << options_to_json(network);
  }
  NetworkOptions deep;
  deep.features.assign(12, 1);
  deep.pooling.assign(11, "8");
  EXPECT_EQ(smallest_input(deep, Shape3::cube(1)), Shape3{});
  EXPECT_EQ(output_edge(deep, 4096), 0);
}

// How far output voxels of a long row see, by following which input voxels each voxel of each map depends on.
std::int64_t followed_radius(const NetworkOptions& network) {
  struct Seen {
    std::int64_t first;
    std::int64_t last;
  };
  using Row = std::vector<Seen>;
  const auto unite = [](const Seen& a, const Seen& b) {
    return Seen{std::min(a.first, b.first), std::max(a.last, b.last)};
  };
  const auto convolve = [&](Row row, std::int64_t level) {
    const std::int64_t reach = network.kernel_at(level).z / 2;
    for (std::int64_t c = 0; c < network.convolutions; ++c) {
      const Row before = row;
      const auto size = static_cast<std::int64_t>(row.size());
      for (std::int64_t i = 0; i < size; ++i) {
        for (std::int64_t j = std::max<std::int64_t>(0, i - reach); j <= std::min(size - 1, i + reach); ++j)
          row[static_cast<std::size_t>(i)] =
              unite(row[static_cast<std::size_t>(i)], before[static_cast<std::size_t>(j)]);
      }
    }
    return row;
  };
  const auto repeat = [](const Row& row, std::int64_t factor) {
    Row result;
    for (const Seen& seen : row) result.insert(result.end(), static_cast<std::size_t>(factor), seen);
    return result;
  };
  const auto reduce = [&](const Row& row, std::int64_t factor) {
    Row result;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i % static_cast<std::size_t>(factor) == 0) {
        result.push_back(row[i]);
      } else {
        result.back() = unite(result.back(), row[i]);
      }
    }
    return result;
  };
  const std::int64_t size = round_up_to_multiple(1200, input_multiple(network).z);
  Row row;
  for (std::int64_t i = 0; i < size; ++i) row.push_back({i, i});
  row = reduce(row, network.stem);
  std::vector<Row> skips;
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    row = convolve(row, level);
    if (level + 1 == network.num_levels()) break;
    skips.push_back(row);
    row = reduce(row, network.pooling_at(level).z);
  }
  for (std::int64_t level = network.num_levels() - 2; level >= 0; --level) {
    row = repeat(row, network.pooling_at(level).z);
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = unite(row[i], skips[static_cast<std::size_t>(level)][i]);
    row = convolve(row, level);
  }
  if (network.output_scale > 1) row = convolve(repeat(row, network.output_scale), 0);
  row = repeat(row, network.stem);
  std::int64_t radius = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    const std::int64_t at = static_cast<std::int64_t>(j) / network.output_scale;
    if (row[j].first == 0 || row[j].last == size - 1) continue;  // ends of the row hide some
    radius = std::max({radius, at - row[j].first, row[j].last - at});
  }
  return radius;
}

TEST(NetworkShapes, ReceptiveRadiusIsTheFarthestThatIsSeen) {
  Random random(5);
  for (int i = 0; i < 60; ++i) {
    NetworkOptions network = random_network(random);
    network.alignment = "centred";
    EXPECT_EQ(receptive_radius(network).z, followed_radius(network)) << options_to_json(network);
  }
  EXPECT_EQ(receptive_radius(paper_network()), Shape3::cube(89));
  NetworkOptions shifted = paper_network();
  shifted.alignment = "paper";
  EXPECT_EQ(receptive_radius(shifted), Shape3::cube(90));
  EXPECT_EQ(receptive_radius(small_paper()).z, followed_radius(small_paper()));
}

TEST(Tile, LiesInTheMiddleOfItsInputAndIsMadeOfWholeSteps) {
  const auto tile = tile_of(paper_8nm_network(), Shape3::cube(270), 32);
  ASSERT_TRUE(tile.has_value());
  EXPECT_EQ(tile->shape, Shape3::cube(144));
  EXPECT_EQ(tile->halo, Shape3::cube(99));
  EXPECT_EQ(tile->begin, Index3::cube(16));
  Random random(9);
  for (int i = 0; i < 200; ++i) {
    NetworkOptions network = random_network(random);
    network.alignment = "centred";
    const Shape3 input = smallest_input(network, Shape3::cube(60));
    const auto made = tile_of(network, input, 3);
    if (!made) continue;  // no step lies within the output
    const std::int64_t scale = network.output_scale;
    const Shape3 step = input_multiple(network) * scale;
    EXPECT_EQ(made->shape.z % step.z + made->shape.y % step.y + made->shape.x % step.x, 0);
    EXPECT_EQ(made->halo * (2 * scale) + made->shape, input * scale) << options_to_json(network);
    const auto shapes = shapes_of(network, input);
    EXPECT_EQ(made->halo * scale, Shape3(shapes->output_begin + made->begin));
    EXPECT_GE((shapes->output - made->shape - Shape3(made->begin)).smallest(), 0);
    EXPECT_GE(made->halo.smallest(), network.is_valid() ? 0 : 3);
  }
}

}  // namespace
}  // namespace organon::nn
