#pragma once

#include <cstddef>
#include <cstdint>

#include "organon/array/array.h"
#include "organon/stages/training/sample_source.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {

/// The slice of a sample that its pictures show: the one in the middle of its patch of raw. Positions (y, x)
/// are voxels of targets from the corner of that patch.
class MiddleSlice {
 public:
  /// Requires: options with which the sample, or the prediction, was made.
  explicit MiddleSlice(const SampleOptions& options);

  /// Voxels of the whole patch, z: 1.
  Shape3 shape() const { return shape_; }
  /// What the network predicts of it, z: 0.
  const Box& predicted() const { return predicted_; }
  bool is_predicted(std::int64_t y, std::int64_t x) const { return predicted_.contains(Index3{0, y, x}); }

  float raw(const TrainingSample& sample, std::int64_t y, std::int64_t x) const {
    return sample.raw(raw_z_, y / scale_, x / scale_);
  }
  /// Of an array of SampleOptions::output_shape: a target, a mask or a prediction. Requires: is_predicted().
  template <class T>
  T of(const Array<T>& values, std::int64_t y, std::int64_t x) const {
    return values(target_z_, y - predicted_.begin.y, x - predicted_.begin.x);
  }
  /// Whether the class has a say there.
  bool is_known(const TrainingSample& sample, std::size_t c, std::int64_t y, std::int64_t x) const {
    return is_predicted(y, x) && of(sample.masks[c], y, x) != 0;
  }

 private:
  std::int64_t scale_;
  std::int64_t raw_z_;
  std::int64_t target_z_;
  Shape3 shape_;
  Box predicted_;
};

/// -1 black, 1 white, as the network gets it; a brightness below 1 darkens.
storage::Rgb8 grey_of_raw(float raw, double brightness);

/// Of targets and predictions: from blue (-1) to white (0) outside, from pink (above 0) to red (1) inside.
storage::Rgb8 color_of_target(float target);

/// Grey hatching where a class has no say; of a pixel of the picture.
storage::Rgb8 color_of_unknown(std::int64_t y, std::int64_t x);

}  // namespace organon::stages
