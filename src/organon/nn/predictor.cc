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
    for (const Array<float>& input : inputs) result.push_back(predict_one(input));
    return result;
  }

 private:
  static torch::Device choose_device(const std::string& device) {
    const bool on_cuda = device.empty() ? has_device("cuda") : device == "cuda";
    return torch::Device(on_cuda ? torch::kCUDA : torch::kCPU);
  }

  std::vector<Array<float>> predict_one(const Array<float>& input) const {
    const Shape3 shape = input.shape();
    torch::Tensor raw =
        torch::from_blob(const_cast<float*>(input.data()), {shape.z, shape.y, shape.x}, torch::kFloat32);
    raw = (raw + 1) * ((info_.high - info_.low) / 2) + info_.low;
    // Slices are a batch.
    raw = info_.is_slice_wise ? raw.unsqueeze(1) : raw.unsqueeze(0).unsqueeze(0);
    torch::Tensor output;
    try {
      output = module_.forward({raw.to(device_)}).toTensor().to(torch::kCPU, torch::kFloat32);
    } catch (const std::exception& error) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: it fails on an input of {}: {}", where_,
                                                       to_string(shape), first_line(error.what())));
    }
    if (info_.is_slice_wise && output.dim() == 4) output = output.permute({1, 0, 2, 3}).unsqueeze(0);
    const Shape3 wanted{info_.is_slice_wise ? shape.z : info_.output_shape.z, info_.output_shape.y,
                        info_.output_shape.x};
    const std::int64_t most = *std::max_element(info_.channels.begin(), info_.channels.end());
    if (output.dim() != 5 || output.size(0) != 1 || output.size(1) <= most || output.size(2) != wanted.z ||
        output.size(3) != wanted.y || output.size(4) != wanted.x) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: expected an output of {} channels or more of {} voxels, found {}", where_,
                              most + 1, to_string(wanted), fmt::join(output.sizes(), " x ")));
    }
    output = as_distance(output[0], info_.output);
    std::vector<Array<float>> classes;
    for (const std::int64_t channel : info_.channels) {
      const torch::Tensor values = output[channel].contiguous();
      Array<float> taken = Array<float>::uninitialized(wanted);
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
