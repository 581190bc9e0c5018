#include "organon/nn/network_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::nn {
namespace {

constexpr std::size_t kMaxLevels = 12;

std::int64_t pooling_product(const NetworkOptions& network, std::int64_t from_level) {
  std::int64_t product = 1;
  for (std::size_t i = static_cast<std::size_t>(from_level); i < network.pooling.size(); ++i)
    product *= network.pooling[i];
  return product;
}

}  // namespace

void NetworkOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table.add("features", features, {"feature maps per level, finest first", "", 1, 8192, {}})
      .add("pooling", pooling, {"pooling factors between levels", "", 1, 8, {}})
      .add("convolutions", convolutions, {"3x3x3 convolutions per level and direction", "", 1, 8, {}})
      .add("stem", stem, {"voxels per axis folded into channels before the first level", "", 1, 4, {}})
      .add("last_features", last_features,
           {"maps of the last level on the way up; 0: as the first level", "", 0, 8192, {}})
      .add("padding", padding, {"of the convolutions", "", -kAny, kAny, {"same", "valid"}})
      .add("normalization", normalization, {"after each convolution", "", -kAny, kAny, {"batch", "none"}})
      .add("skip", skip, {"how the way down joins the way up", "", -kAny, kAny, {"add", "concatenate"}});
}

void NetworkOptions::check() const {
  const auto refuse = [](const std::string& message) {
    throw Error(ErrorKind::kInvalidArgument, "network: " + message);
  };
  if (features.empty() || features.size() > kMaxLevels) {
    refuse(fmt::format("features: 1 to {} levels are needed, found {}", kMaxLevels, features.size()));
  }
  if (pooling.size() + 1 != features.size()) {
    refuse(fmt::format("{} levels need {} pooling factors, found {}", features.size(), features.size() - 1,
                       pooling.size()));
  }
  if (skip == "add" && last_features != 0 && last_features != features[0]) {
    refuse("last_features other than features[0] needs skip = concatenate");
  }
}

std::int64_t NetworkOptions::up_features(std::int64_t level) const {
  if (level == 0 && last_features != 0) return last_features;
  return features[static_cast<std::size_t>(level)];
}

NetworkOptions paper_network() {
  NetworkOptions network;
  network.features = {12, 72, 432, 2592};
  network.pooling = {2, 3, 3};
  network.stem = 1;
  network.last_features = 72;
  network.padding = "valid";
  network.normalization = "none";
  network.skip = "concatenate";
  return network;
}

NetworkOptions compact_network() { return {}; }

NetworkOptions network_preset(const std::string& name) {
  if (name == "compact") return compact_network();
  if (name == "paper") return paper_network();
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("network preset: expected compact or paper, found '{}'", name));
}

std::int64_t output_edge(const NetworkOptions& network, std::int64_t input) {
  if (network.padding == "same") return input % input_multiple(network) == 0 ? input : 0;
  if (input % network.stem != 0) return 0;
  const std::int64_t lost = 2 * network.convolutions;
  std::int64_t size = input / network.stem;
  const std::int64_t levels = network.num_levels();
  for (std::int64_t level = 0; level < levels; ++level) {
    size -= lost;
    if (size <= 0) return 0;
    if (level + 1 == levels) break;
    const std::int64_t factor = network.pooling[static_cast<std::size_t>(level)];
    if (size % factor != 0) return 0;
    size /= factor;
  }
  for (std::int64_t level = levels - 2; level >= 0; --level) {
    size *= network.pooling[static_cast<std::size_t>(level)];
    // Cropped so that outputs of shifted tiles agree: only whole steps of the coarser levels are kept.
    size = round_down_to_multiple(size - lost, pooling_product(network, level));
    if (size <= 0) return 0;
  }
  return size * network.stem;
}

std::int64_t input_multiple(const NetworkOptions& network) {
  return network.stem * pooling_product(network, 0);
}

std::int64_t receptive_radius(const NetworkOptions& network) {
  std::int64_t radius = 0;
  std::int64_t step = 1;
  const std::int64_t levels = network.num_levels();
  for (std::int64_t level = 0; level < levels; ++level) {
    radius += network.convolutions * step * (level + 1 < levels ? 2 : 1);
    if (level + 1 == levels) break;
    const std::int64_t coarser = step * network.pooling[static_cast<std::size_t>(level)];
    radius += 2 * (coarser - step);  // the pooling window on the way down, the repeated cell on the way up
    step = coarser;
  }
  return radius * network.stem + network.stem - 1;
}

std::int64_t num_parameters(const NetworkOptions& network, std::int64_t num_classes) {
  const std::int64_t kernel = 27;
  const std::int64_t per_map = network.normalization == "batch" ? 2 : 1;  // scale and shift, or a bias
  const auto block = [&](std::int64_t in, std::int64_t out) {
    return (in * out + (network.convolutions - 1) * out * out) * kernel +
           network.convolutions * out * per_map;
  };
  const std::int64_t folded = network.stem * network.stem * network.stem;
  std::int64_t sum = 0;
  std::int64_t in = folded;
  for (const std::int64_t out : network.features) {
    sum += block(in, out);
    in = out;
  }
  for (std::int64_t level = network.num_levels() - 2; level >= 0; --level) {
    const std::int64_t own = network.features[static_cast<std::size_t>(level)];
    // As the paper: the mix on the way up goes to the maps of the level's convolutions.
    const std::int64_t mixed = network.up_features(level);
    sum += in * mixed;
    in = network.up_features(level);
    sum += block(network.skip == "concatenate" ? own + mixed : mixed, in);
  }
  return sum + (in + 1) * folded * num_classes;
}

namespace {

// Bytes of one set of maps per level, without loss at borders, summed as the caller weighs them.
template <class Weigh>
std::int64_t sum_over_levels(const NetworkOptions& network, const Shape3& shape, const Weigh& weigh) {
  std::int64_t sum = 0;
  std::int64_t step = network.stem;
  for (std::int64_t level = 0; level < network.num_levels(); ++level) {
    const std::int64_t voxels =
        ceil_divide(shape.z, step) * ceil_divide(shape.y, step) * ceil_divide(shape.x, step);
    const std::int64_t maps =
        std::max(network.features[static_cast<std::size_t>(level)], network.up_features(level));
    sum += weigh(level, 4 * voxels * maps);
    if (level + 1 < network.num_levels()) step *= network.pooling[static_cast<std::size_t>(level)];
  }
  return sum;
}

constexpr std::int64_t kLibraryBytes = std::int64_t{400} << 20;  // libtorch itself and its caches

}  // namespace

double operations_per_voxel(const NetworkOptions& network) {
  double sum = 0;
  const double folded = std::pow(static_cast<double>(network.stem), 3);
  double voxels = 1 / folded;
  double in = folded;
  for (std::size_t level = 0; level < network.features.size(); ++level) {
    const auto maps = static_cast<double>(network.features[level]);
    const bool is_last = level + 1 == network.features.size();
    const auto convolutions = static_cast<double>(network.convolutions);
    sum += voxels * 27 * (in * maps + maps * maps * (convolutions - 1));
    if (!is_last) {
      const auto up = static_cast<double>(network.up_features(static_cast<std::int64_t>(level)));
      const double joined = network.skip == "concatenate" ? maps + up : up;
      sum += voxels * 27 * (joined * up + up * up * (convolutions - 1));
      voxels /= std::pow(static_cast<double>(network.pooling[level]), 3);
    }
    in = maps;
  }
  return 2 * sum;
}

double forward_operations(const NetworkOptions& network, std::int64_t num_classes, std::int64_t input) {
  const bool is_valid = network.padding == "valid";
  const std::int64_t levels = network.num_levels();
  const auto cube = [](std::int64_t edge) { return std::pow(static_cast<double>(edge), 3); };
  const auto folded = static_cast<double>(network.stem * network.stem * network.stem);
  double sum = 0;
  std::int64_t edge = input / network.stem;
  const auto convolve = [&](double in, double out) {
    for (std::int64_t i = 0; i < network.convolutions; ++i) {
      if (is_valid) edge -= 2;
      sum += cube(edge) * 27 * (i == 0 ? in : out) * out;
    }
  };
  double in = folded;
  for (std::int64_t level = 0; level < levels; ++level) {
    const auto maps = static_cast<double>(network.features[static_cast<std::size_t>(level)]);
    convolve(in, maps);
    in = maps;
    if (level + 1 < levels) edge /= network.pooling[static_cast<std::size_t>(level)];
  }
  for (std::int64_t level = levels - 2; level >= 0; --level) {
    const auto own = static_cast<double>(network.features[static_cast<std::size_t>(level)]);
    const auto up = static_cast<double>(network.up_features(level));
    sum += cube(edge) * in * up;
    edge *= network.pooling[static_cast<std::size_t>(level)];
    const std::int64_t lost = 2 * network.convolutions;
    if (is_valid) edge = round_down_to_multiple(edge - lost, pooling_product(network, level)) + lost;
    convolve(network.skip == "concatenate" ? own + up : up, up);
    in = up;
  }
  return 2 * (sum + cube(edge) * in * folded * static_cast<double>(num_classes));
}

std::int64_t training_bytes(const NetworkOptions& network, std::int64_t num_classes, std::int64_t edge,
                            std::int64_t batch, std::int64_t threads) {
  const std::int64_t folded = network.stem * network.stem * network.stem;
  // Per convolution the graph keeps its result, the normalised and the rectified one; on the way up the
  // repeated and the joined maps come to it; going back, gradients and reordered copies of the largest level.
  const std::int64_t kept = sum_over_levels(
      network, Shape3::cube(edge),
      [&](std::int64_t, std::int64_t bytes) { return bytes * (2 * network.convolutions * 3 + 6); });
  const std::int64_t shards = ceil_divide(batch, std::int64_t{2});
  const std::int64_t at_once =
      std::min(std::max<std::int64_t>(1, threads), shards) * std::min<std::int64_t>(batch, 2);
  const std::int64_t voxels = edge * edge * edge;
  const std::int64_t io = voxels * 4 * (1 + 5 * num_classes + folded / (network.stem * network.stem));
  const std::int64_t waiting = 3 * batch * voxels * (4 + 5 * num_classes);
  const std::int64_t weights = num_parameters(network, num_classes) * 4;
  return kLibraryBytes + at_once * (kept + io) + waiting + weights * (6 + shards);
}

std::int64_t prediction_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& shape) {
  // The ways down wait for the ways up; beside them a few sets of the level that is worked on.
  const std::int64_t kept = sum_over_levels(network, shape, [](std::int64_t level, std::int64_t bytes) {
    return level == 0 ? 8 * bytes : 3 * bytes;
  });
  const std::int64_t voxels = shape.product();
  // Weights, their mean and the optimiser are loaded, and the file they come from.
  return kLibraryBytes + 2 * (kept + voxels * 4 * (2 + 4 * num_classes)) +
         num_parameters(network, num_classes) * 4 * 10;
}

}  // namespace organon::nn
