#pragma once

#include <cstdint>

#include "organon/voxel/smooth.h"

namespace organon::voxel {

/// What smooth() and smooth_and_threshold() hand to the processor-specific code. One of `values`, `mask` is
/// set.
struct SmoothJob {
  ArrayView<const std::uint8_t> input;
  const GaussianKernels* kernels = nullptr;
  ArrayView<std::uint16_t> values;
  ArrayView<std::uint8_t> mask;
  /// For `mask`: the least sum of the last pass (grey level - 128, times 2^(8 + z.bits)) that counts as
  /// inside.
  std::int64_t threshold_sum = 0;
  /// For `mask`: the least grey level that counts as inside; 256 where none does.
  int threshold_level = 0;
};

/// Runs on the best instruction set of this processor; the same voxels on each.
void run_smooth_job(const SmoothJob& job);

}  // namespace organon::voxel
