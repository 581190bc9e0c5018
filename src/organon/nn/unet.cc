#include "organon/nn/unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/nn/network_shapes.h"

namespace organon::nn {
namespace {

namespace functional = torch::nn::functional;

torch::Tensor crop(const torch::Tensor& x, const Index3& begin, const Shape3& shape) {
  return x.narrow(2, begin.z, shape.z).narrow(3, begin.y, shape.y).narrow(4, begin.x, shape.x);
}

Shape3 shape_of(const torch::Tensor& x) { return {x.size(2), x.size(3), x.size(4)}; }

std::vector<std::int64_t> sizes_of(const Shape3& shape) { return {shape.z, shape.y, shape.x}; }

torch::MemoryFormat format_on(const torch::Device& device) {
  // Tensor cores take channels last; oneDNN orders channels in its own way, best from channels first.
  return device.is_cuda() ? torch::MemoryFormat::ChannelsLast3d : torch::MemoryFormat::Contiguous;
}

// A convolution in the number type of `x`; weights that learn stay float32. (Autocast would do the same, but
// its C++ interface changes with libtorch's versions.)
torch::Tensor convolve(torch::nn::Conv3d& convolution, const torch::Tensor& x,
                       const std::vector<std::int64_t>& padding) {
  const bool is_learning = torch::GradMode::is_enabled();
  if (x.scalar_type() == torch::kFloat32 && (is_learning || x.is_cuda())) {
    const torch::Tensor& kernel = convolution->weight;
    const bool has_no_neighbours = kernel.size(2) * kernel.size(3) * kernel.size(4) == 1;
    // Dilating one voxel changes nothing, but with one thread libtorch gives only dilated kernels of one
    // voxel to oneDNN, which is four times as fast as its own product of matrices by Debian's BLAS.
    return torch::conv3d(x, kernel, convolution->bias, 1, padding, has_no_neighbours && x.is_cpu() ? 2 : 1);
  }
  const torch::Tensor weight = convolution->weight.to(x.scalar_type(), false, false, format_on(x.device()));
  const torch::Tensor bias =
      convolution->bias.defined() ? convolution->bias.to(x.scalar_type()) : convolution->bias;
  if (!is_learning && x.is_cpu() && at::hasMKLDNN()) {
    // Asked directly: conv3d() takes a path fifty times slower for a few small maps of one sample.
    const std::vector<std::int64_t> ones(3, 1);
    return at::mkldnn_convolution(x.contiguous(), weight, bias, padding, ones, ones, 1);
  }
  return torch::conv3d(x, weight, bias, 1, padding);
}

// The voxels of the faces repeated outwards. libtorch's own does not take bfloat16 on processors, its
// gradients differ from run to run on cards, and those of its pieces put together (cat) pass over memory a
// dozen times.
class ReplicateFaces : public torch::autograd::Function<ReplicateFaces> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const std::vector<std::int64_t>& padding) {
    context->saved_data["padding"] = padding;
    std::vector<std::int64_t> sizes = x.sizes().vec();
    for (std::size_t axis = 0; axis < 3; ++axis) sizes[axis + 2] += 2 * padding[axis];
    torch::Tensor padded = torch::empty(sizes, x.options(), x.suggest_memory_format());
    // What the axes that are not done yet leave of it.
    std::array<torch::Tensor, 4> part;
    part[3] = padded;
    for (std::size_t axis = 3; axis-- > 0;)
      part[axis] = part[axis + 1].narrow(dim(axis), padding[axis], x.size(dim(axis)));
    part[0].copy_(x);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::int64_t width = padding[axis], size = x.size(dim(axis));
      if (width == 0) continue;
      const auto repeat = [&](std::int64_t face, std::int64_t begin) {
        const torch::Tensor outside = part[axis + 1].narrow(dim(axis), begin, width);
        outside.copy_(part[axis].narrow(dim(axis), face, 1).expand(outside.sizes()));
      };
      repeat(0, 0);
      repeat(size - 1, width + size);
    }
    return padded;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& of_padded) {
    return {fold(of_padded.front(), context->saved_data["padding"].toIntVector(), 3), torch::Tensor()};
  }

 private:
  static std::int64_t dim(std::size_t axis) { return static_cast<std::int64_t>(axis) + 2; }

  // The gradients of the first `num_axes` axes' copies added to those of the voxels that were copied.
  static torch::Tensor fold(const torch::Tensor& padded, const std::vector<std::int64_t>& padding,
                            std::size_t num_axes) {
    if (num_axes == 0) return padded.clone(padded.suggest_memory_format());
    const std::size_t axis = num_axes - 1;
    const std::int64_t width = padding[axis], size = padded.size(dim(axis)) - 2 * width;
    torch::Tensor inner = fold(padded.narrow(dim(axis), width, size), padding, axis);
    if (width == 0) return inner;
    const auto add = [&](std::int64_t face, std::int64_t begin) {
      const torch::Tensor copies = padded.narrow(dim(axis), begin, width).sum({dim(axis)}, true);
      inner.narrow(dim(axis), face, 1).add_(fold(copies, padding, axis));
    };
    add(0, 0);
    add(size - 1, width + size);
    return inner;
  }
};

torch::Tensor replicate_faces(const torch::Tensor& x, const std::vector<std::int64_t>& padding) {
  const bool is_any =
      std::any_of(padding.begin(), padding.end(), [](std::int64_t width) { return width != 0; });
  return is_any ? ReplicateFaces::apply(x, padding) : x;
}

torch::Tensor pool(const torch::Tensor& x, const Shape3& factor) {
  // libtorch 1.13 has none for bfloat16 on processors; of float32 the largest are the same.
  if (x.is_cpu() && x.scalar_type() == torch::kBFloat16)
    return torch::max_pool3d(x.to(torch::kFloat32), sizes_of(factor)).to(torch::kBFloat16);
  return torch::max_pool3d(x, sizes_of(factor));
}

// Each voxel `factor` times along the axes.
torch::Tensor repeat(const torch::Tensor& x, const Shape3& factor) {
  if (x.scalar_type() == torch::kFloat32) {
    const std::vector<double> scale{static_cast<double>(factor.z), static_cast<double>(factor.y),
                                    static_cast<double>(factor.x)};
    return functional::interpolate(
        x, functional::InterpolateFuncOptions().scale_factor(scale).mode(torch::kNearest));
  }
  const std::int64_t n = x.size(0), c = x.size(1), d = x.size(2), h = x.size(3), w = x.size(4);
  if (x.is_cpu()) {
    return x.reshape({n, c, d, 1, h, 1, w, 1})
        .expand({n, c, d, factor.z, h, factor.y, w, factor.x})
        .reshape({n, c, d * factor.z, h * factor.y, w * factor.x});
  }
  // libtorch's own repetition would put channels first again.
  return x.permute({0, 2, 3, 4, 1})
      .reshape({n, d, 1, h, 1, w, 1, c})
      .expand({n, d, factor.z, h, factor.y, w, factor.x, c})
      .reshape({n, d * factor.z, h * factor.y, w * factor.x, c})
      .permute({0, 4, 1, 2, 3});
}

void set_type(torch::nn::Conv3d& convolution, torch::ScalarType type) {
  const torch::Tensor& weight = convolution->weight;
  convolution->weight.set_data(weight.to(type, false, false, format_on(weight.device())));
  if (convolution->bias.defined()) convolution->bias = convolution->bias.to(type);
}

torch::nn::Conv3d mix_of(std::int64_t in, std::int64_t out) {
  return torch::nn::Conv3d(torch::nn::Conv3dOptions(in, out, 1).bias(false));
}

}  // namespace

LevelImpl::LevelImpl(std::int64_t level, std::int64_t in, std::int64_t out, const NetworkOptions& options)
    : is_residual_(options.is_residual()), replicated_(3, 0), zeros_(3, 0) {
  const Shape3 kernel = options.kernel_at(level);
  if (!options.is_valid()) {
    (options.padding == "replicate" ? replicated_ : zeros_) = {kernel.z / 2, kernel.y / 2, kernel.x / 2};
  }
  for (std::int64_t i = 0; i < options.convolutions; ++i) {
    const auto convolution = torch::nn::Conv3dOptions(i == 0 ? in : out, out, {kernel.z, kernel.y, kernel.x})
                                 .bias(!options.is_normalized())
                                 .padding({zeros_[0], zeros_[1], zeros_[2]});
    convolutions_.push_back(register_module(fmt::format("convolution{}", i), torch::nn::Conv3d(convolution)));
    const std::string norm = fmt::format("norm{}", i);
    if (options.normalization == "batch") {
      batch_norms_.push_back(register_module(norm, torch::nn::BatchNorm3d(out)));
    } else if (options.is_normalized()) {
      const torch::nn::GroupNormOptions groups(options.num_groups(out), out);
      group_norms_.push_back(register_module(norm, torch::nn::GroupNorm(groups)));
    }
  }
}

torch::Tensor LevelImpl::normalize(std::size_t i, const torch::Tensor& x) {
  if (!batch_norms_.empty()) return batch_norms_[i]->forward(x);
  // Group statistics want maps and weights of one number type.
  if (!group_norms_.empty()) return group_norms_[i]->forward(x.to(torch::kFloat32)).to(x.scalar_type());
  return x;
}

torch::Tensor LevelImpl::forward(torch::Tensor x) {
  torch::Tensor first;
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    x = normalize(i, convolve(convolutions_[i], replicate_faces(x, replicated_), zeros_));
    if (is_residual_ && i > 0 && i + 1 == convolutions_.size()) {
      const Shape3 shape = shape_of(x);
      const Shape3 margin = shape_of(first) - shape;
      x = x + crop(first, {margin.z / 2, margin.y / 2, margin.x / 2}, shape);
    }
    x = x.relu_();
    if (i == 0) first = x;
  }
  return x;
}

void LevelImpl::freeze(torch::ScalarType type) {
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    torch::nn::Conv3d& convolution = convolutions_[i];
    if (!batch_norms_.empty()) {
      const torch::nn::BatchNorm3d& norm = batch_norms_[i];
      const torch::Tensor scale = norm->weight / (norm->running_var + norm->options.eps()).sqrt();
      convolution->weight.mul_(scale.view({-1, 1, 1, 1, 1}));
      convolution->bias = norm->bias - norm->running_mean * scale;
    }
    set_type(convolution, type);
  }
  batch_norms_.clear();
}

UNetImpl::UNetImpl(const NetworkOptions& options, std::int64_t num_classes)
    : options_(options), num_classes_(num_classes) {
  const std::int64_t folded = options.stem * options.stem * options.stem;
  std::int64_t in = folded;
  for (std::int64_t level = 0; level < options.num_levels(); ++level) {
    const std::int64_t out = options.features[static_cast<std::size_t>(level)];
    down_.push_back(register_module(fmt::format("down{}", level), Level(level, in, out, options)));
    in = out;
  }
  for (std::int64_t level = options.num_levels() - 2; level >= 0; --level) {
    const std::int64_t out = options.up_features(level);
    mix_.push_back(register_module(fmt::format("mix{}", level), mix_of(in, out)));
    const std::int64_t joined =
        options.skip == "concatenate" ? out + options.features[static_cast<std::size_t>(level)] : out;
    up_.push_back(register_module(fmt::format("up{}", level), Level(level, joined, out, options)));
    in = out;
  }
  if (options.output_scale > 1) {
    refining_mix_ = register_module("refining_mix", mix_of(in, in));
    refining_ = register_module("refining", Level(0, in, in, options));
  }
  head_ = register_module("head", torch::nn::Conv3d(torch::nn::Conv3dOptions(in, folded * num_classes, 1)));
}

torch::Tensor UNetImpl::mix(torch::nn::Conv3d& convolution, const torch::Tensor& x) const {
  const torch::Tensor mixed = convolve(convolution, x, {0, 0, 0});
  return options_.is_normalized() ? mixed : torch::relu(mixed);
}

void UNetImpl::lower_outputs(const std::vector<double>& levels) {
  if (levels.empty()) return;
  ORGANON_CHECK(static_cast<std::int64_t>(levels.size()) == num_classes_);
  const torch::NoGradGuard no_gradient;
  // The outputs of a class lie together.
  head_->bias.view({num_classes_, -1}).sub_(torch::tensor(levels, head_->bias.options()).unsqueeze(1));
}

void UNetImpl::freeze(torch::ScalarType type) {
  ORGANON_CHECK(!is_frozen_);
  const torch::NoGradGuard no_gradient;
  eval();
  for (auto& level : down_) level->freeze(type);
  for (auto& convolution : mix_) set_type(convolution, type);
  for (auto& level : up_) level->freeze(type);
  if (options_.output_scale > 1) {
    set_type(refining_mix_, type);
    refining_->freeze(type);
  }
  is_frozen_ = true;
  type_ = type;
}

void UNetImpl::compute_in(torch::ScalarType type) {
  ORGANON_CHECK(!is_frozen_);
  type_ = type;
}

torch::Tensor UNetImpl::forward(torch::Tensor x) {
  const auto shapes = shapes_of(options_, shape_of(x));
  ORGANON_CHECK(shapes.has_value());
  const torch::ScalarType type = type_.value_or(x.is_cuda() ? torch::kBFloat16 : torch::kFloat32);
  x = fold(x).to(type, false, false, format_on(x.device()));
  std::vector<torch::Tensor> skips;
  for (std::size_t i = 0; i < down_.size(); ++i) {
    x = down_[i]->forward(x);
    if (i + 1 == down_.size()) break;
    skips.push_back(x);
    x = pool(x, options_.pooling_at(static_cast<std::int64_t>(i)));
  }
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const std::size_t level = up_.size() - 1 - i;
    const LevelShapes& at = shapes->levels[level];
    x = repeat(mix(mix_[i], x), options_.pooling_at(static_cast<std::int64_t>(level)));
    x = crop(x, at.repeated_begin, at.joined);
    const torch::Tensor skip = crop(skips[level], at.down_begin, at.joined);
    skips.pop_back();
    x = up_[i]->forward(options_.skip == "concatenate" ? torch::cat({skip, x}, 1) : x + skip);
  }
  if (options_.output_scale > 1) {
    x = refining_->forward(repeat(mix(refining_mix_, x), Shape3::cube(options_.output_scale)));
  }
  return unfold(convolve(head_, x.to(torch::kFloat32), {0, 0, 0}));
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

UNet load_unet(const NetworkFile& file, const std::string& where) {
  const torch::NoGradGuard no_gradient;
  const auto num_classes = static_cast<std::int64_t>(file.info.classes.size());
  UNet network(file.info.options, num_classes);
  std::map<std::string, const std::vector<float>*> stored;
  for (const NetworkFile::Tensor& tensor : file.tensors) stored[tensor.name] = &tensor.values;
  const auto fill = [&](const std::string& name, const torch::Tensor& tensor) {
    const auto found = stored.find("mean." + name);
    if (found == stored.end() || static_cast<std::int64_t>(found->second->size()) != tensor.numel()) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: {} does not fit the network that its options make", where, name));
    }
    std::copy(found->second->begin(), found->second->end(), tensor.data_ptr<float>());
  };
  for (const auto& item : network->named_parameters()) fill(item.key(), item.value());
  for (const auto& item : network->named_buffers())
    if (item.value().is_floating_point()) fill(item.key(), item.value());
  network->lower_outputs(file.info.boundary_levels);
  return network;
}

}  // namespace organon::nn
