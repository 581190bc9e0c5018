#pragma once

#include "organon/nn/network_shapes.h"

namespace organon::nn {

/// Number of weights and biases, with `num_classes` outputs.
std::int64_t num_parameters(const NetworkOptions& network, std::int64_t num_classes);

/// One convolution of a network for one input.
struct Convolution {
  Shape3 input;  ///< voxels of its maps, without padding
  Shape3 kernel;
  bool is_padded = false;  ///< its result has the voxels of its input
  std::int64_t in = 0;     ///< maps
  std::int64_t out = 0;

  Shape3 output() const { return is_padded ? input : input - kernel + Shape3::cube(1); }
};
/// All of them, in the order in which they are computed. None where the input does not fit.
std::vector<Convolution> convolutions_of(const NetworkOptions& network, std::int64_t num_classes,
                                         const Shape3& input);

/// Multiplications and additions of convolutions in one prediction of `input`, borders counted exactly; a
/// training step takes three times as many. 0 where the input does not fit.
double forward_operations(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input);
/// The same per input voxel, where nothing is lost at borders: the least that any tile takes.
double operations_per_voxel(const NetworkOptions& network, std::int64_t num_classes);

/// Upper bounds of memory, weights and their optimiser included: of one training step on the processor with
/// `threads` threads on patches of shape `input`; of predicting an input of shape `input` in float32.
std::int64_t training_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input,
                            std::int64_t batch, std::int64_t threads);
std::int64_t prediction_bytes(const NetworkOptions& network, std::int64_t num_classes, const Shape3& input);

/// The tile with the largest nearly cubic input that prediction_bytes() says fits `memory_bytes`, up to 1024
/// voxels an edge. Nothing where none does.
std::optional<Tile> largest_tile(const NetworkOptions& network, std::int64_t num_classes,
                                 std::int64_t memory_bytes, std::int64_t halo);

}  // namespace organon::nn
