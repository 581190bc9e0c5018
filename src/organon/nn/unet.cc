#include "organon/nn/unet.h"

#include <fmt/format.h>

#include "organon/geometry/integer_division.h"

namespace organon::nn {
namespace {

namespace functional = torch::nn::functional;

torch::Tensor centre_crop(const torch::Tensor& x, std::int64_t edge) {
  const std::int64_t first = (x.size(2) - edge) / 2;
  if (first == 0 && x.size(2) == edge) return x;
  return x.narrow(2, first, edge)
      .narrow(3, (x.size(3) - edge) / 2, edge)
      .narrow(4, (x.size(4) - edge) / 2, edge);
}

// A convolution in the number type of `x`; weights stay float32. (Autocast would do the same, but its C++
// interface changes with libtorch's versions.)
torch::Tensor convolve(torch::nn::Conv3d& convolution, const torch::Tensor& x, std::int64_t padding) {
  if (x.scalar_type() == torch::kFloat32) return convolution->forward(x);
  const auto as_x = [&](const torch::Tensor& weight, torch::MemoryFormat format) {
    return weight.defined() ? weight.to(x.scalar_type(), false, false, format) : weight;
  };
  return torch::conv3d(x, as_x(convolution->weight, torch::MemoryFormat::ChannelsLast3d),
                       as_x(convolution->bias, torch::MemoryFormat::Preserve), 1, padding);
}

// Each voxel `factor` times along each axis.
torch::Tensor repeat(const torch::Tensor& x, std::int64_t factor) {
  if (x.scalar_type() == torch::kFloat32) {
    return functional::interpolate(x, functional::InterpolateFuncOptions()
                                          .scale_factor(std::vector<double>(3, static_cast<double>(factor)))
                                          .mode(torch::kNearest));
  }
  // libtorch's own repetition would put channels first again.
  const std::int64_t n = x.size(0), c = x.size(1), d = x.size(2), h = x.size(3), w = x.size(4);
  return x.permute({0, 2, 3, 4, 1})
      .reshape({n, d, 1, h, 1, w, 1, c})
      .expand({n, d, factor, h, factor, w, factor, c})
      .reshape({n, d * factor, h * factor, w * factor, c})
      .permute({0, 4, 1, 2, 3});
}

}  // namespace

LevelImpl::LevelImpl(std::int64_t in, std::int64_t out, const NetworkOptions& options)
    : is_normalized_(options.normalization == "batch"), is_same_(options.padding == "same") {
  for (std::int64_t i = 0; i < options.convolutions; ++i) {
    auto convolution = torch::nn::Conv3dOptions(i == 0 ? in : out, out, 3).bias(!is_normalized_);
    if (is_same_) convolution.padding(1);
    convolutions_.push_back(register_module(fmt::format("convolution{}", i), torch::nn::Conv3d(convolution)));
    if (is_normalized_)
      norms_.push_back(register_module(fmt::format("norm{}", i), torch::nn::BatchNorm3d(out)));
  }
}

torch::Tensor LevelImpl::forward(torch::Tensor x) {
  torch::Tensor first;
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    x = convolve(convolutions_[i], x, is_same_ ? 1 : 0);
    if (is_normalized_) x = norms_[i]->forward(x);
    const bool adds = is_normalized_ && is_same_ && i > 0 && i + 1 == convolutions_.size();
    x = torch::relu(adds ? x + first : x);
    if (i == 0) first = x;
  }
  return x;
}

UNetImpl::UNetImpl(const NetworkOptions& options, std::int64_t num_classes)
    : options_(options), num_classes_(num_classes) {
  const std::int64_t folded = options.stem * options.stem * options.stem;
  std::int64_t in = folded;
  for (std::size_t i = 0; i < options.features.size(); ++i) {
    down_.push_back(register_module(fmt::format("down{}", i), Level(in, options.features[i], options)));
    in = options.features[i];
  }
  for (std::int64_t level = options.num_levels() - 2; level >= 0; --level) {
    const std::int64_t out = options.up_features(level);
    mix_.push_back(register_module(fmt::format("mix{}", level),
                                   torch::nn::Conv3d(torch::nn::Conv3dOptions(in, out, 1).bias(false))));
    const std::int64_t joined =
        options.skip == "concatenate" ? out + options.features[static_cast<std::size_t>(level)] : out;
    up_.push_back(register_module(fmt::format("up{}", level), Level(joined, out, options)));
    in = out;
  }
  head_ = register_module("head", torch::nn::Conv3d(torch::nn::Conv3dOptions(in, folded * num_classes, 1)));
}

torch::Tensor UNetImpl::forward(torch::Tensor x) {
  x = fold(x);
  // Tensor cores take bfloat16 with channels last.
  if (x.is_cuda()) x = x.to(torch::kBFloat16, false, false, torch::MemoryFormat::ChannelsLast3d);
  std::vector<torch::Tensor> skips;
  for (std::size_t i = 0; i < down_.size(); ++i) {
    x = down_[i]->forward(x);
    if (i + 1 == down_.size()) break;
    skips.push_back(x);
    x = torch::max_pool3d(x, options_.pooling[i]);
  }
  std::int64_t multiple = 1;
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const std::size_t level = up_.size() - 1 - i;
    const std::int64_t factor = options_.pooling[level];
    multiple *= factor;
    x = convolve(mix_[i], x, 0);
    if (options_.normalization == "none") x = torch::relu(x);
    x = repeat(x, factor);
    torch::Tensor skip = skips[level];
    if (options_.padding == "valid") {
      const std::int64_t lost = 2 * options_.convolutions;
      x = centre_crop(x, round_down_to_multiple(x.size(2) - lost, multiple) + lost);
      skip = centre_crop(skip, x.size(2));
    }
    x = up_[i]->forward(options_.skip == "concatenate" ? torch::cat({skip, x}, 1) : x + skip);
  }
  return unfold(head_->forward(x.to(torch::kFloat32)));
}

torch::Tensor UNetImpl::fold(const torch::Tensor& x) const {
  const std::int64_t s = options_.stem;
  if (s == 1) return x;
  const std::int64_t n = x.size(0), d = x.size(2) / s, h = x.size(3) / s, w = x.size(4) / s;
  return x.reshape({n, d, s, h, s, w, s})
      .permute({0, 2, 4, 6, 1, 3, 5})
      .reshape({n, s * s * s, d, h, w})
      .contiguous();
}

torch::Tensor UNetImpl::unfold(const torch::Tensor& x) const {
  const std::int64_t s = options_.stem;
  if (s == 1) return x;
  const std::int64_t n = x.size(0), d = x.size(2), h = x.size(3), w = x.size(4);
  return x.reshape({n, num_classes_, s, s, s, d, h, w})
      .permute({0, 1, 5, 2, 6, 3, 7, 4})
      .reshape({n, num_classes_, d * s, h * s, w * s});
}

}  // namespace organon::nn
