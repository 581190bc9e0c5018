#include "organon/blockwise/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/voxel/union_find.h"

namespace organon::blockwise {
namespace {

constexpr int kRasterBits = 21;

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
  if (other.first_voxel < first_voxel) {
    first_voxel = other.first_voxel;
    label = other.label;
  }
  num_voxels += other.num_voxels;
  state |= other.state;
  meet(other.met_id);
}

std::uint64_t raster_key(const Index3& voxel) {
  if (((voxel.z | voxel.y | voxel.x) >> kRasterBits) != 0)
    throw Error(ErrorKind::kUnsupported, "components of a volume with an axis of more than 2^21 voxels");
  return static_cast<std::uint64_t>((((voxel.z << kRasterBits) | voxel.y) << kRasterBits) | voxel.x);
}

Index3 voxel_of_raster_key(std::uint64_t key) {
  constexpr std::uint64_t kMask = (1U << kRasterBits) - 1;
  return {static_cast<std::int64_t>(key >> (2 * kRasterBits)),
          static_cast<std::int64_t>((key >> kRasterBits) & kMask), static_cast<std::int64_t>(key & kMask)};
}

std::vector<bool> find_open(ArrayView<const std::uint32_t> labels, std::int64_t num_labels,
                            const Box& write_box, const Box& domain) {
  std::vector<bool> is_open(static_cast<std::size_t>(num_labels), false);
  const Box own = Box::of_shape(write_box.shape());
  const auto look_at = [&](Box plane) {
    for (std::int64_t z = plane.begin.z; z < plane.end.z; ++z) {
      for (std::int64_t y = plane.begin.y; y < plane.end.y; ++y) {
        for (std::int64_t x = plane.begin.x; x < plane.end.x; ++x) {
          const std::uint32_t label = labels({z, y, x});
          if (label != 0) is_open[label - 1] = true;
        }
      }
    }
  };
  for (std::int64_t Index3::*const axis : {&Index3::z, &Index3::y, &Index3::x}) {
    Box plane = own;
    if (write_box.begin.*axis > domain.begin.*axis) {
      plane.end.*axis = 1;
      look_at(plane);
    }
    plane = own;
    if (write_box.end.*axis < domain.end.*axis) {
      plane.begin.*axis = own.end.*axis - 1;
      look_at(plane);
    }
  }
  return is_open;
}

ComponentPiece piece_of(const voxel::Components& found, std::size_t index, const Box& write_box) {
  const voxel::Component& component = found.components[index];
  const BlockGrid own_voxels(Box::of_shape(write_box.shape()), {1, 1, 1});
  ComponentPiece piece;
  piece.label = static_cast<std::uint32_t>(index + 1);
  piece.first_voxel = raster_key(write_box.begin + own_voxels.position_of(component.first_voxel));
  piece.num_voxels = static_cast<std::uint64_t>(component.voxels);
  return piece;
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

std::pair<std::uint64_t, std::uint64_t> ResolvedComponents::pieces_of(std::int64_t block) const {
  const auto at = std::lower_bound(blocks.begin(), blocks.end(), block);
  if (at == blocks.end() || *at != block) return {0, 0};
  const auto index = static_cast<std::size_t>(at - blocks.begin());
  return {begin[index], begin[index + 1]};
}

StepPlan resolving_plan(const PartialReader& pieces, const PartialReader& joins) {
  std::int64_t piece_bytes = 0, largest_bytes = 0, join_bytes = 0;
  for (const std::int64_t key : pieces.keys()) {
    if (key < 0) continue;
    piece_bytes += pieces.num_bytes(key);
    largest_bytes = std::max(largest_bytes, pieces.num_bytes(key));
  }
  for (const std::int64_t key : joins.keys()) {
    join_bytes += joins.num_bytes(key);
    largest_bytes = std::max(largest_bytes, joins.num_bytes(key));
  }
  StepPlan plan = StepPlan::solve();
  // Per piece its label, its set and its component, and the component where no piece has joined another.
  constexpr auto kPieceBytes = static_cast<std::int64_t>(sizeof(ComponentPiece));
  plan.bytes_per_worker = piece_bytes / kPieceBytes * (12 + kPieceBytes) + 2 * largest_bytes;
  plan.bytes_read = 2 * piece_bytes + join_bytes;
  return plan;
}

ResolvedComponents resolve_components(const PartialReader& pieces_of_blocks,
                                      const PartialReader& joins_of_blocks) {
  constexpr auto kPieceBytes = static_cast<std::int64_t>(sizeof(ComponentPiece));
  ResolvedComponents resolved;
  std::uint64_t num_pieces = 0;
  for (const std::int64_t block : pieces_of_blocks.keys()) {
    if (block < 0) continue;
    resolved.blocks.push_back(block);
    resolved.begin.push_back(num_pieces);
    num_pieces += static_cast<std::uint64_t>(pieces_of_blocks.num_bytes(block) / kPieceBytes);
  }
  resolved.begin.push_back(num_pieces);
  if (num_pieces >= std::numeric_limits<std::uint32_t>::max()) {
    throw Error(
        ErrorKind::kResourceExhausted,
        fmt::format("{} components touch the faces of blocks, at most 2^32 - 2: larger blocks have fewer",
                    num_pieces));
  }
  const auto for_each_block = [&](const auto& use) {
    for (const std::int64_t block : resolved.blocks) {
      use(values_of<ComponentPiece>(pieces_of_blocks.read(block).value()));
      throw_if_cancelled();
    }
  };

  resolved.labels.reserve(num_pieces);
  for_each_block([&](const std::vector<ComponentPiece>& own) {
    for (const ComponentPiece& piece : own) resolved.labels.push_back(piece.label);
  });
  const auto number_of = [&](std::int64_t block, std::uint32_t label) {
    const auto [begin, end] = resolved.pieces_of(block);
    const auto first = resolved.labels.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = resolved.labels.begin() + static_cast<std::ptrdiff_t>(end);
    const auto at = std::lower_bound(first, last, label);
    if (at == last || *at != label)
      throw Error(ErrorKind::kCorruptData, "a join names a component that no block has");
    return static_cast<std::uint32_t>(at - resolved.labels.begin());
  };
  voxel::UnionFind<std::uint32_t> sets(static_cast<std::uint32_t>(num_pieces));
  for (const std::int64_t block : joins_of_blocks.keys()) {
    for (const Join& join : values_of<Join>(joins_of_blocks.read(block).value()))
      sets.unite(number_of(block, join.own), number_of(join.other_block, join.other));
    throw_if_cancelled();
  }

  std::uint32_t num_components = 0;
  for (std::uint32_t i = 0; i < num_pieces; ++i) num_components += sets.is_root(i) ? 1 : 0;
  resolved.components.reserve(num_components);
  resolved.component_of.reserve(num_pieces);
  for_each_block([&](const std::vector<ComponentPiece>& own) {
    for (const ComponentPiece& piece : own) {
      // The root is the smallest of its set, so it has its component already.
      const auto number = static_cast<std::uint32_t>(resolved.component_of.size());
      const std::uint32_t root = sets.find(number);
      if (root == number) {
        resolved.component_of.push_back(static_cast<std::uint32_t>(resolved.components.size()));
        resolved.components.push_back(piece);
      } else {
        resolved.component_of.push_back(resolved.component_of[root]);
        resolved.components[resolved.component_of[root]].merge(piece);
      }
    }
  });
  return resolved;
}

}  // namespace organon::blockwise
