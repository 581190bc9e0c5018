#pragma once

#include <cstdint>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Grey values as networks see them: means of factor^3 voxels, `low` mapped to -1 and `high` to 1, clipped;
/// NaN becomes 0. Training and prediction both read raw through this. Shapes: `raw` has `factor` times the
/// shape of `normalized`. T: any voxel type. Requires: low < high.
template <class T>
void normalize_intensity(ArrayView<const T> raw, std::int64_t factor, double low, double high,
                         ArrayView<float> normalized);

}  // namespace organon::voxel
