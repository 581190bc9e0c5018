#include "organon/nn/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/nn/network.h"
#include "organon/nn/torch.h"

namespace organon::nn {
namespace {

class TrainedNetwork : public Predictor {
 public:
  explicit TrainedNetwork(Network network) : network_(std::move(network)) {}
  std::vector<std::vector<Array<float>>> predict(const std::vector<Array<float>>& inputs) const override {
    return network_.predict(inputs);
  }

 private:
  Network network_;
};

torch::Tensor as_distance(const torch::Tensor& output, ScriptInfo::Output kind) {
  if (kind == ScriptInfo::Output::kProbability) return 2 * output - 1;
  if (kind == ScriptInfo::Output::kLogit) return 2 * torch::sigmoid(output) - 1;
  return output;
}

class ScriptModule : public Predictor {
 public:
  ScriptModule(const std::filesystem::path& path, const std::string& device)
      : info_(read_script_info(path)), where_(path.string()), device_(choose_device(device)) {
    try {
      module_ = torch::jit::load(path.string(), device_);
      module_.eval();
    } catch (const c10::Error& error) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: no TorchScript module that can be read: {}",
                                                       where_, error.what_without_backtrace()));
    }
  }

  std::vector<std::vector<Array<float>>> predict(const std::vector<Array<float>>& inputs) const override {
    torch::set_num_threads(1);
    const torch::NoGradGuard no_gradient;
    std::vector<std::vector<Array<float>>> result;
    if (info_.is_slice_wise) {
      // Slices are a batch already.
      for (const Array<float>& input : inputs) {
        const torch::Tensor output = forward(tensor_of(input).unsqueeze(1), input.shape());
        result.push_back(classes_of(output.permute({1, 0, 2, 3})));
      }
    } else {
      // All at once: float32 convolutions of libtorch 1.13 are many times slower with one input than with
      // two.
      std::vector<torch::Tensor> raw;
      for (const Array<float>& input : inputs) raw.push_back(tensor_of(input).unsqueeze(0));
      const torch::Tensor output = forward(torch::stack(raw), inputs.front().shape());
      for (std::int64_t i = 0; i < output.size(0); ++i) result.push_back(classes_of(output[i]));
    }
    return result;
  }

 private:
  static torch::Device choose_device(const std::string& device) {
    const bool on_cuda = device.empty() ? has_device("cuda") : device == "cuda";
    return torch::Device(on_cuda ? torch::kCUDA : torch::kCPU);
  }

  // Z Y X, in the module's range of values.
  torch::Tensor tensor_of(const Array<float>& input) const {
    const Shape3 shape = input.shape();
    const torch::Tensor raw =
        torch::from_blob(const_cast<float*>(input.data()), {shape.z, shape.y, shape.x}, torch::kFloat32);
    return (raw + 1) * ((info_.high - info_.low) / 2) + info_.low;
  }

  // `raw`: a batch with its channel, made of inputs of `shape`. The output is as the facts have it.
  torch::Tensor forward(const torch::Tensor& raw, const Shape3& shape) const {
    torch::Tensor output;
    try {
      output = module_.forward({raw.to(device_)}).toTensor().to(torch::kCPU, torch::kFloat32);
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
          fmt::format("{}: expected {} outputs of {} channels or more of {} voxels, found {}", where_,
                      raw.size(0), most + 1, fmt::join(edges, " x "), fmt::join(output.sizes(), " x ")));
    }
    return as_distance(output, info_.output);
  }

  // `output`: C Z Y X.
  std::vector<Array<float>> classes_of(const torch::Tensor& output) const {
    std::vector<Array<float>> classes;
    for (const std::int64_t channel : info_.channels) {
      const torch::Tensor values = output[channel].contiguous();
      Array<float> taken = Array<float>::uninitialized({values.size(0), values.size(1), values.size(2)});
      std::memcpy(taken.data(), values.data_ptr<float>(),
                  static_cast<std::size_t>(taken.size()) * sizeof(float));
      classes.push_back(std::move(taken));
    }
    return classes;
  }

  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  ScriptInfo info_;
  std::string where_;
  torch::Device device_;
  mutable torch::jit::script::Module module_;
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

std::unique_ptr<Predictor> load_predictor(const std::filesystem::path& path, const std::string& device) {
  if (is_script(path)) return std::make_unique<ScriptModule>(path, device);
  return std::make_unique<TrainedNetwork>(Network::load(path, device));
}

}  // namespace organon::nn
