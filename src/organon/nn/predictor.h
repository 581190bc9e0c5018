#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/geometry/box.h"
#include "organon/nn/network_options.h"
#include "organon/nn/precision.h"
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

struct PredictorOptions {
  std::string device;  ///< one of prediction_device_types(precision); empty: the best that is here
  Precision precision = Precision::kAuto;
};

/// Grey values that networks see as -1 and 1; what lies beyond is clipped.
struct ContrastLimits {
  double low = 0;
  double high = 255;
};

/// Predictions as they are stored, all classes in one block of memory.
class PredictedBytes {
 public:
  /// `first`: of `num_classes` arrays of `shape`, one after the other, which `owner` keeps.
  PredictedBytes(std::shared_ptr<const void> owner, const std::uint8_t* first, std::size_t num_classes,
                 const Shape3& shape)
      : owner_(std::move(owner)), first_(first), num_classes_(num_classes), shape_(shape) {}

  std::size_t num_classes() const { return num_classes_; }
  ArrayView<const std::uint8_t> of_class(std::size_t index) const {
    return {first_ + static_cast<std::int64_t>(index) * shape_.product(), shape_};
  }

 private:
  std::shared_ptr<const void> owner_;
  const std::uint8_t* first_;
  std::size_t num_classes_;
  Shape3 shape_;
};

/// Whatever predicts: networks or modules of one kind, whose predictions are averaged. Reentrant for one
/// thread at a time, and on a processor computed by it alone.
class Predictor {
 public:
  /// Errors: as read_predictor_info(); kInvalidArgument where the device is not here or cannot compute so.
  Predictor(const std::vector<std::filesystem::path>& paths, const PredictorOptions& options);
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  ~Predictor();

  /// Shapes: inputs that fit; result per input and class. Values: raw in [-1, 1] to boundary distances about
  /// [-1, 1], 0 at the boundary.
  std::vector<std::vector<Array<float>>> predict(const std::vector<Array<float>>& inputs) const;

  /// The part `inner` of the mean over `flips` (1, 2, 4, 8) mirrored copies as bytes, clip(round(128 y +
  /// 127), 0, 255). Sums are float32, in the order of the copies and for each of the networks; they, the part
  /// and the rounding are made on the device, so that only bytes come from it.
  /// Shapes: raw fits; result per class, of the shape of `inner`, a box in the output.
  PredictedBytes predict_bytes(const Array<float>& raw, std::int64_t flips, const Box& inner) const;
  /// The same of grey values, of which only bytes go to the device.
  PredictedBytes predict_bytes(const Array<std::uint8_t>& raw, const ContrastLimits& limits,
                               std::int64_t flips, const Box& inner) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace organon::nn
