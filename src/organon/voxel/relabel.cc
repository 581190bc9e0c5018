#include "organon/voxel/relabel.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"

namespace organon::voxel {

template <class Id>
void relabel(ArrayView<const std::uint32_t> labels, std::span<const Id> ids_of_labels, ArrayView<Id> output) {
  const Shape3 shape = labels.shape();
  ORGANON_CHECK(output.shape() == shape);
  ORGANON_CHECK(labels.stride().x == 1 && output.stride().x == 1);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const std::uint32_t* from = labels.row(z, y);
      Id* to = output.row(z, y);
      for (std::int64_t x = 0; x < shape.x;) {
        // Labels come in runs; one look-up serves the whole run.
        const std::uint32_t label = from[x];
        if (label >= ids_of_labels.size()) {
          throw Error(ErrorKind::kInternal,
                      fmt::format("label {} at {},{},{} of the block lies beyond a table of {} ids", label, z,
                                  y, x, ids_of_labels.size()));
        }
        const std::int64_t begin = x;
        while (x + 16 <= shape.x) {
          std::uint32_t differing = 0;
          for (int i = 0; i < 16; ++i) differing |= from[x + i] ^ label;
          if (differing != 0) break;
          x += 16;
        }
        while (x < shape.x && from[x] == label) ++x;
        std::fill(to + begin, to + x, ids_of_labels[label]);
      }
    }
  }
}

#define ORGANON_INSTANTIATE(Id) \
  template void relabel<Id>(ArrayView<const std::uint32_t>, std::span<const Id>, ArrayView<Id>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
