#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "organon/array/array.h"

namespace organon::voxel {

// What the cells of a part of a coarser level hold, gathered from finer cells: each level of a pyramid comes
// exactly from the voxels of s0, though these are read once. Both classes have the same members:
//
//     Cells cells(shape);
//     cells.take_voxels(voxels, factor, at);   cells of `factor` voxels (1 or 2 per axis), the first at `at`
//     cells.take_cells(finer, factor, at);     the same from the cells of the next finer level
//     cells.reduce(cell_volume, reduced);      one voxel per cell
//
// Cells cut off by the upper faces hold the voxels that exist. Every cell is taken once, whole.

/// How large cells are: all `cell` voxels of s0, but those at the upper faces of `volume`; `first` is the
/// position of the part's first cell in the level.
struct CellExtents {
  Shape3 cell;
  Shape3 volume;
  Index3 first;

  /// Voxels of s0 along one axis of the cell at `index` (from `first` on).
  static std::int64_t along(std::int64_t index, std::int64_t cell, std::int64_t volume) {
    return std::min(cell, volume - index * cell);
  }
};

/// Sums, for means: integers are added exactly and rounded once, half up; floating-point numbers in double
/// precision, level by level. Cost: one pass; 4 to 16 bytes per cell.
template <class T>
class MeanCells {
 public:
  /// Holds 32^3 values.
  using Sum = std::conditional_t<
      std::is_floating_point_v<T>, double,
      std::conditional_t<sizeof(T) <= 2, std::uint32_t,
                         std::conditional_t<sizeof(T) == 4, std::uint64_t, unsigned __int128>>>;

  explicit MeanCells(const Shape3& shape) : sums_(shape, Sum{0}) {}
  static std::int64_t num_entries() { return 0; }
  const Shape3& shape() const { return sums_.shape(); }

  void take_voxels(ArrayView<const T> voxels, const Shape3& factor, const Index3& at);
  void take_cells(const MeanCells& finer, const Shape3& factor, const Index3& at);
  /// Shapes: `reduced` as the cells.
  void reduce(const CellExtents& extents, ArrayView<T> reduced) const;

  std::vector<std::byte> to_bytes() const;
  /// Errors: kCorruptData where they are not of `shape`.
  static MeanCells from_bytes(const Shape3& shape, std::span<const std::byte> bytes);

 private:
  Array<Sum> sums_;
};

/// Values with their counts, for the most frequent value, the smallest of equally frequent ones. Cost: one
/// pass where cells are uniform, else it grows with the number of different values in a cell; 8 bytes per
/// cell, and 4 + sizeof(T) per value of each.
template <class T>
class ModeCells {
 public:
  explicit ModeCells(const Shape3& shape) : first_(shape, 0U), count_(shape, 0U) {}
  /// Values of all cells: what its memory grows with.
  std::int64_t num_entries() const { return static_cast<std::int64_t>(entries_.size()); }
  const Shape3& shape() const { return first_.shape(); }

  void take_voxels(ArrayView<const T> voxels, const Shape3& factor, const Index3& at);
  void take_cells(const ModeCells& finer, const Shape3& factor, const Index3& at);
  void reduce(const CellExtents& extents, ArrayView<T> reduced) const;

  std::vector<std::byte> to_bytes() const;
  static ModeCells from_bytes(const Shape3& shape, std::span<const std::byte> bytes);

 private:
  struct Entry {
    T value;
    std::uint32_t count;
  };
  static void add(T value, std::uint32_t count, std::vector<Entry>& entries);
  void put_one(const Index3& cell, T value, std::uint32_t count);
  void put(const Index3& cell, std::vector<Entry>& entries);

  // The entries of a cell: entries_[first ... first + count), by ascending value.
  Array<std::uint32_t> first_;
  Array<std::uint32_t> count_;
  std::vector<Entry> entries_;
};

}  // namespace organon::voxel
