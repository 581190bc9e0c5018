#include "organon/stages/publish/reduce_levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "organon/base/cancellation.h"
#include "organon/base/check.h"
#include "organon/base/error.h"
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

// One chunk of the last level: see the class. T: unsigned or floating-point, as the voxels' bits count.
template <class Cells, class T>
class ReduceLevels::Run {
 public:
  Run(const ReduceLevels& step, std::vector<OpenUnits>& outputs)
      : step_(step), set_(step.set_), outputs_(outputs) {}

  Cells make_chunk(std::size_t level, const Index3& position) {
    const Box box = set_.chunks(level).box_of(position);
    const Shape3 ratio = set_.ratio(level);
    Cells cells(box.shape());
    const BlockGrid finer = set_.chunks(level - 1);
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
    outputs_[level - step_.first_].put(box, reduced);
    return cells;
  }

 private:
  Cells read_cells(const Index3& chunk, const Shape3& shape) const {
    const auto bytes = step_.cells_below_->read(set_.key_of_cells(step_.part_ - 1, chunk));
    if (!bytes) throw Error(ErrorKind::kCorruptData, "the cells of a finer level are gone");
    if (bytes->empty()) throw Crowded();
    constexpr std::uint64_t kPerEntry = sizeof(T) + sizeof(std::uint32_t);
    const std::uint64_t most = static_cast<std::uint64_t>(shape.product()) * 16 + kMostEntries * kPerEntry;
    return Cells::from_bytes(shape, unpacked(*bytes, most));
  }

  const ReduceLevels& step_;
  const LevelSet& set_;
  std::vector<OpenUnits>& outputs_;
};

ReduceLevels::ReduceLevels(const LevelSet& set, std::size_t part, std::optional<std::filesystem::path> below)
    : set_(set),
      part_(part),
      first_(set.parts.at(part).first),
      last_(set.parts.at(part).last),
      below_(std::move(below)) {
  require_reducible(*set_.source, set_.reduction);
  // Before the step before has run there is nothing to read, and only the plan is asked for.
  if (below_ && std::filesystem::exists(*below_)) cells_below_.emplace(*below_);
}

bool ReduceLevels::cells_keep_to_chunks() const {
  const Shape3& chunk = set_.source->spec().chunk_shape;
  const Shape3& factor = set_.factors.back();
  return (chunk.z % 2 == 0 || factor.z == 1) && (chunk.y % 2 == 0 || factor.y == 1) &&
         (chunk.x % 2 == 0 || factor.x == 1);
}

std::int64_t ReduceLevels::bytes_of_shards() const {
  std::int64_t open = 0;
  std::int64_t largest = 0;
  for (std::size_t level = first_; level <= last_; ++level) {
    const storage::DatasetSpec& spec = set_.outputs.at(level - 1).spec;
    if (!storage::has_shards(spec)) continue;
    const std::int64_t unit = min(storage::stored_shape(spec), spec.shape).product() *
                              static_cast<std::int64_t>(size_of(spec.data_type));
    open += set_.most_open_units(set_.parts[part_], level) * unit;
    largest = std::max(largest, unit);
  }
  // Encoded bytes are gathered in a buffer that doubles when it is full, and is copied then.
  return open + 3 * largest;
}

StepPlan ReduceLevels::plan() const {
  const storage::DatasetSpec& source = set_.source->spec();
  const LevelSet::Part& part = set_.parts[part_];
  const Box domain = set_.domain_of(part_);
  StepPlan plan = StepPlan::over(domain, set_.block_shape(part));
  for (std::size_t level = first_; level <= last_; ++level)
    plan.outputs.push_back(set_.outputs.at(level - 1));
  // Kept blocks may leave partials under their ids alone.
  const bool leaves_cells = last_ < set_.factors.size();
  if (!leaves_cells || set_.last_chunks_per_block(part).product() == 1)
    plan.reuse = blockwise::Reuse::kAnywhere;
  plan.depends_on = {{"reduction", set_.reduction == Reduction::kMean ? "mean" : "mode"},
                     {"factor", {set_.factor(last_).z, set_.factor(last_).y, set_.factor(last_).x}}};
  // Where ids are very many, the source itself.
  plan.reads(set_.source->address());
  if (below_) {
    plan.partials.push_back(
        {*below_, [&set = set_, before = part_ - 1, level = first_ - 1](const Block& block) {
           const Box at =
               set.chunks(level).positions_touching(set.outputs.at(level - 1).box_made_by(block.write_box));
           const BlockGrid each(Box::of_shape(at.shape()), {1, 1, 1});
           std::vector<std::int64_t> keys;
           for (std::int64_t i = 0; i < each.count(); ++i)
             keys.push_back(set.key_of_cells(before, at.begin + each.position_of(i)));
           return keys;
         }});
  }
  const std::int64_t chunk = source.chunk_shape.product();
  const auto voxel_bytes = static_cast<std::int64_t>(size_of(source.data_type));
  // Per open chunk its cells and their reduced voxels; what the cells become as bytes, packed and not.
  const std::int64_t open =
      set_.reduction == Reduction::kMean ? chunk * 16 : chunk * 8 + kMostEntries * (voxel_bytes + 8);
  plan.bytes_per_worker = static_cast<std::int64_t>(last_ - first_ + 2) * (open + chunk * voxel_bytes) +
                          2 * open + 4 * chunk * voxel_bytes + bytes_of_shards() + (std::int64_t{16} << 20);
  // Else every level reads the source.
  const bool reads_once = cells_keep_to_chunks();
  const auto num_levels = static_cast<std::int64_t>(last_ - first_ + 1);
  plan.bytes_read = (!reads_once ? num_levels : below_ ? 0 : 1) * domain.volume() * voxel_bytes;
  for (std::size_t level = first_; level <= last_; ++level)
    plan.bytes_written += domain.volume() / set_.factor(level).product() * voxel_bytes;
  plan.voxels_per_second = !reads_once ? 80e6 / static_cast<double>(num_levels) : below_ ? 5e9 : 100e6;
  // Pieces of read_reduced().
  if (!reads_once) plan.bytes_per_worker += 3 * (std::int64_t{256} * 256 * 256 + chunk) * voxel_bytes;
  return plan;
}

template <class Cells, class T>
bool ReduceLevels::reduce_chunk(const Index3& chunk, std::vector<OpenUnits>& outputs,
                                BlockOutput& output) const {
  try {
    const Cells cells = Run<Cells, T>(*this, outputs).make_chunk(last_, chunk);
    if (last_ < set_.factors.size()) output.emit(set_.key_of_cells(part_, chunk), packed(cells.to_bytes()));
  } catch (const Crowded&) {
    return false;
  }
  return true;
}

// What was made before the chunk was found crowded stays.
void ReduceLevels::make_directly(const Index3& chunk, std::vector<OpenUnits>& outputs) const {
  const Box last = set_.chunks(last_).box_of(chunk);
  for (std::size_t level = first_; level <= last_; ++level) {
    const Shape3 finer{set_.factor(last_).z / set_.factor(level).z,
                       set_.factor(last_).y / set_.factor(level).y,
                       set_.factor(last_).x / set_.factor(level).x};
    const BlockGrid grid = set_.chunks(level);
    const Box positions = grid.positions_touching(times(last, finer).intersect(grid.domain()));
    const BlockGrid each(Box::of_shape(positions.shape()), {1, 1, 1});
    for (std::int64_t i = 0; i < each.count(); ++i) {
      const Box box = grid.box_of(positions.begin + each.position_of(i));
      if (outputs[level - first_].has(box)) continue;
      outputs[level - first_].put(box, read_reduced(*set_.source, set_.factor(level), set_.reduction, box,
                                                    set_.source->spec().data_type));
    }
  }
}

void ReduceLevels::process(const Block& block, BlockOutput& output) const {
  const LevelSet::Part& part = set_.parts[part_];
  std::vector<OpenUnits> outputs;
  for (std::size_t level = first_; level <= last_; ++level) {
    outputs.emplace_back(set_.outputs.at(level - 1).spec, level - first_, set_.most_open_units(part, level),
                         output);
  }
  const std::vector<Index3> chunks = set_.last_chunks_in(part, block.write_box);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const bool is_done =
        cells_keep_to_chunks() && dispatch(set_.source->spec().data_type, [&](auto zero) -> bool {
          using T = decltype(zero);
          if constexpr (std::is_same_v<T, double>) {
            return false;  // refused when planned
          } else if constexpr (std::is_same_v<T, float>) {
            return reduce_chunk<voxel::MeanCells<T>, T>(chunks[i], outputs, output);
          } else {
            using Bits = std::make_unsigned_t<T>;
            if (set_.reduction == Reduction::kMean)
              return reduce_chunk<voxel::MeanCells<Bits>, Bits>(chunks[i], outputs, output);
            return reduce_chunk<voxel::ModeCells<Bits>, Bits>(chunks[i], outputs, output);
          }
        });
    if (!is_done) {
      make_directly(chunks[i], outputs);
      if (last_ < set_.factors.size()) output.emit(set_.key_of_cells(part_, chunks[i]), {});
    }
    output.report(static_cast<double>(i + 1) / static_cast<double>(chunks.size()), "");
  }
  for (const OpenUnits& units : outputs) ORGANON_CHECK(units.are_whole());
}

}  // namespace organon::stages
