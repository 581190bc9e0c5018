#pragma once

#include <optional>
#include <string>
#include <vector>

#include "organon/nn/network_file.h"
#include "organon/nn/torch.h"

namespace organon::nn {

/// Convolutions of one level and direction, each with its normalization and ReLU; where the network is
/// residual the last one adds the middle of the first one's result, which makes deep networks learn faster.
class LevelImpl : public torch::nn::Module {
 public:
  LevelImpl(std::int64_t level, std::int64_t in, std::int64_t out, const NetworkOptions& options);
  torch::Tensor forward(torch::Tensor x);
  /// See UNetImpl::freeze().
  void freeze(torch::ScalarType type);

 private:
  torch::Tensor normalize(std::size_t i, const torch::Tensor& x);

  bool is_residual_;
  // Around maps before a convolution: their faces repeated, or zeros.
  std::vector<std::int64_t> replicated_;
  std::vector<std::int64_t> zeros_;
  std::vector<torch::nn::Conv3d> convolutions_;
  // One of these per convolution, or none.
  std::vector<torch::nn::BatchNorm3d> batch_norms_;
  std::vector<torch::nn::GroupNorm> group_norms_;
};
TORCH_MODULE(Level);

/// The U-Net that NetworkOptions describe, with linear outputs.
class UNetImpl : public torch::nn::Module {
 public:
  UNetImpl(const NetworkOptions& options, std::int64_t num_classes);
  /// Shapes: N 1 D H W -> N classes D' H' W', see output_shape().
  torch::Tensor forward(torch::Tensor x);
  /// Outputs of each class less its level from now on; none: as they are.
  void lower_outputs(const std::vector<double>& levels);
  /// For predictions alone, once: statistics of "batch" normalization become part of the weights before them,
  /// and all weights but the head's take the type that is computed in, float32 or bfloat16.
  void freeze(torch::ScalarType type);
  /// The type that maps are computed in while weights stay float32; unasked bfloat16 on a GPU, float32
  /// elsewhere. Not after freeze().
  void compute_in(torch::ScalarType type);

 private:
  torch::Tensor mix(torch::nn::Conv3d& convolution, const torch::Tensor& x) const;
  torch::Tensor fold(const torch::Tensor& x) const;
  torch::Tensor unfold(const torch::Tensor& x) const;

  NetworkOptions options_;
  std::int64_t num_classes_;
  std::optional<torch::ScalarType> type_;
  bool is_frozen_ = false;
  std::vector<Level> down_;
  std::vector<torch::nn::Conv3d> mix_;
  std::vector<Level> up_;
  // Of networks whose output is finer than their input.
  torch::nn::Conv3d refining_mix_{nullptr};
  Level refining_{nullptr};
  torch::nn::Conv3d head_{nullptr};
};
TORCH_MODULE(UNet);

/// What predicts, from a file: the running mean of the weights, its outputs less the boundary levels, on the
/// processor, not frozen. `where` begins messages. Errors: kCorruptData where the weights do not fit the
/// network that the file's options make.
UNet load_unet(const NetworkFile& file, const std::string& where);

}  // namespace organon::nn
