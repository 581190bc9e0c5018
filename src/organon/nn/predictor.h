#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/nn/network_options.h"
#include "organon/nn/script_info.h"

namespace organon::nn {

/// What predictions depend on beside weights: of a trained network, or of a module of another program.
struct PredictorInfo {
  std::vector<std::string> classes;
  SizeNm voxel_size_nm;                   ///< of the input
  std::int64_t output_scale = 1;          ///< output voxels per input voxel and axis
  std::int64_t step = 0;                  ///< of its training; 0: not known
  std::optional<NetworkOptions> network;  ///< of a trained network
  std::optional<ScriptInfo> script;       ///< of a module

  /// Whether predictions of both may be averaged: equal but for the step.
  bool agrees_with(const PredictorInfo& other) const;
};

/// Of a network file, or of a module (.pt with its .json). Errors: kNotFound, kCorruptData.
PredictorInfo read_predictor_info(const std::filesystem::path& path);

/// Whatever predicts. Reentrant for one thread at a time.
class Predictor {
 public:
  virtual ~Predictor() = default;

  /// Shapes: inputs of one shape that fits; result per input and class. Values: raw in [-1, 1] to boundary
  /// distances about [-1, 1], 0 at the boundary.
  virtual std::vector<std::vector<Array<float>>> predict(const std::vector<Array<float>>& inputs) const = 0;
};

/// `device`: "cpu" or "cuda"; empty: the best. Errors: as read_predictor_info().
std::unique_ptr<Predictor> load_predictor(const std::filesystem::path& path, const std::string& device);

}  // namespace organon::nn
