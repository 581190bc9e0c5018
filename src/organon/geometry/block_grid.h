#pragma once

#include <cstdint>
#include <vector>

#include "organon/geometry/box.h"

namespace organon {

/// A regular partition of a domain box into cells: chunks, shards and processing blocks are all block grids.
///
/// Cells are anchored at voxel (0, 0, 0), not at the domain's begin, so that the cells of a part are cells of
/// the whole; cells at the domain's faces are clipped to it, never skipped.
///
///     domain        [==================)          positions 0, 1, 2
///     cells    |------|------|------|------|      the first and the last are clipped
class BlockGrid {
 public:
  /// Requires: every value of `cell_shape` > 0.
  BlockGrid(const Box& domain, const Shape3& cell_shape);

  const Box& domain() const { return domain_; }
  const Shape3& cell_shape() const { return cell_shape_; }
  /// Numbers of cells per axis; zeros where the domain is empty.
  const Shape3& num_cells() const { return num_cells_; }
  std::int64_t count() const { return num_cells_.product(); }

  /// The clipped cell at `position` (0 .. num_cells - 1 per axis).
  Box box_of(const Index3& position) const;
  Box box_of(std::int64_t id) const { return box_of(position_of(id)); }
  /// Ids are raster order of positions, x fastest: stable over restarts.
  std::int64_t id_of(const Index3& position) const;
  Index3 position_of(std::int64_t id) const;
  /// Position of the cell that holds `index`, which must lie in the domain.
  Index3 position_containing(const Index3& index) const;
  /// The box of positions whose cells meet `box`.
  Box positions_touching(const Box& box) const;
  /// True where `box`, clipped to the domain, is made of whole (clipped) cells.
  bool is_union_of_cells(const Box& box) const;

 private:
  Box domain_;
  Shape3 cell_shape_;
  Index3 first_cell_;
  Shape3 num_cells_;
};

}  // namespace organon
