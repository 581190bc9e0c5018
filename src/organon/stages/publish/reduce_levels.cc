#include "organon/stages/publish/reduce_levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/storage/codecs/codec.h"
#include "organon/voxel/cell_levels.h"

namespace organon::stages {
namespace {

using blockwise::Block;
using blockwise::BlockOutput;
using blockwise::StepPlan;

// Thrown where cells hold too many ids.
struct Crowded {};

Box times(const Box& box, const Shape3& factor) {
  return {{box.begin.z * factor.z, box.begin.y * factor.y, box.begin.x * factor.x},
          {box.end.z * factor.z, box.end.y * factor.y, box.end.x * factor.x}};
}
Shape3 times(const Shape3& shape, const Shape3& factor) {
  return {shape.z * factor.z, shape.y * factor.y, shape.x * factor.x};
}

// Number of decoded bytes, then zstd.
std::vector<std::byte> packed(const std::vector<std::byte>& bytes) {
  const std::uint64_t size = bytes.size();
  const auto* first = reinterpret_cast<const std::byte*>(&size);
  std::vector<std::byte> result(first, first + sizeof(size));
  storage::append_encoded({.codec = storage::Codec::kZstd, .level = 1, .voxel_bytes = 1}, bytes, result);
  return result;
}

std::vector<std::byte> unpacked(std::span<const std::byte> bytes, std::uint64_t most) {
  std::uint64_t size = 0;
  if (bytes.size() >= sizeof(size)) std::memcpy(&size, bytes.data(), sizeof(size));
  if (bytes.size() < sizeof(size) || size > most) throw Error(ErrorKind::kCorruptData, "cells of a level");
  std::vector<std::byte> result(static_cast<std::size_t>(size));
  storage::decode(storage::Codec::kZstd, bytes.subspan(sizeof(size)), result);
  return result;
}

}  // namespace

Shape3 LevelSet::ratio(std::size_t index) const {
  const Shape3& now = factor(index);
  const Shape3 before = index == 1 ? Shape3{1, 1, 1} : factor(index - 1);
  return {now.z / before.z, now.y / before.y, now.x / before.x};
}

Shape3 LevelSet::shape(std::size_t index) const {
  return index == 0 ? source->spec().shape : outputs.at(index - 1).spec.shape;
}

// One block: see the class. T: unsigned or floating-point, as the voxels' bits count.
template <class Cells, class T>
class ReduceLevels::Run {
 public:
  Run(const ReduceLevels& step, BlockOutput& output) : step_(step), set_(step.set_), output_(output) {}

  Cells make_chunk(std::size_t level, const Index3& position) {
    const Box box = step_.chunks(level).box_of(position);
    const Shape3 ratio = set_.ratio(level);
    Cells cells(box.shape());
    const BlockGrid finer = step_.chunks(level - 1);
    const Box children =
        finer.positions_touching(times(box, ratio).intersect(Box::of_shape(set_.shape(level - 1))));
    const BlockGrid each(Box::of_shape(children.shape()), {1, 1, 1});
    for (std::int64_t i = 0; i < each.count(); ++i) {
      throw_if_cancelled();
      const Index3 child = children.begin + each.position_of(i);
      const Box child_box = finer.box_of(child);
      const Index3 at =
          Index3{child_box.begin.z / ratio.z, child_box.begin.y / ratio.y, child_box.begin.x / ratio.x} -
          box.begin;
      if (level > step_.first_) {
        cells.take_cells(make_chunk(level - 1, child), ratio, at);
      } else if (step_.below_) {
        cells.take_cells(read_cells(child, child_box.shape()), ratio, at);
      } else {
        const AnyArray voxels = set_.source->read(child_box);
        cells.take_voxels(
            ArrayView<const T>(reinterpret_cast<const T*>(voxels.bytes().data()), voxels.shape()), ratio, at);
      }
      if (cells.num_entries() > kMostEntries) throw Crowded();
    }
    AnyArray reduced(set_.source->spec().data_type, box.shape());
    cells.reduce({set_.factor(level), set_.source->spec().shape, box.begin},
                 ArrayView<T>(reinterpret_cast<T*>(reduced.bytes().data()), reduced.shape()));
    output_.write(level - step_.first_, box, reduced);
    return cells;
  }

 private:
  Cells read_cells(const Index3& chunk, const Shape3& shape) const {
    const auto bytes = step_.cells_below_->read(step_.chunks(step_.first_ - 1).id_of(chunk));
    if (!bytes) throw Error(ErrorKind::kCorruptData, "the cells of a finer level are gone");
    if (bytes->empty()) throw Crowded();
    constexpr std::uint64_t kPerEntry = sizeof(T) + sizeof(std::uint32_t);
    const std::uint64_t most = static_cast<std::uint64_t>(shape.product()) * 16 + kMostEntries * kPerEntry;
    return Cells::from_bytes(shape, unpacked(*bytes, most));
  }

  const ReduceLevels& step_;
  const LevelSet& set_;
  BlockOutput& output_;
};

ReduceLevels::ReduceLevels(const LevelSet& set, std::size_t first, std::size_t last,
                           std::optional<std::filesystem::path> below)
    : set_(set), first_(first), last_(last), below_(std::move(below)) {
  require_reducible(*set_.source, set_.reduction);
  // Before the step before has run there is nothing to read, and only the plan is asked for.
  if (below_ && std::filesystem::exists(*below_)) cells_below_.emplace(*below_);
}

BlockGrid ReduceLevels::chunks(std::size_t level) const {
  return BlockGrid(Box::of_shape(set_.shape(level)), set_.source->spec().chunk_shape);
}

Shape3 ReduceLevels::chunk_in_source(std::size_t level) const {
  const Shape3& chunk = set_.source->spec().chunk_shape;
  return level == 0 ? chunk : times(chunk, set_.factor(level));
}

StepPlan ReduceLevels::plan() const {
  const storage::DatasetSpec& source = set_.source->spec();
  const Shape3 block_shape = chunk_in_source(last_);
  // Whole blocks of whatever is asked for.
  const BlockGrid blocks(source.domain(), block_shape);
  const Box positions = blocks.positions_touching(set_.domain);
  const Box domain{blocks.box_of(positions.begin).begin, blocks.box_of(positions.end - Index3{1, 1, 1}).end};
  StepPlan plan = StepPlan::over(domain, block_shape);
  for (std::size_t level = first_; level <= last_; ++level)
    plan.outputs.push_back(set_.outputs.at(level - 1));
  plan.reuse = blockwise::Reuse::kAnywhere;
  plan.depends_on = {{"reduction", set_.reduction == Reduction::kMean ? "mean" : "mode"},
                     {"factor", {set_.factor(last_).z, set_.factor(last_).y, set_.factor(last_).x}}};
  // Where ids are very many, the source itself.
  plan.reads(set_.source->address());
  if (below_) {
    plan.partials.push_back(
        {*below_, [grid = chunks(first_ - 1), factor = set_.factor(first_ - 1)](const Block& block) {
           const Box& box = block.write_box;
           const Box finer{{box.begin.z / factor.z, box.begin.y / factor.y, box.begin.x / factor.x},
                           {ceil_divide(box.end.z, factor.z), ceil_divide(box.end.y, factor.y),
                            ceil_divide(box.end.x, factor.x)}};
           const Box at = grid.positions_touching(finer);
           const BlockGrid each(Box::of_shape(at.shape()), {1, 1, 1});
           std::vector<std::int64_t> keys;
           for (std::int64_t i = 0; i < each.count(); ++i)
             keys.push_back(grid.id_of(at.begin + each.position_of(i)));
           return keys;
         }});
  }
  const std::int64_t chunk = source.chunk_shape.product();
  const auto voxel_bytes = static_cast<std::int64_t>(size_of(source.data_type));
  // Per open chunk its cells and their reduced voxels; what the cells become as bytes, packed and not.
  const std::int64_t open =
      set_.reduction == Reduction::kMean ? chunk * 16 : chunk * 8 + kMostEntries * (voxel_bytes + 8);
  plan.bytes_per_worker = static_cast<std::int64_t>(last_ - first_ + 2) * (open + chunk * voxel_bytes) +
                          2 * open + 4 * chunk * voxel_bytes + (std::int64_t{16} << 20);
  plan.bytes_read = below_ ? 0 : domain.volume() * voxel_bytes;
  for (std::size_t level = first_; level <= last_; ++level)
    plan.bytes_written += domain.volume() / set_.factor(level).product() * voxel_bytes;
  plan.voxels_per_second = below_ ? 5e9 : 100e6;
  return plan;
}

template <class Cells, class T>
bool ReduceLevels::reduce_block(const Block& block, BlockOutput& output) const {
  const BlockGrid grid = chunks(last_);
  const Box box = set_.outputs.at(last_ - 1).box_made_by(block.write_box);
  try {
    const Cells cells = Run<Cells, T>(*this, output).make_chunk(last_, grid.position_containing(box.begin));
    if (last_ < set_.factors.size()) output.emit(block.id, packed(cells.to_bytes()));
  } catch (const Crowded&) {
    return false;
  }
  return true;
}

void ReduceLevels::make_directly(const Block& block, BlockOutput& output) const {
  for (std::size_t level = first_; level <= last_; ++level) {
    const BlockGrid grid = chunks(level);
    const Box positions = grid.positions_touching(
        set_.outputs.at(level - 1).box_made_by(block.write_box).intersect(Box::of_shape(set_.shape(level))));
    const BlockGrid each(Box::of_shape(positions.shape()), {1, 1, 1});
    for (std::int64_t i = 0; i < each.count(); ++i) {
      const Box box = grid.box_of(positions.begin + each.position_of(i));
      output.write(
          level - first_, box,
          read_reduced(*set_.source, set_.factor(level), set_.reduction, box, set_.source->spec().data_type));
    }
  }
  if (last_ < set_.factors.size()) output.emit(block.id, {});
}

void ReduceLevels::process(const Block& block, BlockOutput& output) const {
  const bool is_done = dispatch(set_.source->spec().data_type, [&](auto zero) -> bool {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, double>) {
      return false;  // refused when planned
    } else if constexpr (std::is_same_v<T, float>) {
      return reduce_block<voxel::MeanCells<T>, T>(block, output);
    } else {
      using Bits = std::make_unsigned_t<T>;
      if (set_.reduction == Reduction::kMean)
        return reduce_block<voxel::MeanCells<Bits>, Bits>(block, output);
      return reduce_block<voxel::ModeCells<Bits>, Bits>(block, output);
    }
  });
  if (!is_done) make_directly(block, output);
}

}  // namespace organon::stages
