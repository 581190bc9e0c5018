#include "organon/nn/network.h"

#include <fmt/format.h>
#include <malloc.h>

#include <cmath>
#include <cstring>
#include <sstream>
#include <thread>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/hash.h"
#include "organon/base/json.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/torch.h"

namespace organon::nn {
namespace {

namespace functional = torch::nn::functional;

constexpr char kMagic[] = "organon network 1\n";

torch::Tensor centre_crop(const torch::Tensor& x, std::int64_t edge) {
  const std::int64_t first = (x.size(2) - edge) / 2;
  if (first == 0 && x.size(2) == edge) return x;
  return x.narrow(2, first, edge)
      .narrow(3, (x.size(3) - edge) / 2, edge)
      .narrow(4, (x.size(4) - edge) / 2, edge);
}

// Convolutions of one level and direction, each with its normalization and ReLU; with normalization the last
// one adds the first one's result, which makes deep networks learn faster.
struct LevelImpl : torch::nn::Module {
  LevelImpl(std::int64_t in, std::int64_t out, const NetworkOptions& options)
      : is_normalized_(options.normalization == "batch"), is_same_(options.padding == "same") {
    for (std::int64_t i = 0; i < options.convolutions; ++i) {
      auto convolution = torch::nn::Conv3dOptions(i == 0 ? in : out, out, 3).bias(!is_normalized_);
      if (is_same_) convolution.padding(1);
      convolutions_.push_back(
          register_module(fmt::format("convolution{}", i), torch::nn::Conv3d(convolution)));
      if (is_normalized_)
        norms_.push_back(register_module(fmt::format("norm{}", i), torch::nn::BatchNorm3d(out)));
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    torch::Tensor first;
    for (std::size_t i = 0; i < convolutions_.size(); ++i) {
      x = convolutions_[i]->forward(x);
      if (is_normalized_) x = norms_[i]->forward(x);
      const bool adds = is_normalized_ && is_same_ && i > 0 && i + 1 == convolutions_.size();
      x = torch::relu(adds ? x + first : x);
      if (i == 0) first = x;
    }
    return x;
  }

 private:
  bool is_normalized_;
  bool is_same_;
  std::vector<torch::nn::Conv3d> convolutions_;
  std::vector<torch::nn::BatchNorm3d> norms_;
};
TORCH_MODULE(Level);

struct UNetImpl : torch::nn::Module {
  UNetImpl(const NetworkOptions& options, std::int64_t num_classes)
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

  // N 1 D H W -> N classes D' H' W'
  torch::Tensor forward(torch::Tensor x) {
    x = fold(x);
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
      x = mix_[i]->forward(x);
      if (options_.normalization == "none") x = torch::relu(x);
      x = functional::interpolate(x, functional::InterpolateFuncOptions()
                                         .scale_factor(std::vector<double>(3, static_cast<double>(factor)))
                                         .mode(torch::kNearest));
      torch::Tensor skip = skips[level];
      if (options_.padding == "valid") {
        const std::int64_t lost = 2 * options_.convolutions;
        x = centre_crop(x, round_down_to_multiple(x.size(2) - lost, multiple) + lost);
        skip = centre_crop(skip, x.size(2));
      }
      x = up_[i]->forward(options_.skip == "concatenate" ? torch::cat({skip, x}, 1) : x + skip);
    }
    return unfold(head_->forward(x));
  }

 private:
  torch::Tensor fold(const torch::Tensor& x) const {
    const std::int64_t s = options_.stem;
    if (s == 1) return x;
    const std::int64_t n = x.size(0), d = x.size(2) / s, h = x.size(3) / s, w = x.size(4) / s;
    return x.reshape({n, d, s, h, s, w, s})
        .permute({0, 2, 4, 6, 1, 3, 5})
        .reshape({n, s * s * s, d, h, w})
        .contiguous();
  }
  torch::Tensor unfold(const torch::Tensor& x) const {
    const std::int64_t s = options_.stem;
    if (s == 1) return x;
    const std::int64_t n = x.size(0), d = x.size(2), h = x.size(3), w = x.size(4);
    return x.reshape({n, num_classes_, s, s, s, d, h, w})
        .permute({0, 1, 5, 2, 6, 3, 7, 4})
        .reshape({n, num_classes_, d * s, h * s, w * s});
  }

  NetworkOptions options_;
  std::int64_t num_classes_;
  std::vector<Level> down_;
  std::vector<torch::nn::Conv3d> mix_;
  std::vector<Level> up_;
  torch::nn::Conv3d head_{nullptr};
};
TORCH_MODULE(UNet);

torch::Device choose_device() {
  return torch::cuda::is_available() ? torch::Device(torch::kCUDA) : torch::Device(torch::kCPU);
}

torch::Tensor tensor_of(const float* data, const Shape3& shape) {
  return torch::from_blob(const_cast<float*>(data), {shape.z, shape.y, shape.x}, torch::kFloat32).clone();
}

Json to_json(const NetworkInfo& info) {
  NetworkOptions options = info.options;
  OptionTable table;
  options.bind(table);
  return {{"options", parse_json(table.to_json(), "network options")},
          {"classes", info.classes},
          {"voxel_size_nm", info.voxel_size_nm},
          {"seed", info.seed}};
}

NetworkInfo info_from(const Json& json) {
  NetworkInfo info;
  OptionTable table;
  info.options.bind(table);
  table.set_from_json(json.at("options").dump());
  info.classes = json.at("classes").get<std::vector<std::string>>();
  info.voxel_size_nm = json.at("voxel_size_nm");
  info.seed = json.at("seed");
  return info;
}

}  // namespace

struct Network::Impl {
  explicit Impl(const NetworkInfo& network_info)
      : info((network_info.options.check(), network_info)),
        device(choose_device()),
        weights(seeded(network_info)),
        mean(network_info.options, static_cast<std::int64_t>(network_info.classes.size())) {
    // Many large blocks of equal size come and go in each step: keeping them saves a quarter of the time.
    ::mallopt(M_MMAP_MAX, 0);
    ::mallopt(M_TRIM_THRESHOLD, -1);
    weights->to(device);
    mean->to(device);
    const torch::NoGradGuard no_gradient;
    copy(*weights, *mean, 0);
    mean->eval();
    optimizer = std::make_unique<torch::optim::Adam>(weights->parameters(), torch::optim::AdamOptions(1e-3));
  }

  static UNet seeded(const NetworkInfo& info) {
    torch::manual_seed(info.seed);
    return UNet(info.options, static_cast<std::int64_t>(info.classes.size()));
  }

  // to = to * keep + from * (1 - keep), weights and statistics of the normalization alike.
  static void copy(UNetImpl& from, UNetImpl& to, double keep) {
    const auto blend = [&](const std::vector<torch::Tensor>& sources,
                           const std::vector<torch::Tensor>& targets) {
      for (std::size_t i = 0; i < sources.size(); ++i) {
        if (!targets[i].is_floating_point()) {
          targets[i].copy_(sources[i]);
        } else if (keep == 0) {
          targets[i].copy_(sources[i]);
        } else {
          targets[i].mul_(keep).add_(sources[i], 1 - keep);
        }
      }
    };
    blend(from.parameters(), to.parameters());
    blend(from.buffers(), to.buffers());
  }

  NetworkInfo info;
  torch::Device device;
  UNet weights;
  UNet mean;
  std::unique_ptr<torch::optim::Adam> optimizer;
  std::int64_t step = 0;
};

Network::Network(const NetworkInfo& info) : impl_(std::make_unique<Impl>(info)) {}
Network::Network(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

const NetworkInfo& Network::info() const { return impl_->info; }
std::int64_t Network::step() const { return impl_->step; }

std::vector<double> Network::train_step(const TrainingBatch& batch, const OptimizerOptions& options) {
  Impl& self = *impl_;
  const std::size_t num_classes = self.info.classes.size();
  std::vector<torch::Tensor> raw, targets, masks;
  for (std::size_t i = 0; i < batch.raw.size(); ++i) {
    raw.push_back(tensor_of(batch.raw[i].data(), batch.raw[i].shape()).unsqueeze(0));
    std::vector<torch::Tensor> sample_targets, sample_masks;
    for (std::size_t c = 0; c < num_classes; ++c) {
      const Array<float>& target = batch.targets[i][c];
      sample_targets.push_back(tensor_of(target.data(), target.shape()));
      const Shape3 shape = target.shape();
      sample_masks.push_back(torch::from_blob(const_cast<std::uint8_t*>(batch.masks[i][c].data()),
                                              {shape.z, shape.y, shape.x}, torch::kUInt8)
                                 .to(torch::kFloat32));
    }
    targets.push_back(torch::stack(sample_targets));
    masks.push_back(torch::stack(sample_masks));
  }
  const torch::Tensor target = torch::stack(targets).to(self.device);
  const torch::Tensor mask = torch::stack(masks).to(self.device);
  self.weights->train();
  const torch::Tensor output = self.weights->forward(torch::stack(raw).to(self.device));

  const torch::Tensor positive = target.gt(0).to(torch::kFloat32) * mask;
  const torch::Tensor annotated = mask.sum({0, 2, 3, 4}).clamp_min(1);
  const torch::Tensor share =
      (positive.sum({0, 2, 3, 4}) / annotated).clamp(0.05, 0.95).view({1, -1, 1, 1, 1});
  const torch::Tensor weight = positive / (2 * share) + (mask - positive) / (2 * (1 - share));
  const torch::Tensor per_class = (weight * (output - target).pow(2)).sum({0, 2, 3, 4}) / annotated;

  std::vector<double> losses;
  for (std::size_t c = 0; c < num_classes; ++c) {
    losses.push_back(per_class[static_cast<std::int64_t>(c)].item<double>());
    if (!std::isfinite(losses.back())) {
      throw Error(
          ErrorKind::kInternal,
          fmt::format(
              "training step {}: the loss of class {} is {}; the last good checkpoint is kept (try a smaller "
              "learning rate)",
              self.step + 1, self.info.classes[c], losses.back()));
    }
  }
  self.optimizer->zero_grad();
  per_class.sum().backward();
  if (options.gradient_limit > 0)
    torch::nn::utils::clip_grad_norm_(self.weights->parameters(), options.gradient_limit);
  for (auto& group : self.optimizer->param_groups()) {
    auto& adam = static_cast<torch::optim::AdamOptions&>(group.options());
    adam.lr(options.learning_rate);
    adam.betas({options.beta1, options.beta2});
  }
  self.optimizer->step();
  ++self.step;
  const torch::NoGradGuard no_gradient;
  // A short memory first, so that the mean does not hold on to the first random weights.
  const double steps = static_cast<double>(self.step);
  Impl::copy(*self.weights, *self.mean, std::min(options.average, (1 + steps) / (10 + steps)));
  return losses;
}

std::vector<Array<float>> Network::predict(ArrayView<const float> input) const {
  ORGANON_CHECK(input.is_contiguous());
  const std::int64_t edge = output_edge(impl_->info.options, input.shape().z);
  ORGANON_CHECK(edge > 0 && input.shape() == Shape3::cube(input.shape().z));
  const torch::NoGradGuard no_gradient;
  torch::Tensor x = tensor_of(input.data(), input.shape()).unsqueeze(0).unsqueeze(0).to(impl_->device);
  const torch::Tensor output = impl_->mean->forward(x)[0].to(torch::kCPU).contiguous();
  std::vector<Array<float>> result;
  for (std::int64_t c = 0; c < output.size(0); ++c) {
    Array<float> values = Array<float>::uninitialized(Shape3::cube(edge));
    std::memcpy(values.data(), output[c].data_ptr<float>(),
                static_cast<std::size_t>(values.size()) * sizeof(float));
    result.push_back(std::move(values));
  }
  return result;
}

// File: magic line, hash of the rest in hex, newline, header length as text, newline, JSON header, torch
// archive.
void Network::save(const std::filesystem::path& path) const {
  torch::serialize::OutputArchive archive, weights, mean, optimizer;
  impl_->weights->save(weights);
  impl_->mean->save(mean);
  impl_->optimizer->save(optimizer);
  archive.write("weights", weights);
  archive.write("mean", mean);
  archive.write("optimizer", optimizer);
  std::ostringstream stream;
  archive.save_to(stream);
  Json header = to_json(impl_->info);
  header["step"] = impl_->step;
  const std::string header_text = header.dump();
  const std::string body = fmt::format("{}\n{}{}", header_text.size(), header_text, stream.str());
  write_text_atomically(path, kMagic + to_hex(hash_text(body)) + "\n" + body);
}

Network Network::load(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", path.string(), reason));
  };
  const std::string magic = kMagic;
  if (!text.starts_with(magic)) refuse("not a network of organon");
  const std::size_t body_begin = magic.size() + 33;
  if (text.size() < body_begin + 2) refuse("truncated");
  const std::string body = text.substr(body_begin);
  if (to_hex(hash_text(body)) != text.substr(magic.size(), 32))
    refuse("truncated or damaged (its hash differs)");
  const std::size_t newline = body.find('\n');
  const std::size_t header_size = std::stoul(body.substr(0, newline));
  const Json header = parse_json(body.substr(newline + 1, header_size), path.string());
  auto impl = std::make_unique<Impl>(info_from(header));
  impl->step = header.at("step");
  std::istringstream stream(body.substr(newline + 1 + header_size));
  try {
    torch::serialize::InputArchive archive, weights, mean, optimizer;
    archive.load_from(stream, impl->device);
    archive.read("weights", weights);
    archive.read("mean", mean);
    archive.read("optimizer", optimizer);
    impl->weights->load(weights);
    impl->mean->load(mean);
    impl->optimizer->load(optimizer);
  } catch (const c10::Error& error) {
    refuse(fmt::format("its weights cannot be read: {}", error.what_without_backtrace()));
  }
  impl->mean->eval();
  return Network(std::move(impl));
}

void set_num_threads(int threads) {
  torch::set_num_threads(threads > 0 ? threads
                                     : std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

}  // namespace organon::nn
