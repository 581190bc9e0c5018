#include "organon/nn/network.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/nn/loss.h"
#include "organon/nn/process_group.h"
#include "organon/nn/torch.h"
#include "organon/nn/unet.h"

namespace organon::nn {
namespace {

// Samples that one thread takes together: float32 convolutions of libtorch 1.13 are many times slower with
// one.
constexpr std::size_t kShardSize = 2;

constexpr char kCuda[] = "cuda";
constexpr char kCpu[] = "cpu";

torch::Device choose_device(const std::string& type) {
  if (type.empty()) return choose_device(has_device(kCuda) ? kCuda : kCpu);
  if (!has_device(type)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("there is no device of the kind '{}' here", type));
  }
  return type == kCuda ? torch::Device(torch::kCUDA) : torch::Device(torch::kCPU);
}

// Without a copy: used before the voxels change or go.
template <class T>
torch::Tensor view_of(const Array<T>& voxels, torch::ScalarType type) {
  const Shape3 shape = voxels.shape();
  return torch::from_blob(const_cast<T*>(voxels.data()), {shape.z, shape.y, shape.x}, type);
}

// Runs work(0) .. work(count - 1), each once, on up to `threads` threads. libtorch's own threads are not
// used: two of them that share a busy processor wait for each other at every layer.
void run_parallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto run = [&] {
    torch::set_num_threads(1);
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        error = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const std::size_t num_threads =
        std::min<std::size_t>(count, static_cast<std::size_t>(std::max(1, threads)));
    for (std::size_t i = 1; i < num_threads; ++i) others.emplace_back(run);
    run();
  }
  if (error) std::rethrow_exception(error);
}

// Tensors of one shape as one on the device, each copied once.
torch::Tensor stack_on(const torch::Device& device, const std::vector<torch::Tensor>& tensors) {
  std::vector<std::int64_t> sizes = tensors.at(0).sizes().vec();
  sizes.insert(sizes.begin(), static_cast<std::int64_t>(tensors.size()));
  const torch::Tensor all = torch::empty(sizes, tensors[0].options().device(device));
  for (std::size_t i = 0; i < tensors.size(); ++i) all[static_cast<std::int64_t>(i)].copy_(tensors[i]);
  return all;
}

std::vector<Array<float>> arrays_of(const torch::Tensor& maps) {
  std::vector<Array<float>> result;
  for (std::int64_t c = 0; c < maps.size(0); ++c) {
    const torch::Tensor map = maps[c].contiguous();
    Array<float> values = Array<float>::uninitialized({map.size(0), map.size(1), map.size(2)});
    std::memcpy(values.data(), map.data_ptr<float>(),
                static_cast<std::size_t>(values.size()) * sizeof(float));
    result.push_back(std::move(values));
  }
  return result;
}

// In one call: messages cost time, however small.
void sum_over_ranks(ProcessGroup& group, std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> flat;
  for (const torch::Tensor& tensor : tensors) flat.push_back(tensor.flatten().to(torch::kCPU));
  const torch::Tensor all = torch::cat(flat).contiguous();
  group.sum(std::span(all.data_ptr<float>(), static_cast<std::size_t>(all.numel())));
  std::int64_t begin = 0;
  for (torch::Tensor& tensor : tensors) {
    tensor.copy_(all.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
}

std::size_t num_pieces(std::size_t whole, std::size_t piece) { return (whole + piece - 1) / piece; }

}  // namespace

std::vector<std::string> device_types() { return {kCuda, kCpu}; }

bool has_device(const std::string& type) {
  return type == kCpu || (type == kCuda && torch::cuda::is_available());
}

struct Network::Impl {
  Impl(const NetworkInfo& network_info, const std::string& device_type)
      : info((network_info.options.check(), network_info)),
        device(choose_device(device_type)),
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
    for (const torch::Tensor& weight : weights->parameters()) {
      first_moments.push_back(torch::zeros_like(weight));
      second_moments.push_back(torch::zeros_like(weight));
    }
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
        if (keep == 0 || !targets[i].is_floating_point()) {
          targets[i].copy_(sources[i]);
        } else {
          targets[i].mul_(keep).add_(sources[i], 1 - keep);
        }
      }
    };
    blend(from.parameters(), to.parameters());
    blend(from.buffers(), to.buffers());
  }

  // One network per shard that is run at once: all look at the same weights, each has its own gradients and
  // statistics, so that the sums do not depend on which thread took which shard.
  std::vector<UNet>& replicas_for(std::size_t num_shards) {
    if (replicas.empty()) replicas.push_back(weights);
    const torch::NoGradGuard no_gradient;
    while (replicas.size() < num_shards) {
      UNet replica(info.options, static_cast<std::int64_t>(info.classes.size()));
      replica->to(device);
      const auto shared = weights->parameters();
      auto own = replica->parameters();
      for (std::size_t i = 0; i < own.size(); ++i) own[i].set_data(shared[i].data());
      replicas.push_back(replica);
    }
    for (std::size_t r = 1; r < num_shards; ++r) replicas[r]->zero_grad();
    return replicas;
  }

  // One step of Adam [kingma2015adam].
  void descend(const OptimizerOptions& options) {
    constexpr double kEpsilon = 1e-8;
    const torch::NoGradGuard no_gradient;
    const auto count = static_cast<double>(step + 1);
    const double rate = options.learning_rate / (1 - std::pow(options.beta1, count));
    const double correction = std::sqrt(1 - std::pow(options.beta2, count));
    auto parameters = weights->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor& gradient = parameters[i].grad();
      if (!gradient.defined()) continue;
      first_moments[i].mul_(options.beta1).add_(gradient, 1 - options.beta1);
      second_moments[i].mul_(options.beta2).addcmul_(gradient, gradient, 1 - options.beta2);
      parameters[i].addcdiv_(first_moments[i], second_moments[i].sqrt().div_(correction).add_(kEpsilon),
                             -rate);
    }
  }

  using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

  // Weights and statistics, always in the same order.
  static NamedTensors named_tensors(const std::string& prefix, UNetImpl& network) {
    NamedTensors all;
    for (const auto& item : network.named_parameters()) all.emplace_back(prefix + item.key(), item.value());
    for (const auto& item : network.named_buffers()) {
      // The normalization's count of batches is not used.
      if (item.value().is_floating_point()) all.emplace_back(prefix + item.key(), item.value());
    }
    return all;
  }

  // What predictions need.
  NamedTensors tensors_of_mean() { return named_tensors("mean.", *mean); }

  // Everything that a checkpoint holds.
  NamedTensors all_tensors() {
    NamedTensors all = named_tensors("weights.", *weights);
    for (auto& named : tensors_of_mean()) all.push_back(std::move(named));
    for (std::size_t i = 0; i < first_moments.size(); ++i) {
      all.emplace_back(fmt::format("first_moment.{}", i), first_moments[i]);
      all.emplace_back(fmt::format("second_moment.{}", i), second_moments[i]);
    }
    return all;
  }

  void save(const std::filesystem::path& path, const NamedTensors& tensors) const {
    const torch::NoGradGuard no_gradient;
    NetworkFile file{info, step, {}};
    for (const auto& [name, tensor] : tensors) {
      const torch::Tensor values = tensor.to(torch::kCPU).to(torch::kFloat32).contiguous();
      const auto* first = values.data_ptr<float>();
      file.tensors.push_back({name, {first, first + values.numel()}});
    }
    write_text_atomically(path, encode_network(file));
  }

  // Whether all of a file's tensors, and no others, are these; then they have its values.
  static bool fill(const NamedTensors& tensors, const NetworkFile& file) {
    bool fits = tensors.size() == file.tensors.size();
    for (std::size_t i = 0; fits && i < tensors.size(); ++i) {
      const auto& [name, tensor] = tensors[i];
      const NetworkFile::Tensor& stored = file.tensors[i];
      fits = stored.name == name && static_cast<std::int64_t>(stored.values.size()) == tensor.numel();
      if (!fits) break;
      const torch::Tensor values = torch::empty(tensor.sizes(), torch::kFloat32);
      std::memcpy(values.data_ptr(), stored.values.data(), stored.values.size() * sizeof(float));
      tensor.copy_(values);
    }
    return fits;
  }

  // Statistics of the normalization: those of all shards, each of which begins with the network's.
  static std::vector<torch::Tensor> statistics_of(UNetImpl& network) {
    std::vector<torch::Tensor> statistics = network.buffers();
    // The normalization's count of batches is not used.
    std::erase_if(statistics, [](const torch::Tensor& one) { return !one.is_floating_point(); });
    return statistics;
  }

  // The gradients of all samples of the batch in the weights, and the means of the statistics over all
  // shards; returns the loss per class. Summed in the order of the shards, however many are run at once.
  torch::Tensor differentiate(std::size_t num_shards, std::size_t at_once, const OptimizerOptions& options,
                              ProcessGroup* group,
                              const std::function<torch::Tensor(UNet&, std::size_t)>& loss_of) {
    const torch::NoGradGuard no_gradient;
    if (options.is_settled) {
      auto own = statistics_of(*weights);
      const auto settled = statistics_of(*mean);
      for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(settled[i]);
    }
    std::vector<torch::Tensor> before, sums;
    for (const torch::Tensor& one : statistics_of(*weights)) {
      before.push_back(one.clone());
      sums.push_back(torch::zeros_like(one));
    }
    weights->zero_grad();
    torch::Tensor loss;
    for (std::size_t first = 0; first < num_shards; first += at_once) {
      const std::size_t count = std::min(at_once, num_shards - first);
      std::vector<UNet>& networks = replicas_for(count);
      std::vector<torch::Tensor> losses(count);
      for (std::size_t r = 0; r < count; ++r) {
        auto own = statistics_of(*networks[r]);
        for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(before[i]);
      }
      run_parallel(count, options.threads, [&](std::size_t r) {
        const torch::AutoGradMode with_gradient(true);
        networks[r]->train(!options.is_settled);
        const torch::Tensor per_class = loss_of(networks[r], first + r);
        losses[r] = per_class.detach();
        per_class.sum().backward();
      });
      const auto to = weights->parameters();
      for (std::size_t r = 0; r < count; ++r) {
        loss = loss.defined() ? loss + losses[r] : losses[r];
        const auto own = statistics_of(*networks[r]);
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i].add_(own[i]);
        if (r == 0) continue;  // its gradients are the weights', to which they were added
        const auto from = networks[r]->parameters();
        for (std::size_t i = 0; i < to.size(); ++i) to[i].grad().add_(from[i].grad());
      }
    }
    if (group != nullptr) {
      std::vector<torch::Tensor> all = sums;
      for (const torch::Tensor& weight : weights->parameters()) all.push_back(weight.grad());
      all.push_back(loss);
      sum_over_ranks(*group, all);
      num_shards *= static_cast<std::size_t>(group->size());
    }
    if (options.is_settled) return loss;
    auto statistics = statistics_of(*weights);
    for (std::size_t i = 0; i < sums.size(); ++i)
      statistics[i].copy_(sums[i].div_(static_cast<double>(num_shards)));
    return loss;
  }

  NetworkInfo info;
  torch::Device device;
  UNet weights;
  UNet mean;
  std::vector<UNet> replicas;
  std::vector<torch::Tensor> first_moments;  // of the gradients, as Adam keeps them
  std::vector<torch::Tensor> second_moments;
  std::int64_t step = 0;
};

Network::Network(const NetworkInfo& info, const std::string& device)
    : impl_(std::make_unique<Impl>(info, device)) {}
Network::Network(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

const NetworkInfo& Network::info() const { return impl_->info; }
std::int64_t Network::step() const { return impl_->step; }

std::vector<double> Network::train_step(const TrainingBatch& batch, const OptimizerOptions& options,
                                        ProcessGroup* group) {
  Impl& self = *impl_;
  const std::size_t num_classes = self.info.classes.size();
  const std::size_t num_samples = batch.raw.size();
  ORGANON_CHECK(num_samples > 0 && batch.targets.size() == num_samples && batch.masks.size() == num_samples);
  ORGANON_CHECK(options.accumulate > 0);
  torch::set_num_threads(1);
  const Balance balance(batch, options, group);
  const std::size_t num_of_all = num_samples * static_cast<std::size_t>(group == nullptr ? 1 : group->size());
  const std::size_t part_size = num_pieces(num_samples, static_cast<std::size_t>(options.accumulate));
  const std::size_t shard_size = self.device.is_cpu() ? kShardSize : part_size;
  const torch::ScalarType type = trains_in_bfloat16(self.device.is_cuda() ? kCuda : kCpu, options.precision)
                                     ? torch::kBFloat16
                                     : torch::kFloat32;
  const auto loss_of_shard = [&](UNet& network, std::size_t shard) {
    network->compute_in(type);
    std::vector<torch::Tensor> raw, targets, masks;
    for (std::size_t i = shard * shard_size; i < std::min(num_samples, (shard + 1) * shard_size); ++i) {
      raw.push_back(view_of(batch.raw[i], torch::kFloat32));
      for (std::size_t c = 0; c < num_classes; ++c) {
        targets.push_back(view_of(batch.targets[i][c], torch::kFloat32));
        masks.push_back(view_of(batch.masks[i][c], torch::kUInt8));
      }
    }
    const auto count = static_cast<std::int64_t>(raw.size());
    const auto per_class = [&](const torch::Tensor& maps) {
      return maps.view(
          {count, static_cast<std::int64_t>(num_classes), maps.size(1), maps.size(2), maps.size(3)});
    };
    const torch::Tensor output = network->forward(stack_on(self.device, raw).unsqueeze(1));
    return loss_per_class(output, per_class(stack_on(self.device, targets)),
                          per_class(stack_on(self.device, masks)), balance, options.loss, num_of_all);
  };
  const torch::Tensor sum = self.differentiate(
      num_pieces(num_samples, shard_size), num_pieces(part_size, shard_size), options, group, loss_of_shard);
  std::vector<double> losses;
  for (std::size_t c = 0; c < num_classes; ++c) {
    losses.push_back(sum[static_cast<std::int64_t>(c)].item<double>());
    if (!std::isfinite(losses.back())) {
      throw Error(
          ErrorKind::kInternal,
          fmt::format(
              "training step {}: the loss of class {} is {}; the last good checkpoint is kept (try a smaller "
              "learning rate)",
              self.step + 1, self.info.classes[c], losses.back()));
    }
  }
  if (options.gradient_limit > 0)
    torch::nn::utils::clip_grad_norm_(self.weights->parameters(), options.gradient_limit);
  self.descend(options);
  self.info.boundary_levels.clear();
  ++self.step;
  const torch::NoGradGuard no_gradient;
  // A short memory first, so that the mean does not hold on to the first random weights.
  const auto steps = static_cast<double>(self.step);
  Impl::copy(*self.weights, *self.mean, std::min(options.average, (1 + steps) / (10 + steps)));
  return losses;
}

void Network::set_boundary_levels(const std::vector<double>& levels) {
  ORGANON_CHECK(levels.empty() || levels.size() == impl_->info.classes.size());
  for (const double level : levels) ORGANON_CHECK(std::abs(level) < 1);
  impl_->info.boundary_levels = levels;
}

std::vector<std::vector<Array<float>>> Network::predict(const std::vector<Array<float>>& inputs) const {
  torch::set_num_threads(1);
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> tensors;
  for (const Array<float>& input : inputs) {
    ORGANON_CHECK(input.shape() == inputs[0].shape());
    tensors.push_back(view_of(input, torch::kFloat32).unsqueeze(0));
  }
  torch::Tensor output = impl_->mean->forward(torch::stack(tensors).to(impl_->device)).to(torch::kCPU);
  const std::vector<double>& levels = impl_->info.boundary_levels;
  if (!levels.empty()) output = output - torch::tensor(levels, torch::kFloat32).view({1, -1, 1, 1, 1});
  std::vector<std::vector<Array<float>>> result;
  for (std::int64_t i = 0; i < output.size(0); ++i) result.push_back(arrays_of(output[i]));
  return result;
}

Hash128 Network::hash() const {
  const torch::NoGradGuard no_gradient;
  std::vector<Hash128> hashes;
  for (const auto& [name, tensor] : impl_->all_tensors()) {
    const torch::Tensor values = tensor.to(torch::kCPU).to(torch::kFloat32).contiguous();
    const std::span<const float> all(values.data_ptr<float>(), static_cast<std::size_t>(values.numel()));
    hashes.push_back(hash_bytes(std::as_bytes(all)));
  }
  return hash_bytes(std::as_bytes(std::span(hashes)));
}

void Network::save(const std::filesystem::path& path) const { impl_->save(path, impl_->all_tensors()); }

void Network::save_for_prediction(const std::filesystem::path& path) const {
  impl_->save(path, impl_->tensors_of_mean());
}

Network Network::load(const std::filesystem::path& path, const std::string& device) {
  const NetworkFile file = decode_network(read_text(path), path.string());
  auto impl = std::make_unique<Impl>(file.info, device);
  impl->step = file.step;
  const torch::NoGradGuard no_gradient;
  const Impl::NamedTensors of_mean = impl->tensors_of_mean();
  const bool is_for_prediction = file.tensors.size() == of_mean.size();
  if (!Impl::fill(is_for_prediction ? of_mean : impl->all_tensors(), file)) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: its weights do not fit the network that its options make", path.string()));
  }
  if (is_for_prediction) Impl::copy(*impl->mean, *impl->weights, 0);
  impl->mean->eval();
  return Network(std::move(impl));
}

Network Network::start_from(const std::filesystem::path& path, const NetworkInfo& info,
                            const std::string& device) {
  const Network source = load(path, device);
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", path.string(), why));
  };
  if (options_to_json(source.info().options) != options_to_json(info.options)) {
    refuse(fmt::format("its network is another one than training is to begin with: {} and {}",
                       options_to_json(source.info().options), options_to_json(info.options)));
  }
  Network network(info, device);
  const torch::NoGradGuard no_gradient;
  const std::vector<std::string>& known = source.info().classes;
  const auto num_classes = static_cast<std::int64_t>(info.classes.size());
  bool shares_class = false;
  const auto from = Impl::named_tensors("", *source.impl_->mean);
  const auto to = Impl::named_tensors("", *network.impl_->weights);
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (!to[i].first.starts_with("head.")) {
      to[i].second.copy_(from[i].second);
      continue;
    }
    // The outputs of a class lie together.
    const torch::Tensor old_head =
        from[i].second.flatten().view({static_cast<std::int64_t>(known.size()), -1});
    const torch::Tensor new_head = to[i].second.flatten().view({num_classes, -1});
    for (std::size_t c = 0; c < info.classes.size(); ++c) {
      const auto place = std::find(known.begin(), known.end(), info.classes[c]);
      if (place == known.end()) continue;
      new_head[static_cast<std::int64_t>(c)].copy_(old_head[place - known.begin()]);
      shares_class = true;
    }
  }
  if (!shares_class)
    refuse(fmt::format("it has none of the classes {}, but {}", fmt::join(info.classes, ", "),
                       fmt::join(known, ", ")));
  Impl::copy(*network.impl_->weights, *network.impl_->mean, 0);
  return network;
}

NetworkInfo Network::read_info(const std::filesystem::path& path) {
  return decode_network_header(read_text(path), path.string()).info;
}

}  // namespace organon::nn
