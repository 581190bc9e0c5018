#include "organon/nn/network_cost.h"

#include <algorithm>

#include "organon/geometry/integer_division.h"

namespace organon::nn {
namespace {

constexpr std::int64_t kLibraryBytes = std::int64_t{400} << 20;  // libtorch itself and its caches
constexpr std::int64_t kLargestTileInput = 1024;

double voxels_of(const Shape3& shape) {
  return static_cast<double>(shape.z) * static_cast<double>(shape.y) * static_cast<double>(shape.x);
}

std::int64_t float_bytes(const Shape3& shape, std::int64_t maps) { return 4 * shape.product() * maps; }

std::int64_t folded_voxels(const NetworkOptions& network) {
  return network.stem * network.stem * network.stem;
}

// Maps that enter the way up at a level.
std::int64_t joined_features(const NetworkOptions& network, std::int64_t level) {
  const std::int64_t mixed = network.up_features(level);
  return network.skip == "concatenate" ? network.features[static_cast<std::size_t>(level)] + mixed : mixed;
}

}  // namespace

std::int64_t num_parameters(const NetworkOptions& network, std::int64_t num_classes) {
  const std::int64_t per_map = network.is_normalized() ? 2 : 1;  // scale and shift, or a bias
  const auto block = [&](std::int64_t level, std::int64_t in, std::int64_t out) {
    return (in * out + (network.convolutions - 1) * out * out) * network.kernel_at(level).product() +
           network.convolutions * out * per_map;
  };
  std::int64_t sum = 0;
  std::int64_t in = folded_voxels(network);
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    const std::int64_t out = network.features[static_cast<std::size_t>(level)];
    sum += block(level, in, out);
    in = out;
  }
  for (std::int64_t level = network.num_levels() - 2; level >= 0; --level) {
    const std::int64_t out = network.up_features(level);
    // As the paper: the mix on the way up goes to the maps of the level's convolutions.
    sum += in * out + block(level, joined_features(network, level), out);
    in = out;
  }
  if (network.output_scale > 1) sum += in * in + block(0, in, in);
  return sum + (in + 1) * folded_voxels(network) * num_classes;
}

std::vector<Convolution> convolutions_of(const NetworkOptions& network, std::int64_t num_classes,
                                         const Shape3& input) {
  std::vector<Convolution> all;
  const auto shapes = shapes_of(network, input);
  if (!shapes) return all;
  const auto mix = [&](const Shape3& size, std::int64_t in, std::int64_t out) {
    all.push_back({size, Shape3::cube(1), true, in, out});
  };
  const auto add_level = [&](std::int64_t level, Shape3 size, std::int64_t in, std::int64_t out) {
    for (std::int64_t i = 0; i < network.convolutions; ++i) {
      all.push_back({size, network.kernel_at(level), !network.is_valid(), i == 0 ? in : out, out});
      size = all.back().output();
    }
  };
  std::int64_t in = folded_voxels(network);
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    const std::int64_t out = network.features[static_cast<std::size_t>(level)];
    add_level(level, shapes->levels[static_cast<std::size_t>(level)].input, in, out);
    in = out;
  }
  for (std::int64_t level = network.num_levels() - 2; level >= 0; --level) {
    const auto l = static_cast<std::size_t>(level);
    const std::int64_t out = network.up_features(level);
    mix(shapes->levels[l + 1].up, in, out);
    add_level(level, shapes->levels[l].joined, joined_features(network, level), out);
    in = out;
  }
  if (network.output_scale > 1) {
    mix(shapes->levels[0].up, in, in);
    add_level(0, shapes->refined, in, in);
  }
  // The head, before it unfolds the stem.
  const std::int64_t s = network.stem;
  mix({shapes->output.z / s, shapes->output.y / s, shapes->output.x / s}, in,
      folded_voxels(network) * num_classes);
  return all;
}

double forward_operations(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input) {
  double sum = 0;
  for (const Convolution& each : convolutions_of(network, num_classes, input)) {
    sum += 2 * voxels_of(each.output()) * voxels_of(each.kernel) * static_cast<double>(each.in * each.out);
  }
  return sum;
}

double operations_per_voxel(const NetworkOptions& network, std::int64_t num_classes) {
  NetworkOptions padded = network;
  padded.padding = "same";
  const Shape3 input = input_multiple(network);
  return forward_operations(padded, num_classes, input) / voxels_of(input);
}

std::int64_t training_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input,
                            std::int64_t batch, std::int64_t threads) {
  const std::int64_t weights = num_parameters(network, num_classes) * 4;
  const std::int64_t shards = ceil_divide(batch, std::int64_t{2});
  const std::int64_t fixed = kLibraryBytes + weights * (6 + shards);
  const auto shapes = shapes_of(network, input);
  if (!shapes) return fixed;
  // Per convolution the graph keeps its result, the normalised and the rectified one, and its padded input
  // where that is made before; to these come what is
  // joined, and, going back, gradients and reordered copies.
  const bool is_replicated = network.padding == "replicate";
  const std::int64_t sets = (is_replicated ? 4 : 3) * network.convolutions + 3;
  std::int64_t kept = 0;
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    const LevelShapes& at = shapes->levels[static_cast<std::size_t>(level)];
    kept += sets * float_bytes(at.input, network.features[static_cast<std::size_t>(level)]);
    if (level + 1 == network.num_levels()) break;
    kept += sets * float_bytes(at.joined, network.up_features(level)) +
            2 * float_bytes(at.repeated, network.up_features(level)) +
            2 * float_bytes(at.joined, joined_features(network, level));
  }
  if (network.output_scale > 1) kept += (sets + 2) * float_bytes(shapes->refined, network.head_features());
  const std::int64_t at_once =
      std::min(std::max<std::int64_t>(1, threads), shards) * std::min<std::int64_t>(batch, 2);
  const std::int64_t outputs = shapes->output.product() * num_classes;
  const std::int64_t io = float_bytes(input, 1 + network.stem) + 4 * 5 * outputs;
  const std::int64_t waiting = 3 * batch * (4 * input.product() + 5 * outputs);
  return fixed + at_once * (kept + io) + waiting;
}

std::int64_t prediction_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input) {
  const std::int64_t weights = num_parameters(network, num_classes) * 4;
  const auto shapes = shapes_of(network, input);
  if (!shapes) return kLibraryBytes + 10 * weights;
  std::int64_t waiting = 0;  // maps of the way down that the way up will join
  std::int64_t peak = 0;
  const std::int64_t padded = network.padding == "replicate" ? 1 : 0;  // the copy with its faces repeated
  std::int64_t in = folded_voxels(network);
  const auto take = [&](std::int64_t working) { peak = std::max(peak, waiting + working); };
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    const LevelShapes& at = shapes->levels[static_cast<std::size_t>(level)];
    const std::int64_t out = network.features[static_cast<std::size_t>(level)];
    // A convolution, its input and result in the library's own order, what comes before and after it.
    take((2 + padded) * float_bytes(at.input, in) + 5 * float_bytes(at.input, out));
    waiting += float_bytes(at.down, out);
    in = out;
  }
  for (std::int64_t level = network.num_levels() - 2; level >= 0; --level) {
    const LevelShapes& at = shapes->levels[static_cast<std::size_t>(level)];
    const std::int64_t out = network.up_features(level);
    take(float_bytes(at.repeated, out) +
         (2 + padded) * float_bytes(at.joined, joined_features(network, level)) +
         5 * float_bytes(at.joined, out));
    in = out;
  }
  if (network.output_scale > 1) take((7 + padded) * float_bytes(shapes->refined, in));
  take(2 * float_bytes(shapes->output, num_classes) + float_bytes(shapes->levels[0].up, in));
  // What is read, summed and returned besides; the memory that was given back is not all used again.
  const std::int64_t voxels = input.product() * 4 + shapes->output.product() * 4 * num_classes;
  // Weights, their mean and the optimiser are loaded, and the file they come from.
  return kLibraryBytes + peak + peak / 4 + 4 * voxels + 10 * weights;
}

std::optional<Tile> largest_tile(const NetworkOptions& network, std::int64_t num_classes,
                                 std::int64_t memory_bytes, std::int64_t halo) {
  std::optional<Tile> best;
  const Shape3 least = smallest_input(network, Shape3::cube(1));
  if (least.smallest() == 0) return best;
  const Shape3 multiple = input_multiple(network);
  for (std::int64_t edge = least.largest(); edge <= kLargestTileInput; edge += multiple.smallest()) {
    const auto axis = [&](std::int64_t first, std::int64_t step) {
      return first + round_down_to_multiple(edge - first, step);
    };
    const Shape3 input{axis(least.z, multiple.z), axis(least.y, multiple.y), axis(least.x, multiple.x)};
    if (prediction_bytes(network, num_classes, input) > memory_bytes) break;
    if (const auto tile = tile_of(network, input, halo)) best = tile;
  }
  return best;
}

}  // namespace organon::nn
