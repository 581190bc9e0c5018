#include "organon/blockwise/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/voxel/relabel.h"
#include "organon/voxel/union_find.h"

namespace organon::blockwise {
namespace {

// Of the highest value in the tables that are looked up.
constexpr std::int64_t kHighestKey = -1;

int num_steps(const Index3& offset) {
  return static_cast<int>(offset.z != 0) + static_cast<int>(offset.y != 0) + static_cast<int>(offset.x != 0);
}

std::vector<Index3> offsets_of(Connectivity connectivity) {
  const int most = connectivity == Connectivity::kFace ? 1 : connectivity == Connectivity::kFaceEdge ? 2 : 3;
  std::vector<Index3> offsets;
  for (std::int64_t z = -1; z <= 1; ++z) {
    for (std::int64_t y = -1; y <= 1; ++y) {
      for (std::int64_t x = -1; x <= 1; ++x) {
        const int steps = num_steps({z, y, x});
        if (steps >= 1 && steps <= most) offsets.push_back({z, y, x});
      }
    }
  }
  return offsets;
}

}  // namespace

void check_whole_values(std::size_t num_bytes, std::size_t value_bytes) {
  if (num_bytes % value_bytes == 0) return;
  throw Error(ErrorKind::kCorruptData,
              fmt::format("{} bytes are no whole number of {}-byte values", num_bytes, value_bytes));
}

void ComponentPiece::meet(std::uint64_t id) {
  if (id == 0 || id == met_id) return;
  if (met_id != 0)
    state |= kMeetsSeveral;
  else
    met_id = id;
}

void ComponentPiece::merge(const ComponentPiece& other) {
  first_voxel = std::min(first_voxel, other.first_voxel);
  num_voxels += other.num_voxels;
  state |= other.state;
  meet(other.met_id);
}

std::vector<ComponentPiece> pieces_of(const voxel::Components& found, const Box& write_box,
                                      const Shape3& shape) {
  const BlockGrid own_voxels(Box::of_shape(write_box.shape()), {1, 1, 1});
  std::vector<ComponentPiece> pieces;
  pieces.reserve(found.components.size());
  for (const voxel::Component& component : found.components) {
    const Index3 first = write_box.begin + own_voxels.position_of(component.first_voxel);
    ComponentPiece piece;
    piece.first_voxel = static_cast<std::uint64_t>((first.z * shape.y + first.y) * shape.x + first.x);
    piece.num_voxels = static_cast<std::uint64_t>(component.voxels);
    pieces.push_back(piece);
  }
  return pieces;
}

storage::DatasetSpec block_labels_spec(storage::DatasetSpec spec) {
  spec.data_type = DataType::kUint32;
  spec.codec = storage::Codec::kZstd;
  spec.level = 1;
  spec.fill_value = 0;
  return spec;
}

JoinFaces::JoinFaces(const std::string& components, const Box& domain, const Shape3& block_shape,
                     Connectivity connectivity)
    : components_(storage::open_dataset(components)),
      domain_(domain),
      block_shape_(block_shape),
      connectivity_(connectivity) {}

StepPlan JoinFaces::plan() const {
  StepPlan plan = plan_over(domain_, block_shape_, components_->spec().chunk_shape);
  plan.reads(components_->address(), Shape3::cube(1));
  plan.reuse = Reuse::kSameRows;  // joins name blocks
  return plan;
}

StepPlan JoinFaces::plan_over(const Box& domain, const Shape3& block_shape, const Shape3& chunk_shape) {
  StepPlan plan = StepPlan::over(domain, block_shape);
  const Shape3& chunk = chunk_shape;
  const Shape3& s = block_shape;
  // Three slabs of whole chunks, decoded one after the other, and the planes taken from them.
  const std::int64_t slab =
      std::max({2 * chunk.z * s.y * s.x, s.z * 2 * chunk.y * s.x, s.z * s.y * 2 * chunk.x});
  plan.bytes_per_worker = 8 * slab;
  plan.bytes_read = plan.blocks().count() * 4 * 2 * (s.y * s.x + s.z * s.x + s.z * s.y);
  plan.voxels_per_second = 400e6;
  return plan;
}

void JoinFaces::process(const Block& block, BlockOutput& output) const {
  const BlockGrid blocks(domain_, block_shape_);
  const Box own = block.write_box;
  std::vector<Join> joins;
  const std::vector<Index3> offsets = offsets_of(connectivity_);

  // Pairs across the lower face of one axis. Pairs that also cross an earlier axis (z before y before x) are
  // left to that axis, so that each is met once: `own_part` and `reach` stay inside the block along earlier
  // axes.
  const auto join_across = [&](const Box& own_part, const Box& reach, const Index3& step) {
    const Box view_box = own_part.unite(reach.intersect(domain_));
    if (reach.intersect(domain_).empty()) return;
    const Array<std::uint32_t> labels = components_->read_as<std::uint32_t>(view_box);
    const auto at = [&](const Index3& index) { return labels(index - view_box.begin); };
    for (std::int64_t z = own_part.begin.z; z < own_part.end.z; ++z) {
      for (std::int64_t y = own_part.begin.y; y < own_part.end.y; ++y) {
        for (std::int64_t x = own_part.begin.x; x < own_part.end.x; ++x) {
          const std::uint32_t label = at({z, y, x});
          if (label == 0) continue;
          for (const Index3& offset : offsets) {
            if ((step.z != 0 && offset.z != -1) || (step.y != 0 && offset.y != -1) ||
                (step.x != 0 && offset.x != -1))
              continue;
            const Index3 place = Index3{z, y, x} + offset;
            if (!reach.contains(place) || !view_box.contains(place)) continue;
            const std::uint32_t other = at(place);
            if (other == 0) continue;
            const Join join{label, other, blocks.id_of(blocks.position_containing(place))};
            if (joins.empty() || !(joins.back() == join)) joins.push_back(join);
          }
        }
      }
    }
  };

  const auto plane = [&](Index3 step) {
    Box part = own;
    if (step.z != 0) part.end.z = own.begin.z + 1;
    if (step.y != 0) part.end.y = own.begin.y + 1;
    if (step.x != 0) part.end.x = own.begin.x + 1;
    return part;
  };
  {
    const Box part = plane({1, 0, 0});
    join_across(
        part,
        Box{{own.begin.z - 1, own.begin.y - 1, own.begin.x - 1}, {own.begin.z, own.end.y + 1, own.end.x + 1}},
        {1, 0, 0});
  }
  {
    const Box part = plane({0, 1, 0});
    join_across(part,
                Box{{own.begin.z, own.begin.y - 1, own.begin.x - 1}, {own.end.z, own.begin.y, own.end.x + 1}},
                {0, 1, 0});
  }
  {
    const Box part = plane({0, 0, 1});
    join_across(part, Box{{own.begin.z, own.begin.y, own.begin.x - 1}, {own.end.z, own.end.y, own.begin.x}},
                {0, 0, 1});
  }
  const auto before = [](const Join& a, const Join& b) {
    return std::tie(a.other_block, a.own, a.other) < std::tie(b.other_block, b.own, b.other);
  };
  std::sort(joins.begin(), joins.end(), before);
  joins.erase(std::unique(joins.begin(), joins.end()), joins.end());
  if (!joins.empty()) output.emit(block.id, bytes_of(joins));
}

StepPlan resolving_plan(const PartialReader& pieces, const PartialReader& joins) {
  StepPlan plan = StepPlan::solve();
  // Per piece, besides itself in a vector that grows: its set, rank and component twice over, its joined
  // piece.
  plan.bytes_per_worker = 5 * pieces.num_bytes() + 2 * joins.num_bytes();
  plan.bytes_read = pieces.num_bytes() + joins.num_bytes();
  return plan;
}

ResolvedComponents resolve_components(const PartialReader& pieces_of_blocks,
                                      const PartialReader& joins_of_blocks) {
  ResolvedComponents resolved;
  std::vector<ComponentPiece> pieces;
  std::unordered_map<std::int64_t, std::uint64_t> begin_of;
  for (const std::int64_t block : pieces_of_blocks.keys()) {
    if (block < 0) continue;
    const auto own = values_of<ComponentPiece>(pieces_of_blocks.read(block).value());
    begin_of[block] = pieces.size();
    resolved.blocks.push_back(block);
    resolved.begin.push_back(pieces.size());
    pieces.insert(pieces.end(), own.begin(), own.end());
    throw_if_cancelled();
  }
  resolved.begin.push_back(pieces.size());
  if (pieces.size() >= std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{} components of blocks, at most 2^32 - 2", pieces.size()));
  }

  voxel::UnionFind<std::uint32_t> sets(static_cast<std::uint32_t>(pieces.size()));
  for (const std::int64_t block : joins_of_blocks.keys()) {
    for (const Join& join : values_of<Join>(joins_of_blocks.read(block).value())) {
      const std::uint64_t a = begin_of.at(block) + join.own - 1;
      const std::uint64_t b = begin_of.at(join.other_block) + join.other - 1;
      if (a >= pieces.size() || b >= pieces.size())
        throw Error(ErrorKind::kCorruptData, "a join names a component that no block has");
      sets.unite(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
    }
    throw_if_cancelled();
  }

  std::vector<std::uint32_t> roots;
  for (std::uint32_t i = 0; i < pieces.size(); ++i) {
    const std::uint32_t root = sets.find(i);
    if (root == i) {
      roots.push_back(i);
    } else {
      pieces[root].merge(pieces[i]);
    }
  }
  std::sort(roots.begin(), roots.end(),
            [&](std::uint32_t a, std::uint32_t b) { return pieces[a].first_voxel < pieces[b].first_voxel; });
  std::vector<std::uint32_t> rank(pieces.size());
  resolved.components.reserve(roots.size());
  for (const std::uint32_t root : roots) {
    rank[root] = static_cast<std::uint32_t>(resolved.components.size());
    resolved.components.push_back(pieces[root]);
  }
  resolved.component_of.resize(pieces.size());
  for (std::uint32_t i = 0; i < pieces.size(); ++i) resolved.component_of[i] = rank[sets.find(i)];
  return resolved;
}

void emit_lookup_tables(const ResolvedComponents& resolved,
                        const std::function<std::uint64_t(std::size_t)>& value_of, BlockOutput& output) {
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < resolved.blocks.size(); ++i) {
    std::vector<std::uint64_t> table;
    for (std::uint64_t piece = resolved.begin[i]; piece < resolved.begin[i + 1]; ++piece) {
      table.push_back(value_of(resolved.component_of[piece]));
      highest = std::max(highest, table.back());
    }
    // A block of which nothing is kept has no table, so that the last map need not read it.
    if (std::any_of(table.begin(), table.end(), [](std::uint64_t value) { return value != 0; })) {
      output.emit(resolved.blocks[i], bytes_of(table));
    }
  }
  output.emit(kHighestKey, bytes_of(std::vector<std::uint64_t>{highest}));
}

LookUpLabels::LookUpLabels(const std::function<StepPlan(DataType)>& plan_of, const std::string& labels,
                           const std::filesystem::path& tables)
    : tables_(tables),
      labels_(storage::open_dataset(labels)),
      type_(smallest_unsigned_type(values_of<std::uint64_t>(tables_.read(kHighestKey).value()).at(0))),
      plan_(plan_of(type_)) {
  plan_.reads(labels_->address());
  // The highest value of all makes the output's type, nothing else.
  plan_.partials.push_back({tables, [](const Block& block) { return std::vector{block.id}; }});
  plan_.reuse = Reuse::kAnywhere;
}

void LookUpLabels::process(const Block& block, BlockOutput& output) const {
  AnyArray result(type_, block.write_box.shape());
  const auto bytes = tables_.read(block.id);
  if (!bytes) {
    std::fill(result.bytes().begin(), result.bytes().end(), std::byte{0});
    output.write(0, block.write_box, result);
    return;
  }
  const auto table = values_of<std::uint64_t>(*bytes);
  const Array<std::uint32_t> labels = labels_->read_as<std::uint32_t>(block.write_box);
  dispatch(type_, [&](auto zero) {
    using Id = decltype(zero);
    if constexpr (std::is_unsigned_v<Id>) {
      std::vector<Id> ids = {0};  // background stays background
      for (const std::uint64_t id : table) ids.push_back(static_cast<Id>(id));
      voxel::relabel<Id>(labels, ids, result.view<Id>());
    }
  });
  output.write(0, block.write_box, result);
}

}  // namespace organon::blockwise
