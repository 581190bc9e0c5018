#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/geometry/vec3.h"

namespace organon::nn {

/// A 3-D U-Net. Level l has features[l] maps; between levels l and l+1 lies max pooling by pooling[l] on the
/// way down and, on the way up, a 1x1x1 mix and repetition by pooling[l] ("constant" upsampling).
struct NetworkOptions {
  std::vector<std::int64_t> features = {8, 32, 64, 128};
  std::vector<std::int64_t> pooling = {2, 2, 2};
  std::int64_t convolutions = 2;   ///< 3x3x3, per level and direction
  std::int64_t stem = 2;           ///< input voxels per axis folded into channels, and unfolded at the head
  std::int64_t last_features = 0;  ///< maps of the last level on the way up; 0: features[0]
  std::string padding = "same";    ///< "same", or "valid" as in the paper
  std::string normalization = "batch";  ///< "batch" or "none"
  std::string skip = "add";             ///< how the way down joins the way up: "add" or "concatenate"

  void bind(OptionTable& table);
  /// Errors: kInvalidArgument where the values do not fit together.
  void check() const;
  std::int64_t num_levels() const { return static_cast<std::int64_t>(features.size()); }
  /// Features after convolutions on the way up at `level`.
  std::int64_t up_features(std::int64_t level) const;
};

/// The network of Heinrich et al. 2021 at 4 nm: 4 levels, features 12 times 6 per level, pooling 2, 3, 3,
/// valid. Source: [heinrich2021cosem] and its published training set-ups.
NetworkOptions paper_network();
/// Trains on a CPU in minutes: the finest level is folded into channels, where convolutions cost most.
NetworkOptions compact_network();
/// "compact" or "paper". Errors: kInvalidArgument.
NetworkOptions network_preset(const std::string& name);

/// Edge in voxels of the output of a cube of `input` voxels (equal to it for "same"); 0 where the input is
/// too small.
std::int64_t output_edge(const NetworkOptions& network, std::int64_t input);
/// Inputs must be multiples of this ("same"), or give an output ("valid": see output_edge).
std::int64_t input_multiple(const NetworkOptions& network);
/// Voxels on each side that an output voxel can depend on.
std::int64_t receptive_radius(const NetworkOptions& network);
/// Number of weights and biases, with `num_classes` outputs.
std::int64_t num_parameters(const NetworkOptions& network, std::int64_t num_classes);

/// Multiplications and additions of one prediction, per input voxel; a training step takes three times as
/// many.
double operations_per_voxel(const NetworkOptions& network);

/// Multiplications and additions of one prediction of a cube of `input` voxels, borders counted exactly.
double forward_operations(const NetworkOptions& network, std::int64_t num_classes, std::int64_t input);

/// Upper bounds of memory, weights and their optimiser included: of one training step on the processor with
/// `threads` threads on cubes of `edge` voxels; of predicting two inputs of `shape` at once.
std::int64_t training_bytes(const NetworkOptions& network, std::int64_t num_classes, std::int64_t edge,
                            std::int64_t batch, std::int64_t threads);
std::int64_t prediction_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& shape);

}  // namespace organon::nn
