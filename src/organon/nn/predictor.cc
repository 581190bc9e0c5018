#include "organon/nn/predictor.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/nn/network_file.h"
#include "organon/nn/quantize.h"
#include "organon/nn/torch.h"
#include "organon/nn/unet.h"

namespace organon::nn {
namespace {

/// Mirrored axes (1: x, 2: y, 4: z) in the order in which copies take them.
constexpr std::array<int, 8> kMirrors = {0, 7, 1, 6, 2, 5, 4, 3};

// Axes of C D H W or D H W that a mirrored copy turns round (bits 1: x, 2: y, 4: z).
std::vector<std::int64_t> axes_of(int mirror) {
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < 3; ++axis)
    if ((mirror >> axis & 1) != 0) axes.push_back(-1 - axis);
  return axes;
}

torch::Tensor turned(const torch::Tensor& x, int mirror) {
  return mirror == 0 ? x : torch::flip(x, axes_of(mirror));
}

// `inner` of an output of `shape`, in the output of the mirrored copy.
Box mirrored(Box inner, int mirror, const Shape3& shape) {
  const auto turn = [](std::int64_t& begin, std::int64_t& end, std::int64_t size) {
    std::tie(begin, end) = std::pair(size - end, size - begin);
  };
  if ((mirror & 1) != 0) turn(inner.begin.x, inner.end.x, shape.x);
  if ((mirror & 2) != 0) turn(inner.begin.y, inner.end.y, shape.y);
  if ((mirror & 4) != 0) turn(inner.begin.z, inner.end.z, shape.z);
  return inner;
}

torch::Tensor part(const torch::Tensor& x, const Box& box) {
  const Shape3 shape = box.shape();
  return x.narrow(-3, box.begin.z, shape.z).narrow(-2, box.begin.y, shape.y).narrow(-1, box.begin.x, shape.x);
}

template <class T>
torch::Tensor view_of(const Array<T>& voxels, torch::ScalarType type) {
  const Shape3 shape = voxels.shape();
  return torch::from_blob(const_cast<T*>(voxels.data()), {shape.z, shape.y, shape.x}, type);
}

// What predicts by itself.
class Model {
 public:
  virtual ~Model() = default;
  // D H W float32 on the device -> classes D H W float32 there.
  virtual torch::Tensor predict(const torch::Tensor& raw) = 0;
};

class TrainedNetwork : public Model {
 public:
  TrainedNetwork(const std::filesystem::path& path, const torch::Device& device, torch::ScalarType type)
      : network_(load_unet(decode_network(read_text(path), path.string()), path.string())) {
    network_->to(device);
    network_->freeze(type);
  }
  torch::Tensor predict(const torch::Tensor& raw) override {
    return network_->forward(raw.unsqueeze(0).unsqueeze(0))[0];
  }

 private:
  UNet network_;
};

torch::Tensor as_distance(const torch::Tensor& output, ScriptInfo::Output kind) {
  if (kind == ScriptInfo::Output::kProbability) return 2 * output - 1;
  if (kind == ScriptInfo::Output::kLogit) return 2 * torch::sigmoid(output) - 1;
  return output;
}

// float32 convolutions of deep levels, with one input.
constexpr bool kIsSlowWithOne = TORCH_VERSION_MAJOR < 2;

class ScriptModule : public Model {
 public:
  ScriptModule(const std::filesystem::path& path, const torch::Device& device)
      : info_(read_script_info(path)), where_(path.string()), device_(device) {
    try {
      module_ = torch::jit::load(path.string(), device_);
      module_.eval();
    } catch (const c10::Error& error) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: no TorchScript module that can be read: {}",
                                                       where_, error.what_without_backtrace()));
    }
  }

  torch::Tensor predict(const torch::Tensor& input) override {
    const Shape3 shape{input.size(0), input.size(1), input.size(2)};
    torch::Tensor raw = (input + 1) * ((info_.high - info_.low) / 2) + info_.low;
    // Slices are a batch.
    raw = info_.is_slice_wise ? raw.unsqueeze(1) : raw.unsqueeze(0).unsqueeze(0);
    // Two of the same take less than half the time of one there.
    if (kIsSlowWithOne && device_.is_cpu() && !info_.is_slice_wise) raw = raw.repeat({2, 1, 1, 1, 1});
    torch::Tensor output;
    try {
      output = module_.forward({raw}).toTensor().to(device_, torch::kFloat32);
    } catch (const std::exception& error) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: it fails on an input of {}: {}", where_,
                                                       to_string(shape), first_line(error.what())));
    }
    const Shape3& wanted = info_.output_shape;
    const std::int64_t most = *std::max_element(info_.channels.begin(), info_.channels.end());
    std::vector<std::int64_t> edges = {wanted.z, wanted.y, wanted.x};
    if (info_.is_slice_wise) edges.erase(edges.begin());
    if (output.dim() != raw.dim() || output.size(0) != raw.size(0) || output.size(1) <= most ||
        output.sizes().slice(2) != torch::IntArrayRef(edges)) {
      throw Error(
          ErrorKind::kCorruptData,
          fmt::format("{}: expected {} channels or more of {} voxels for a batch of {}, found {}", where_,
                      most + 1, fmt::join(edges, " x "), raw.size(0), fmt::join(output.sizes(), " x ")));
    }
    output = info_.is_slice_wise ? output.permute({1, 0, 2, 3}) : output[0];
    const torch::Tensor channels = torch::tensor(info_.channels).to(device_);
    return as_distance(output, info_.output).index_select(0, channels);
  }

 private:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  ScriptInfo info_;
  std::string where_;
  torch::Device device_;
  torch::jit::script::Module module_;
};

}  // namespace

bool PredictorInfo::agrees_with(const PredictorInfo& other) const {
  if (classes != other.classes || voxel_size_nm != other.voxel_size_nm ||
      output_scale != other.output_scale || network.has_value() != other.network.has_value() ||
      script.has_value() != other.script.has_value()) {
    return false;
  }
  if (network && options_to_json(*network) != options_to_json(*other.network)) return false;
  return !script || (script->input_shape == other.script->input_shape &&
                     script->output_shape == other.script->output_shape &&
                     script->is_slice_wise == other.script->is_slice_wise);
}

PredictorInfo read_predictor_info(const std::filesystem::path& path) {
  PredictorInfo info;
  if (is_script(path)) {
    info.script = read_script_info(path);
    info.classes = info.script->classes;
    info.voxel_size_nm = info.script->voxel_size_nm;
    info.output_scale = info.script->output_scale;
    return info;
  }
  const NetworkFile file = decode_network_header(read_text(path), path.string());
  info.classes = file.info.classes;
  info.voxel_size_nm = file.info.voxel_size_nm;
  info.output_scale = file.info.options.output_scale;
  info.step = file.step;
  info.network = file.info.options;
  return info;
}

struct Predictor::Impl {
  torch::Device device{torch::kCPU};
  std::vector<std::unique_ptr<Model>> models;

  std::unique_ptr<Model> load(const std::filesystem::path& path, const PredictorOptions& options,
                              torch::ScalarType type) const {
    if (!is_script(path)) return std::make_unique<TrainedNetwork>(path, device, type);
    if (options.precision == Precision::kBfloat16) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: a module computes as it was made: expected the precision auto or float32, "
                              "found bfloat16",
                              path.string()));
    }
    return std::make_unique<ScriptModule>(path, device);
  }

  // `raw`: D H W on the device, values in [-1, 1].
  PredictedBytes predict_bytes(const torch::Tensor& raw, std::int64_t flips, const Box& inner) const {
    torch::Tensor sum;
    for (std::int64_t i = 0; i < flips; ++i) {
      const int mirror = kMirrors.at(static_cast<std::size_t>(i));
      const torch::Tensor input = turned(raw, mirror);
      for (const auto& model : models) {
        const torch::Tensor output = model->predict(input);
        const Box box = mirrored(inner, mirror, {output.size(1), output.size(2), output.size(3)});
        const torch::Tensor found = turned(part(output, box), mirror);
        sum = sum.defined() ? sum.add_(found) : found;
      }
    }
    const std::int64_t count = flips * static_cast<std::int64_t>(models.size());
    torch::Tensor bytes = quantize(count == 1 ? sum : sum.div_(count));
    if (device.is_cuda()) {
      // The driver writes to pinned memory directly; libtorch keeps it for the next tile.
      const torch::Tensor pinned =
          torch::empty(bytes.sizes(), torch::TensorOptions(torch::kUInt8).pinned_memory(true));
      bytes = pinned.copy_(bytes);
    }
    const auto owner = std::make_shared<torch::Tensor>(bytes);
    return {owner, owner->data_ptr<std::uint8_t>(), static_cast<std::size_t>(bytes.size(0)), inner.shape()};
  }
};

Predictor::Predictor(const std::vector<std::filesystem::path>& paths, const PredictorOptions& options)
    : impl_(std::make_unique<Impl>()) {
  const auto types = prediction_device_types(options.precision);
  const std::string kind =
      options.device.empty() ? best_prediction_device(options.precision) : options.device;
  if (std::find(types.begin(), types.end(), kind) == types.end() || !has_prediction_device(kind)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("expected one of {} that is here, found '{}'", fmt::join(types, ", "), kind));
  }
  const torch::ScalarType type =
      computes_bfloat16(kind, options.precision) ? torch::kBFloat16 : torch::kFloat32;
  // As network.cc: large blocks of equal size come and go with each tile.
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  if (kind == "cuda") {
    impl_->device = torch::Device(torch::kCUDA);
    // Tiles have one shape, so that the search for the fastest algorithm pays.
    at::globalContext().setBenchmarkCuDNN(true);
    // What is asked for as float32 is not rounded to the 10 bits of tensor cores.
    at::globalContext().setAllowTF32CuDNN(options.precision != Precision::kFloat32);
  }
  const torch::NoGradGuard no_gradient;
  for (const auto& path : paths) impl_->models.push_back(impl_->load(path, options, type));
}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

std::vector<std::vector<Array<float>>> Predictor::predict(const std::vector<Array<float>>& inputs) const {
  torch::set_num_threads(1);
  const torch::NoGradGuard no_gradient;
  std::vector<std::vector<Array<float>>> result;
  for (const Array<float>& input : inputs) {
    const torch::Tensor raw = view_of(input, torch::kFloat32).to(impl_->device);
    torch::Tensor sum;
    for (const auto& model : impl_->models) {
      const torch::Tensor output = model->predict(raw);
      sum = sum.defined() ? sum + output : output;
    }
    const torch::Tensor mean = (sum / static_cast<double>(impl_->models.size())).to(torch::kCPU);
    result.emplace_back();
    for (std::int64_t c = 0; c < mean.size(0); ++c) {
      const torch::Tensor values = mean[c].contiguous();
      Array<float> taken = Array<float>::uninitialized({mean.size(1), mean.size(2), mean.size(3)});
      std::memcpy(taken.data(), values.data_ptr<float>(),
                  static_cast<std::size_t>(taken.size()) * sizeof(float));
      result.back().push_back(std::move(taken));
    }
  }
  return result;
}

PredictedBytes Predictor::predict_bytes(const Array<float>& raw, std::int64_t flips, const Box& inner) const {
  torch::set_num_threads(1);
  const torch::NoGradGuard no_gradient;
  return impl_->predict_bytes(view_of(raw, torch::kFloat32).to(impl_->device), flips, inner);
}

PredictedBytes Predictor::predict_bytes(const Array<std::uint8_t>& raw, const ContrastLimits& limits,
                                        std::int64_t flips, const Box& inner) const {
  torch::set_num_threads(1);
  const torch::NoGradGuard no_gradient;
  // As voxel::normalize_intensity(), step by step in float32.
  const auto low = static_cast<float>(limits.low);
  const auto scale = static_cast<float>(2 / (limits.high - limits.low));
  const torch::Tensor values = view_of(raw, torch::kUInt8)
                                   .to(impl_->device)
                                   .to(torch::kFloat32)
                                   .sub_(low)
                                   .mul_(scale)
                                   .sub_(1)
                                   .clamp_(-1, 1);
  return impl_->predict_bytes(values, flips, inner);
}

}  // namespace organon::nn
