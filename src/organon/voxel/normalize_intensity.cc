#include "organon/voxel/normalize_intensity.h"

#include <algorithm>
#include <cmath>

#include "organon/array/data_type.h"
#include "organon/base/check.h"

namespace organon::voxel {

template <class T>
void normalize_intensity(ArrayView<const T> raw, std::int64_t factor, double low, double high,
                         ArrayView<float> normalized) {
  const Shape3 shape = normalized.shape();
  ORGANON_CHECK(low < high && raw.shape() == shape * factor);
  const auto first = static_cast<float>(low);
  const auto scale = static_cast<float>(2 / (high - low));
  const auto cells = static_cast<float>(factor * factor * factor);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        float sum = 0;
        for (std::int64_t dz = 0; dz < factor; ++dz) {
          for (std::int64_t dy = 0; dy < factor; ++dy) {
            for (std::int64_t dx = 0; dx < factor; ++dx)
              sum += static_cast<float>(raw(z * factor + dz, y * factor + dy, x * factor + dx));
          }
        }
        const float value = (sum / cells - first) * scale - 1;
        normalized(z, y, x) = std::isnan(value) ? 0 : std::clamp(value, -1.0F, 1.0F);
      }
    }
  }
}

#define ORGANON_INSTANTIATE(T) \
  template void normalize_intensity(ArrayView<const T>, std::int64_t, double, double, ArrayView<float>);
ORGANON_FOR_EACH_VOXEL_TYPE(ORGANON_INSTANTIATE)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
