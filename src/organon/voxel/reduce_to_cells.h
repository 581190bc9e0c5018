#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Which ids of a label volume belong to a class. An empty list means any id but 0.
class WantedIds {
 public:
  WantedIds() = default;
  explicit WantedIds(std::vector<std::uint64_t> ids);
  bool contains(std::uint64_t id) const;

 private:
  std::vector<std::uint64_t> ids_;  // ascending
};

/// Labels on a coarser grid: a cell of `factor` voxels is inside where at least half of its voxels have
/// wanted ids: ties go to the inside, so that structures one voxel thin of two survive.
///
/// Shapes: `cells` has labels.shape() / factor, without rest; rows of `labels` are contiguous. Written: 1 and
/// 0. Instantiated for Id = uint8, uint16, uint32, uint64. Cost: one pass.
template <class Id>
void foreground_of_cells(ArrayView<const Id> labels, const Shape3& factor, const WantedIds& wanted,
                         ArrayView<std::uint8_t> cells);

/// As above, for objects: the most frequent wanted id of each cell that is inside (the smallest of equally
/// frequent ones), else 0.
template <class Id>
void objects_of_cells(ArrayView<const Id> labels, const Shape3& factor, const WantedIds& wanted,
                      ArrayView<std::uint64_t> cells);

}  // namespace organon::voxel
