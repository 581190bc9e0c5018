#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "organon/array/array.h"
#include "organon/stages/training/sample_source.h"

namespace organon::stages {

/// Where the outputs of a network for one class divide inside from outside best, 0 or below.
///
/// A network that is taught distances gives their mean where it cannot tell them: over a membrane of two
/// voxels whose place it knows to a voxel that mean is outside, although the membrane is seen. The division
/// that makes F1 largest is found on samples. These are drawn to have many voxels of each class; so voxels
/// inside, near (target above -0.9) and far are each weighed as there are in whole crops.
class BoundaryLevel {
 public:
  /// Voxels of a sample where the mask is not 0. Shapes: equal. An output that is no number is below all
  /// levels.
  void add(const Array<float>& prediction, const Array<float>& target, const Array<std::uint8_t>& mask);

  /// Of 0, -1/128 .. -38/128 the level for which F1 of outputs above it is largest, the first among equals.
  /// None above 0, though samples may prefer one: a network is surer of them than of other cells, where such
  /// levels gained little and once lost much (docs/results.md). 0 where samples have fewer than 100 voxels
  /// inside, or where no level has an F1 above 0.1 and 1.1 times that of all voxels: what was not learned
  /// shall not be found everywhere. `num_voxels`: of whole crops, by value of their targets.
  double best(const std::array<std::int64_t, 256>& num_voxels) const;

 private:
  static constexpr std::size_t kNumLevels = 39;
  // Per stratum, voxels by the first level that their prediction is above; last, those above none.
  std::array<std::array<std::int64_t, kNumLevels + 1>, 3> counts_{};
};

/// The sums of `num_voxels` of all crops, per class.
std::vector<std::array<std::int64_t, 256>> sum_num_voxels(const std::vector<TrainingCrop>& crops);

}  // namespace organon::stages
