#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/box.h"
#include "organon/stages/training/augment_options.h"

namespace organon::stages {

/// One annotated volume in memory: raw, and per class targets as stored (0: no say, else 128 t + 127).
/// All arrays of targets share one shape: that of raw times SampleOptions::target_scale.
struct TrainingCrop {
  /// Contrast limits mapped to [-1, 1], clipped. Several where raw was taken from finer voxels: one per place
  /// of the voxel that was taken in its cell; all of one shape.
  std::vector<Array<float>> raw;
  std::vector<Array<std::uint8_t>> targets;
  Box annotated;  ///< the voxels of targets that have a say for any class lie in it
  /// Per class, some of the voxels of the foreground, to centre patches on.
  std::vector<std::vector<Index3>> foreground;
  /// Per class, how many voxels have each value of a target.
  std::vector<std::array<std::int64_t, 256>> num_voxels;
};

/// Sets `annotated`, `num_voxels`, and `foreground` to at most 20,000 voxels per class, evenly taken, from
/// `targets`.
void find_places(TrainingCrop& crop);

/// What one training sample holds: raw, and per class target in [-1, 1] and mask on its central part.
struct TrainingSample {
  Array<float> raw;
  std::vector<Array<float>> targets;
  std::vector<Array<std::uint8_t>> masks;
};

struct SampleOptions {
  Shape3 shape{64, 64, 64};         ///< of raw, voxels
  Shape3 output_shape{64, 64, 64};  ///< of targets, in its middle
  std::int64_t target_scale = 1;    ///< target voxels per raw voxel and axis
  SizeNm voxel_size_nm{8, 8, 8};    ///< of raw
  /// Of the samples, centred near a voxel of a class, each class equally often; the others lie anywhere.
  double foreground_share = 0.6;
  /// Of the samples, taken from crops that have one of the rare classes; the others from the rest.
  double rare_share = 0.5;
  std::vector<std::size_t> rare_classes;  ///< numbers; none: crops are taken by their size alone
  /// A sample is drawn anew where no larger share of its voxels has a say for any class. Paper: 0.75.
  double least_known_share = 0;
  std::uint64_t seed = 1;
  AugmentOptions augment;
};

/// Draws patches from crops, each crop as often as it has annotated voxels. The sample of a step depends on
/// seed, step and place in the batch alone, so that a resumed training sees the same samples, however many
/// threads draw them.
class SampleSource {
 public:
  /// Requires: crops with equal numbers of classes and with their places found; they outlive the source.
  /// Errors: kInvalidArgument where no crop has an annotated voxel.
  SampleSource(const std::vector<TrainingCrop>& crops, const SampleOptions& options);

  /// The last of 50 tries is taken where none has the known share that is asked for.
  TrainingSample sample(std::int64_t step, std::int64_t place) const;

 private:
  const TrainingCrop& choose_crop(Random& random) const;
  Box choose_window(const TrainingCrop& crop, Random& random) const;
  bool is_known_enough(const TrainingSample& sample) const;

  const std::vector<TrainingCrop>& crops_;
  std::vector<double> rare_voxels_;    ///< cumulative, of crops with a rare class
  std::vector<double> common_voxels_;  ///< cumulative, of the others
  SampleOptions options_;
};

}  // namespace organon::stages
