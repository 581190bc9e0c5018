#include "organon/voxel/connected_runs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "organon/voxel/row_bits.h"
#include "organon/voxel/union_find.h"

namespace organon::voxel {
namespace {

/// What is known of 64 voxels of a row.
struct Word {
  std::uint64_t inside = 0;       ///< voxels of runs
  std::uint64_t begins = 0;       ///< first voxels of runs
  std::uint64_t changes = 0;      ///< voxels that are not of the run, or gap, of the voxel before
  std::uint32_t runs_before = 0;  ///< runs of the volume that begin before these voxels
};

// Without asking for a processor that has an instruction for it, the library's own is a call.
std::uint32_t count_bits(std::uint64_t word) {
  word -= word >> 1 & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return static_cast<std::uint32_t>(word * 0x0101010101010101u >> 56);
}

// Planes after which the number of runs is foreseen.
constexpr std::int64_t kFirstPlanes = 16;

template <class T, RunsOf kKind>
class Connector {
 public:
  Connector(ArrayView<const T> voxels, Connectivity connectivity)
      : voxels_(voxels),
        shape_(voxels.shape()),
        connectivity_(connectivity),
        num_words_(num_words(shape_.x)),
        words_(static_cast<std::size_t>(2 * shape_.y * num_words_)),
        nonzero_(static_cast<std::size_t>(num_words_)),
        differences_(static_cast<std::size_t>(num_words_)) {
    for (auto& same : same_) same.resize(static_cast<std::size_t>(num_words_));
    ORGANON_CHECK(voxels.stride().x == 1);
    ORGANON_CHECK(shape_.product() < (std::int64_t{1} << 32));
  }

  ConnectedRuns connect() {
    row_begins_.push_back(0);
    for (std::int64_t z = 0; z < shape_.z; ++z) {
      for (std::int64_t y = 0; y < shape_.y; ++y) {
        find_runs(z, y);
        row_begins_.push_back(static_cast<std::uint32_t>(runs_.size()));
        connect_row(z, y);
      }
      if (z == kFirstPlanes) reserve(z + 1);
    }
    ConnectedRuns found;
    found.runs = std::move(runs_);
    found.row_begins = std::move(row_begins_);
    found.components = std::move(sets_).numbered(found.num_components);
    return found;
  }

 private:
  // From the runs of the first planes, with something to spare.
  void reserve(std::int64_t num_planes) {
    const auto expected = std::uint64_t{runs_.size()} * static_cast<std::uint64_t>(shape_.z) * 9 / 8 /
                          static_cast<std::uint64_t>(num_planes);
    runs_.reserve(expected);
    sets_.reserve(static_cast<std::uint32_t>(std::min<std::uint64_t>(expected, ~std::uint32_t{0})));
  }

  // A row and its place among all; the rows of two planes have words.
  struct Row {
    const T* voxels;
    const Word* words;
    std::uint32_t runs_begin;
    std::uint32_t runs_end;
  };
  struct NearRow {
    Row row;
    std::uint32_t reach;  // voxels at the ends of a run to which it is connected too
  };
  Row row_at(std::int64_t z, std::int64_t y) const {
    const auto row = static_cast<std::size_t>(z * shape_.y + y);
    return {voxels_.row(z, y), words_.data() + (z % 2 * shape_.y + y) * num_words_, row_begins_[row],
            row_begins_[row + 1]};
  }

  void find_runs(std::int64_t z, std::int64_t y) {
    const T* row = voxels_.row(z, y);
    if (num_words_ == 0) return;
    find_nonzero(row, shape_.x, nonzero_.data());
    // Of each voxel and the next.
    differences_.back() = 0;
    if constexpr (kKind == RunsOf::kEqualIds)
      find_differences(row, row + 1, shape_.x - 1, differences_.data());
    Word* words = words_.data() + (z % 2 * shape_.y + y) * num_words_;
    std::size_t ended = runs_.size();
    // Of the word before: the last voxel, and whether the next differs from it.
    std::uint64_t before = 0;
    std::uint64_t differs = 0;
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const auto at = static_cast<std::size_t>(w);
      std::uint64_t inside = nonzero_[at];
      if constexpr (kKind == RunsOf::kZero) {
        const std::int64_t voxels = std::min<std::int64_t>(64, shape_.x - 64 * w);
        inside = ~inside & (~std::uint64_t{0} >> (64 - voxels));
      }
      const std::uint64_t inside_before = inside << 1 | before;
      before = inside >> 63;
      std::uint64_t changes = inside ^ inside_before;
      if constexpr (kKind == RunsOf::kEqualIds) {
        changes |= differences_[at] << 1 | differs;
        differs = differences_[at] >> 63;
      }
      std::uint64_t begins = changes & inside;
      std::uint64_t ends = changes & inside_before;
      words[w] = {inside, begins, changes, static_cast<std::uint32_t>(runs_.size())};
      for (; begins != 0; begins &= begins - 1) {
        const auto position = static_cast<std::uint32_t>(64 * w + std::countr_zero(begins));
        runs_.push_back({position, static_cast<std::uint32_t>(shape_.x)});
      }
      for (; ends != 0; ends &= ends - 1) {
        runs_[ended++].end = static_cast<std::uint32_t>(64 * w + std::countr_zero(ends));
      }
    }
  }

  // Connects the runs of the newest row with those of the rows before it.
  void connect_row(std::int64_t z, std::int64_t y) {
    const Row own = row_at(z, y);
    for (std::uint32_t run = own.runs_begin; run < own.runs_end; ++run) sets_.add();
    if (own.runs_begin == own.runs_end) return;
    const bool over_edges = connectivity_ != Connectivity::kFace;
    const bool over_vertices = connectivity_ == Connectivity::kFaceEdgeVertex;
    NearRow rows[4];
    int num_rows = 0;
    const auto add = [&](std::int64_t near_z, std::int64_t near_y, bool reaches_on) {
      if (near_z < 0 || near_y < 0 || near_y == shape_.y) return;
      const Row row = row_at(near_z, near_y);
      if (row.runs_begin != row.runs_end) rows[num_rows++] = {row, reaches_on ? 1u : 0u};
    };
    add(z - 1, y, over_edges);
    const bool is_above = num_rows == 1;
    add(z, y - 1, over_edges);
    if (over_edges) {
      add(z - 1, y - 1, over_vertices);
      add(z - 1, y + 1, over_vertices);
    }
    const std::span<const NearRow> near(rows, static_cast<std::size_t>(num_rows));
    if (over_vertices && is_above) {
      connect_by_row_above(own, near);
      return;
    }
    for (std::uint32_t run = own.runs_begin; run < own.runs_end; ++run) {
      for (const NearRow& row : near) unite(run, grown(runs_[run], row.reach), own.voxels, row.row);
    }
  }

  // For 26 neighbours; near[0] is the row of the plane above. A voxel is covered where the one above has its
  // id, else bare. What else a covered voxel neighbours, the one above neighbours too, and was connected with
  // it before. So
  //
  // - covered voxels need one connection for each pair of runs;
  // - runs without a covered voxel need all there are;
  // - of what the bare ends of other runs neighbour, those runs are connected already that reach to beside a
  //   covered voxel. One that ends earlier ends beside a bare voxel that has another id, in that row, at its
  //   own place: found by bits, and rare.
  void connect_by_row_above(const Row& own, std::span<const NearRow> near) {
    const Row& above = near[0].row;
    find_same(own, near);
    std::uint64_t covered_before = 0;  // The last voxel of the word before, in bit 0.
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const std::uint64_t covered = same_[0][static_cast<std::size_t>(w)];
      std::uint64_t pairs = covered & (own.words[w].begins | ~(covered << 1 | covered_before));
      for (; pairs != 0; pairs &= pairs - 1) {
        const auto x = static_cast<std::uint32_t>(64 * w + std::countr_zero(pairs));
        sets_.unite(num_begun(own, x) - 1, num_begun(above, x) - 1);
      }
      covered_before = covered >> 63;
    }
    for (std::uint32_t run = own.runs_begin; run < own.runs_end; ++run) {
      if (!sets_.is_root(run)) continue;
      for (const NearRow& row : near) unite(run, grown(runs_[run], 1), own.voxels, row.row);
    }
    std::uint64_t left_before = 0;
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const auto at = static_cast<std::size_t>(w);
      const std::uint64_t bare = own.words[w].inside & ~same_[0][at];
      // Those before the first covered voxel of their run: a sum carries from the first through all. Only
      // what ends before them counts, and for the others only what begins after them.
      const std::uint64_t later = bare & ~own.words[w].begins;
      const std::uint64_t firsts = bare & own.words[w].begins;
      const std::uint64_t seconds = (firsts << 1 | left_before) & later;
      const std::uint64_t left = firsts | (((later + seconds) ^ later) & later);
      left_before = left >> 63;
      std::uint64_t ends_left = 0;
      std::uint64_t ends_right = 0;
      for (std::size_t i = 0; i < near.size(); ++i) {
        const Word* words = near[i].row.words + w;
        const std::uint64_t next = w + 1 < num_words_ ? words[1].changes << 63 : 0;
        ends_left |= words->changes & ~same_[i][at];
        ends_right |= (words->changes >> 1 | next) & ~same_[i][at];
      }
      ends_left &= left;
      for (; ends_left != 0; ends_left &= ends_left - 1) {
        const auto x = static_cast<std::uint32_t>(64 * w + std::countr_zero(ends_left));
        if (x > 0) connect_at(x - 1, x, own, near);
      }
      ends_right &= bare & ~left;
      for (; ends_right != 0; ends_right &= ends_right - 1) {
        const auto x = static_cast<std::uint32_t>(64 * w + std::countr_zero(ends_right));
        if (x + 1 < static_cast<std::uint32_t>(shape_.x)) connect_at(x + 1, x, own, near);
      }
    }
  }

  // Per row the voxels of the own row that are of a run, and have their id in that row too.
  void find_same(const Row& own, std::span<const NearRow> near) {
    for (std::size_t i = 0; i < near.size(); ++i) {
      const Row& row = near[i].row;
      std::uint64_t* same = same_[i].data();
      if constexpr (kKind == RunsOf::kEqualIds) find_differences(own.voxels, row.voxels, shape_.x, same);
      for (std::int64_t w = 0; w < num_words_; ++w) {
        same[w] = own.words[w].inside & (kKind == RunsOf::kEqualIds ? ~same[w] : row.words[w].inside);
      }
    }
  }

  // Unites the run of voxel `own_x` with those of its id that have voxel x in the rows.
  void connect_at(std::uint32_t x, std::uint32_t own_x, const Row& own, std::span<const NearRow> near) {
    for (const NearRow& row : near) {
      if (!is_alike(row.row.voxels[x], own.voxels[own_x])) continue;
      sets_.unite(num_begun(own, own_x) - 1, num_begun(row.row, x) - 1);
    }
  }

  Run grown(const Run& run, std::uint32_t reach) const {
    return {run.begin < reach ? 0 : run.begin - reach,
            std::min(run.end + reach, static_cast<std::uint32_t>(shape_.x))};
  }

  // Runs of the volume that begin no later than voxel x of the row.
  static std::uint32_t num_begun(const Row& row, std::uint32_t x) {
    const Word& word = row.words[x / 64];
    return word.runs_before + count_bits(word.begins & (~std::uint64_t{0} >> (63 - x % 64)));
  }

  // Unites `run`, of the row of `own_voxels`, with the runs of `row`, of its id, that have voxels in `range`.
  void unite(std::uint32_t run, const Run& range, const T* own_voxels, const Row& row) {
    const T id = own_voxels[runs_[run].begin];
    const std::uint32_t begun = num_begun(row, range.begin);
    std::uint32_t other = begun > row.runs_begin && runs_[begun - 1].end > range.begin ? begun - 1 : begun;
    for (; other < row.runs_end && runs_[other].begin < range.end; ++other) {
      if (kKind == RunsOf::kEqualIds && row.voxels[runs_[other].begin] != id) continue;
      sets_.unite(run, other);
    }
  }

  bool is_alike(T voxel, T id) const {
    return kKind == RunsOf::kEqualIds ? voxel == id : (voxel != 0) == (kKind == RunsOf::kNonzero);
  }

  const ArrayView<const T> voxels_;
  const Shape3 shape_;
  const Connectivity connectivity_;
  const std::int64_t num_words_;
  std::vector<Word> words_;
  std::vector<std::uint64_t> nonzero_;
  std::vector<std::uint64_t> differences_;
  std::array<std::vector<std::uint64_t>, 4> same_;
  VoxelVector<Run> runs_;
  std::vector<std::uint32_t> row_begins_;
  UnionFind<std::uint32_t> sets_;
};

}  // namespace

template <class T>
ConnectedRuns connect_runs(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity) {
  switch (kind) {
    case RunsOf::kNonzero:
      return Connector<T, RunsOf::kNonzero>(voxels, connectivity).connect();
    case RunsOf::kZero:
      return Connector<T, RunsOf::kZero>(voxels, connectivity).connect();
    case RunsOf::kEqualIds:
      break;
  }
  return Connector<T, RunsOf::kEqualIds>(voxels, connectivity).connect();
}

#define ORGANON_INSTANTIATE(T) \
  template ConnectedRuns connect_runs<T>(ArrayView<const T>, RunsOf, Connectivity);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
