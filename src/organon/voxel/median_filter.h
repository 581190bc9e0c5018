#pragma once

#include <cstddef>
#include <cstdint>

#include "organon/array/array_view.h"

namespace organon::voxel {

struct MedianOptions {
  Shape3 radius{1, 1, 1};           ///< of the box around each voxel, which is clipped to the view
  std::uint16_t first_counted = 0;  ///< lesser values do not count
  std::size_t num_values = 65536;   ///< every value is below this
};

/// Median of the values that count in the box around each voxel: of n, the one of rank (n - 1) / 2 from 0;
/// 0 where none counts. Edges stay where they are.
///
/// Shapes: `medians` has the shape of `values`. Requires: radii >= 0; values below num_values. Halo: radius.
/// Cost: per voxel two faces of the box and a few steps in a histogram; memory of a histogram. Source: the
/// running histogram of [huang1979median].
void median_filter(ArrayView<const std::uint16_t> values, const MedianOptions& options,
                   ArrayView<std::uint16_t> medians);

}  // namespace organon::voxel
