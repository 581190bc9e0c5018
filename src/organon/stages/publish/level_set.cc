#include "organon/stages/publish/level_set.h"

#include <algorithm>
#include <numeric>

#include "organon/geometry/integer_division.h"

namespace organon::stages {
namespace {

// Levels of the first part: they hold nearly all of the work, and little is left for the others.
constexpr std::size_t kFineLevels = 3;
// So many blocks are enough for workers to share.
constexpr std::int64_t kEnoughBlocks = 64;

Shape3 times(const Shape3& a, const Shape3& b) { return {a.z * b.z, a.y * b.y, a.x * b.x}; }
Shape3 divided(const Shape3& a, const Shape3& b) { return {a.z / b.z, a.y / b.y, a.x / b.x}; }
Shape3 least_common_multiple(const Shape3& a, const Shape3& b) {
  return {std::lcm(a.z, b.z), std::lcm(a.y, b.y), std::lcm(a.x, b.x)};
}
bool is_multiple(const Shape3& a, const Shape3& of) {
  return a.z % of.z == 0 && a.y % of.y == 0 && a.x % of.x == 0;
}

Box whole_cells(const Box& domain, const Shape3& cell, const Box& box) {
  const BlockGrid grid(domain, cell);
  const Box positions = grid.positions_touching(box);
  return {grid.box_of(positions.begin).begin, grid.box_of(positions.end - Index3{1, 1, 1}).end};
}

// `positions` of a cube of `edge` (2^k) at its begin, clipped.
void append_in_z_order(const Box& positions, const Index3& at, std::int64_t edge, std::vector<Index3>& list) {
  if (!positions.contains(at)) return;
  if (edge == 1) {
    list.push_back(at);
    return;
  }
  const std::int64_t half = edge / 2;
  for (const std::int64_t z : {std::int64_t{0}, half})
    for (const std::int64_t y : {std::int64_t{0}, half})
      for (const std::int64_t x : {std::int64_t{0}, half})
        append_in_z_order(positions, at + Index3{z, y, x}, half, list);
}

}  // namespace

Shape3 LevelSet::ratio(std::size_t index) const {
  return index == 1 ? factor(1) : divided(factor(index), factor(index - 1));
}

Shape3 LevelSet::shape(std::size_t index) const {
  return index == 0 ? source->spec().shape : outputs.at(index - 1).spec.shape;
}

BlockGrid LevelSet::chunks(std::size_t index) const {
  return {Box::of_shape(shape(index)), source->spec().chunk_shape};
}

Shape3 LevelSet::chunk_in_source(std::size_t index) const {
  const Shape3& chunk = source->spec().chunk_shape;
  return index == 0 ? chunk : times(chunk, factor(index));
}

Shape3 LevelSet::block_shape(const Part& part) const {
  Shape3 shape = chunk_in_source(part.last);
  for (std::size_t level = part.first; level <= part.last; ++level) {
    shape =
        least_common_multiple(shape, times(storage::stored_shape(outputs.at(level - 1).spec), factor(level)));
  }
  return shape;
}

void LevelSet::set_parts() {
  parts.clear();
  const Box whole = source->spec().domain();
  const auto num_blocks = [&](const Part& part) { return BlockGrid(whole, block_shape(part)).count(); };
  for (std::size_t level = 1; level <= factors.size(); ++level) {
    if (!parts.empty() && level != kFineLevels + 1) {
      const Part longer{parts.back().first, level};
      const bool is_as_without_shards = block_shape(longer) == chunk_in_source(level);
      if (is_as_without_shards || num_blocks(longer) >= std::min(kEnoughBlocks, num_blocks(parts.back()))) {
        parts.back() = longer;
        continue;
      }
    }
    parts.push_back({level, level});
  }
}

Box LevelSet::domain_of(std::size_t part) const {
  Box box = domain;
  for (std::size_t i = parts.size(); i-- > part;)
    box = whole_cells(source->spec().domain(), block_shape(parts[i]), box);
  return box;
}

Shape3 LevelSet::last_chunks_per_block(const Part& part) const {
  return divided(block_shape(part), chunk_in_source(part.last));
}

std::int64_t LevelSet::key_of_cells(std::size_t part, const Index3& chunk) const {
  const Shape3 extent = chunk_in_source(parts.at(part).last);
  const BlockGrid grid = blocks(part);
  const Index3 begin{chunk.z * extent.z, chunk.y * extent.y, chunk.x * extent.x};
  const Shape3 per_block = last_chunks_per_block(parts[part]);
  const Index3 place{chunk.z % per_block.z, chunk.y % per_block.y, chunk.x % per_block.x};
  return grid.id_of(grid.position_containing(begin)) * per_block.product() +
         (place.z * per_block.y + place.y) * per_block.x + place.x;
}

std::vector<Index3> LevelSet::last_chunks_in(const Part& part, const Box& block) const {
  const Box positions =
      BlockGrid(source->spec().domain(), chunk_in_source(part.last)).positions_touching(block);
  std::int64_t edge = 1;
  while (edge < positions.shape().largest()) edge *= 2;
  std::vector<Index3> list;
  append_in_z_order(positions, positions.begin, edge, list);
  return list;
}

// Boxes of chunks that are made without others in between grow along x, y, z in turn: within a chunk of the
// next level as far as that is coarser, beyond those of the last by doubling. The first that is made of whole
// units bounds what is open.
std::int64_t LevelSet::most_open_units(const Part& part, std::size_t level) const {
  const storage::DatasetSpec& spec = outputs.at(level - 1).spec;
  const Shape3 unit = divided(storage::stored_shape(spec), spec.chunk_shape);
  const Shape3 block = divided(block_shape(part), chunk_in_source(level));
  Shape3 box{1, 1, 1};
  const auto is_whole = [&] { return is_multiple(min(box, block), unit); };
  for (std::size_t next = level + 1; !is_whole(); ++next) {
    const Shape3 ratio = next <= part.last ? this->ratio(next) : Shape3{2, 2, 2};
    box.x *= ratio.x;
    if (is_whole()) break;
    box.y *= ratio.y;
    if (is_whole()) break;
    box.z *= ratio.z;
  }
  return divided(min(box, block), unit).product();
}

}  // namespace organon::stages
