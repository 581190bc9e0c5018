#pragma once

#include <vector>

#include "organon/nn/network_options.h"
#include "organon/nn/torch.h"

namespace organon::nn {

/// Convolutions of one level and direction, each with its normalization and ReLU; with "same" padding and
/// normalization the last one adds the first one's result, which makes deep networks learn faster.
class LevelImpl : public torch::nn::Module {
 public:
  LevelImpl(std::int64_t in, std::int64_t out, const NetworkOptions& options);
  torch::Tensor forward(torch::Tensor x);

 private:
  bool is_normalized_;
  bool is_same_;
  std::vector<torch::nn::Conv3d> convolutions_;
  std::vector<torch::nn::BatchNorm3d> norms_;
};
TORCH_MODULE(Level);

/// The U-Net that NetworkOptions describe, with linear outputs.
class UNetImpl : public torch::nn::Module {
 public:
  UNetImpl(const NetworkOptions& options, std::int64_t num_classes);
  /// Shapes: N 1 D H W -> N classes D' H' W', see output_edge().
  torch::Tensor forward(torch::Tensor x);

 private:
  torch::Tensor fold(const torch::Tensor& x) const;
  torch::Tensor unfold(const torch::Tensor& x) const;

  NetworkOptions options_;
  std::int64_t num_classes_;
  std::vector<Level> down_;
  std::vector<torch::nn::Conv3d> mix_;
  std::vector<Level> up_;
  torch::nn::Conv3d head_{nullptr};
};
TORCH_MODULE(UNet);

}  // namespace organon::nn
