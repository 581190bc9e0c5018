#include "organon/geometry/block_grid.h"

#include "organon/base/check.h"
#include "organon/geometry/integer_division.h"

namespace organon {
namespace {

Index3 floor_cells(const Index3& index, const Shape3& cell) {
  return {floor_divide(index.z, cell.z), floor_divide(index.y, cell.y), floor_divide(index.x, cell.x)};
}

Index3 ceil_cells(const Index3& index, const Shape3& cell) {
  return {ceil_divide(index.z, cell.z), ceil_divide(index.y, cell.y), ceil_divide(index.x, cell.x)};
}

Index3 times(const Index3& index, const Shape3& shape) {
  return {index.z * shape.z, index.y * shape.y, index.x * shape.x};
}

}  // namespace

BlockGrid::BlockGrid(const Box& domain, const Shape3& cell_shape) : domain_(domain), cell_shape_(cell_shape) {
  ORGANON_CHECK(cell_shape.smallest() > 0);
  if (domain.empty()) return;
  first_cell_ = floor_cells(domain.begin, cell_shape);
  num_cells_ = Shape3(ceil_cells(domain.end, cell_shape) - first_cell_);
}

Box BlockGrid::box_of(const Index3& position) const {
  return Box::at(times(first_cell_ + position, cell_shape_), cell_shape_).intersect(domain_);
}

std::int64_t BlockGrid::id_of(const Index3& position) const {
  return (position.z * num_cells_.y + position.y) * num_cells_.x + position.x;
}

Index3 BlockGrid::position_of(std::int64_t id) const {
  const std::int64_t row = id / num_cells_.x;
  return {row / num_cells_.y, row % num_cells_.y, id % num_cells_.x};
}

Index3 BlockGrid::position_containing(const Index3& index) const {
  return floor_cells(index, cell_shape_) - first_cell_;
}

Box BlockGrid::positions_touching(const Box& box) const {
  const Box inside = box.intersect(domain_);
  if (inside.empty()) return {};
  return {floor_cells(inside.begin, cell_shape_) - first_cell_,
          ceil_cells(inside.end, cell_shape_) - first_cell_};
}

bool BlockGrid::is_union_of_cells(const Box& box) const {
  const Box inside = box.intersect(domain_);
  if (inside.empty()) return true;
  const Box positions = positions_touching(inside);
  const Box covered{box_of(positions.begin).begin, box_of(positions.end - Index3{1, 1, 1}).end};
  return covered == inside;
}

}  // namespace organon
