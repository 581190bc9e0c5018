#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::stages {

/// One annotated volume in memory: raw, and per class targets as stored (0: no say, else 128 t + 127).
/// All arrays share one shape.
struct TrainingCrop {
  Array<float> raw;  ///< contrast limits mapped to [-1, 1], clipped
  std::vector<Array<std::uint8_t>> targets;
  Box annotated;  ///< the voxels that have a say for any class lie in it
  /// Per class, some of the voxels of the foreground, to centre patches on.
  std::vector<std::vector<Index3>> foreground;
};

/// Sets `annotated`, and `foreground` to at most 20,000 voxels per class, evenly taken, from `targets`.
void find_places(TrainingCrop& crop);

/// What one training sample holds: raw, and per class target in [-1, 1] and mask on its central part.
struct TrainingSample {
  Array<float> raw;
  std::vector<Array<float>> targets;
  std::vector<Array<std::uint8_t>> masks;
};

/// How samples are varied. Every chance and range is per sample.
struct AugmentOptions {
  bool symmetries = true;         ///< mirror and permute axes
  double rotation_degrees = 30;   ///< largest turn about a random axis
  double scale_range = 0.15;      ///< sizes from 1 / (1 + range) to 1 + range
  double turned_share = 0.5;      ///< of the samples that are turned and scaled
  double contrast_range = 0.45;   ///< factor from 1 / (1 + range) to 1 + range
  double brightness_range = 0.3;  ///< shift, in units of half the contrast window
  double gamma_range = 0.4;       ///< exponent from 1 / (1 + range) to 1 + range
  double noise = 0.15;            ///< largest standard deviation

  static AugmentOptions none() { return {false, 0, 0, 0, 0, 0, 0, 0}; }
};

struct SampleOptions {
  std::int64_t edge = 64;         ///< of raw, voxels
  std::int64_t output_edge = 64;  ///< of targets, in its middle
  /// Of the samples, centred near a voxel of a class, each class equally often; the others lie anywhere.
  double foreground_share = 0.6;
  std::uint64_t seed = 1;
  AugmentOptions augment;
};

/// Draws patches from crops, each crop as often as it has annotated voxels. The sample of a step depends on
/// seed, step and place in the batch alone, so that a resumed training sees the same samples.
class SampleSource {
 public:
  /// Requires: crops with equal numbers of classes and with their places found; they outlive the source.
  /// Errors: kInvalidArgument where no crop has an annotated voxel.
  SampleSource(const std::vector<TrainingCrop>& crops, const SampleOptions& options);

  TrainingSample sample(std::int64_t step, std::int64_t place) const;

 private:
  const TrainingCrop& choose_crop(Random& random) const;
  Index3 choose_centre(const TrainingCrop& crop, Random& random) const;

  const std::vector<TrainingCrop>& crops_;
  std::vector<double> cumulative_voxels_;
  SampleOptions options_;
};

}  // namespace organon::stages
