#include "organon/voxel/label_components.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "organon/voxel/union_find.h"

namespace organon::voxel {
namespace {

/// Voxels [begin, end) of a row, all of one component.
struct Run {
  std::uint32_t begin;
  std::uint32_t end;
};

/// Runs of all rows, in raster order.
struct Runs {
  std::vector<Run> runs;
  /// Row r (z * height + y) has the runs row_begins[r] .. row_begins[r + 1] - 1.
  std::vector<std::uint32_t> row_begins{0};
  UnionFind<std::uint32_t> sets;

  void end_row() {
    row_begins.push_back(static_cast<std::uint32_t>(runs.size()));
    while (sets.size() < runs.size()) sets.add();
  }
};

// One bit a voxel: bit i is set where byte i of `from` is not 0. `count` <= 64.
std::uint64_t nonzero_bits(const std::uint8_t* from, std::int64_t count) {
  std::uint64_t bits = 0;
  std::int64_t i = 0;
  static_assert(std::endian::native == std::endian::little);
  for (; i + 8 <= count; i += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, from + i, 8);
    if (bytes == 0) continue;
    // The high bit of each byte tells whether any bit of it is set; the product gathers the eight of them.
    const std::uint64_t low = 0x7F7F7F7F7F7F7F7Fu;
    const std::uint64_t high = (((bytes & low) + low) | bytes) & ~low;
    bits |= (((high >> 7) * 0x0102040810204080u) >> 56) << i;
  }
  for (; i < count; ++i) bits |= static_cast<std::uint64_t>(from[i] != 0) << i;
  return bits;
}

void find_runs(const std::uint8_t* row, std::int64_t width, std::vector<Run>& runs) {
  std::uint64_t before = 0;  // The last voxel of the word before, in bit 0.
  for (std::int64_t x = 0; x < width; x += 64) {
    const std::uint64_t inside = nonzero_bits(row + x, std::min<std::int64_t>(64, width - x));
    std::uint64_t changes = inside ^ (inside << 1 | before);
    for (; changes != 0; changes &= changes - 1) {
      const int bit = std::countr_zero(changes);
      const auto position = static_cast<std::uint32_t>(x + bit);
      if (inside >> bit & 1) {
        runs.push_back({position, static_cast<std::uint32_t>(width)});
      } else {
        runs.back().end = position;
      }
    }
    before = inside >> 63;
  }
}

template <class Id>
void find_runs_of_ids(const Id* row, std::int64_t width, std::vector<Run>& runs) {
  std::int64_t x = 0;
  while (x < width) {
    const Id id = row[x];
    const std::int64_t begin = x;
    // Sixteen at a time while they agree.
    while (x + 16 <= width) {
      Id differing = 0;
      for (int i = 0; i < 16; ++i) differing |= row[x + i] ^ id;
      if (differing != 0) break;
      x += 16;
    }
    while (x < width && row[x] == id) ++x;
    if (id != 0) runs.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(x)});
  }
}

/// Unites runs of the newest row with those of an earlier neighbour row. Two runs are adjacent where they
/// overlap after one of them is made longer by `reach` (0 or 1) voxels on both ends; `may_unite(a, b)`
/// decides on adjacent ones.
template <class MayUnite>
void unite_rows(Runs& all, std::size_t row, std::size_t earlier, std::uint32_t reach,
                const MayUnite& may_unite) {
  std::uint32_t a = all.row_begins[row];
  std::uint32_t b = all.row_begins[earlier];
  const std::uint32_t a_end = all.row_begins[row + 1];
  const std::uint32_t b_end = all.row_begins[earlier + 1];
  while (a < a_end && b < b_end) {
    const Run& run_a = all.runs[a];
    const Run& run_b = all.runs[b];
    if (run_a.begin < run_b.end + reach && run_b.begin < run_a.end + reach && may_unite(run_a, run_b)) {
      all.sets.unite(a, b);
    }
    // The one that ends first can meet no later run of the other row, except that at equal ends and reach 1
    // both still can: run_b stays, and meets the next run of row a; run_a's next meeting is with the run
    // after run_b.
    if (run_a.end < run_b.end) {
      ++a;
    } else if (run_b.end < run_a.end) {
      ++b;
    } else {
      if (reach == 1) {
        if (a + 1 < a_end && all.runs[a + 1].begin == run_b.end && may_unite(all.runs[a + 1], run_b)) {
          all.sets.unite(a + 1, b);
        }
        if (b + 1 < b_end && all.runs[b + 1].begin == run_a.end && may_unite(run_a, all.runs[b + 1])) {
          all.sets.unite(a, b + 1);
        }
      }
      ++a;
      ++b;
    }
  }
}

template <class T, class FindRuns, class MayUnite>
Components label_runs(ArrayView<const T> voxels, Connectivity connectivity, ArrayView<std::uint32_t> labels,
                      const FindRuns& find_runs_of_row, const MayUnite& may_unite) {
  const Shape3 shape = voxels.shape();
  ORGANON_CHECK(labels.shape() == shape);
  ORGANON_CHECK(voxels.stride().x == 1 && labels.stride().x == 1);
  ORGANON_CHECK(shape.product() < (std::int64_t{1} << 32));

  const std::uint32_t face_reach = connectivity == Connectivity::kFace ? 0 : 1;
  const std::uint32_t edge_reach = connectivity == Connectivity::kFaceEdgeVertex ? 1 : 0;
  Runs all;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      find_runs_of_row(voxels.row(z, y), shape.x, all.runs);
      all.end_row();
      const auto row = static_cast<std::size_t>(z * shape.y + y);
      if (all.row_begins[row] == all.row_begins[row + 1]) continue;
      const auto unite_with = [&](std::int64_t other_z, std::int64_t other_y, std::uint32_t reach) {
        const auto other = static_cast<std::size_t>(other_z * shape.y + other_y);
        unite_rows(all, row, other, reach, [&](const Run& a, const Run& b) {
          return may_unite(voxels.row(z, y)[a.begin], voxels.row(other_z, other_y)[b.begin]);
        });
      };
      if (y > 0) unite_with(z, y - 1, face_reach);
      if (z > 0) {
        unite_with(z - 1, y, face_reach);
        if (connectivity != Connectivity::kFace) {
          if (y > 0) unite_with(z - 1, y - 1, edge_reach);
          if (y + 1 < shape.y) unite_with(z - 1, y + 1, edge_reach);
        }
      }
    }
  }

  // Roots are first runs, so they come in the order in which labels are counted.
  Components result;
  std::vector<std::uint32_t> label_of_run(all.runs.size());
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      std::uint32_t* row = labels.row(z, y);
      std::int64_t filled = 0;
      const auto position = static_cast<std::size_t>(z * shape.y + y);
      for (std::uint32_t i = all.row_begins[position]; i < all.row_begins[position + 1]; ++i) {
        const Run& run = all.runs[i];
        if (all.sets.is_root(i)) {
          result.components.push_back({(z * shape.y + y) * shape.x + run.begin, 0, {}});
          label_of_run[i] = static_cast<std::uint32_t>(result.components.size());
        } else {
          label_of_run[i] = label_of_run[all.sets.find(i)];
        }
        Component& component = result.components[label_of_run[i] - 1];
        component.voxels += run.end - run.begin;
        component.box = component.box.unite({{z, y, run.begin}, {z + 1, y + 1, run.end}});
        std::fill(row + filled, row + run.begin, 0u);
        std::fill(row + run.begin, row + run.end, label_of_run[i]);
        filled = run.end;
      }
      std::fill(row + filled, row + shape.x, 0u);
    }
  }
  return result;
}

}  // namespace

Components label_components(ArrayView<const std::uint8_t> mask, Connectivity connectivity,
                            ArrayView<std::uint32_t> labels) {
  return label_runs(mask, connectivity, labels, find_runs, [](std::uint8_t, std::uint8_t) { return true; });
}

template <class Id>
Components label_equal_ids(ArrayView<const Id> ids, Connectivity connectivity,
                           ArrayView<std::uint32_t> labels) {
  return label_runs(ids, connectivity, labels, find_runs_of_ids<Id>, [](Id a, Id b) { return a == b; });
}

#define ORGANON_INSTANTIATE(Id) \
  template Components label_equal_ids<Id>(ArrayView<const Id>, Connectivity, ArrayView<std::uint32_t>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
