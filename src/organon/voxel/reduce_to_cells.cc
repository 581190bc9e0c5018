#include "organon/voxel/reduce_to_cells.h"

#include <algorithm>
#include <map>

namespace organon::voxel {
namespace {

void check_shapes(const Shape3& labels, const Shape3& factor, const Shape3& cells) {
  ORGANON_CHECK(factor.smallest() >= 1);
  ORGANON_CHECK(labels.z == cells.z * factor.z && labels.y == cells.y * factor.y &&
                labels.x == cells.x * factor.x);
}

// Neighbouring voxels mostly have one id, so the last answer is kept.
class CachedIds {
 public:
  explicit CachedIds(const WantedIds& wanted) : wanted_(wanted) {}
  bool contains(std::uint64_t id) {
    if (id != last_) {
      last_ = id;
      answer_ = wanted_.contains(id);
    }
    return answer_;
  }

 private:
  const WantedIds& wanted_;
  std::uint64_t last_ = 0;
  bool answer_ = false;  // background is never wanted
};

}  // namespace

WantedIds::WantedIds(std::vector<std::uint64_t> ids) : ids_(std::move(ids)) {
  std::sort(ids_.begin(), ids_.end());
}

bool WantedIds::contains(std::uint64_t id) const {
  if (id == 0) return false;
  return ids_.empty() || std::binary_search(ids_.begin(), ids_.end(), id);
}

template <class Id>
void foreground_of_cells(ArrayView<const Id> labels, const Shape3& factor, const WantedIds& wanted,
                         ArrayView<std::uint8_t> cells) {
  const Shape3 shape = cells.shape();
  check_shapes(labels.shape(), factor, shape);
  const std::int64_t volume = factor.product();
  CachedIds ids(wanted);
  std::vector<std::int64_t> inside(static_cast<std::size_t>(shape.x));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      std::fill(inside.begin(), inside.end(), 0);
      for (std::int64_t dz = 0; dz < factor.z; ++dz) {
        for (std::int64_t dy = 0; dy < factor.y; ++dy) {
          const Id* voxel = labels.row(z * factor.z + dz, y * factor.y + dy);
          for (std::int64_t& count : inside)
            for (std::int64_t dx = 0; dx < factor.x; ++dx)
              count += static_cast<std::int64_t>(ids.contains(*voxel++));
        }
      }
      for (std::int64_t x = 0; x < shape.x; ++x)
        cells(z, y, x) = static_cast<std::uint8_t>(2 * inside[static_cast<std::size_t>(x)] >= volume);
    }
  }
}

template <class Id>
void objects_of_cells(ArrayView<const Id> labels, const Shape3& factor, const WantedIds& wanted,
                      ArrayView<std::uint64_t> cells) {
  const Shape3 shape = cells.shape();
  check_shapes(labels.shape(), factor, shape);
  const std::int64_t volume = factor.product();
  CachedIds ids(wanted);
  std::map<std::uint64_t, std::int64_t>
      counts;  // ascending ids: the first of the greatest is the smallest id
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        if (volume == 1) {
          const Id id = labels(z, y, x);
          cells(z, y, x) = ids.contains(id) ? id : 0;
          continue;
        }
        counts.clear();
        std::int64_t inside = 0;
        for (std::int64_t dz = 0; dz < factor.z; ++dz) {
          for (std::int64_t dy = 0; dy < factor.y; ++dy) {
            const Id* row = labels.row(z * factor.z + dz, y * factor.y + dy) + x * factor.x;
            for (std::int64_t dx = 0; dx < factor.x; ++dx) {
              if (!ids.contains(row[dx])) continue;
              ++counts[row[dx]];
              ++inside;
            }
          }
        }
        cells(z, y, x) =
            2 * inside < volume
                ? 0
                : std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
                    return a.second < b.second;
                  })->first;
      }
    }
  }
}

template void foreground_of_cells(ArrayView<const std::uint8_t>, const Shape3&, const WantedIds&,
                                  ArrayView<std::uint8_t>);
template void foreground_of_cells(ArrayView<const std::uint16_t>, const Shape3&, const WantedIds&,
                                  ArrayView<std::uint8_t>);
template void foreground_of_cells(ArrayView<const std::uint32_t>, const Shape3&, const WantedIds&,
                                  ArrayView<std::uint8_t>);
template void foreground_of_cells(ArrayView<const std::uint64_t>, const Shape3&, const WantedIds&,
                                  ArrayView<std::uint8_t>);
template void objects_of_cells(ArrayView<const std::uint8_t>, const Shape3&, const WantedIds&,
                               ArrayView<std::uint64_t>);
template void objects_of_cells(ArrayView<const std::uint16_t>, const Shape3&, const WantedIds&,
                               ArrayView<std::uint64_t>);
template void objects_of_cells(ArrayView<const std::uint32_t>, const Shape3&, const WantedIds&,
                               ArrayView<std::uint64_t>);
template void objects_of_cells(ArrayView<const std::uint64_t>, const Shape3&, const WantedIds&,
                               ArrayView<std::uint64_t>);

}  // namespace organon::voxel
