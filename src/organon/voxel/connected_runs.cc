#include "organon/voxel/connected_runs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "organon/voxel/row_bits.h"
#include "organon/voxel/union_find.h"

// No vectors here: what is compiled anew for other processors are the instructions that count bits and find
// the lowest, of which every run takes several.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "organon/voxel/connected_runs.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace organon::voxel {
namespace HWY_NAMESPACE {

/// What is known of 64 voxels of a row.
struct Word {
  std::uint64_t inside = 0;       ///< voxels of runs
  std::uint64_t begins = 0;       ///< first voxels of runs
  std::uint64_t changes = 0;      ///< voxels that are not of the run, or gap, of the voxel before
  std::uint32_t runs_before = 0;  ///< runs of the volume that begin before these voxels
};

// Planes after which the number of runs is foreseen.
constexpr std::int64_t kFirstPlanes = 16;
constexpr std::size_t kBitsAtOnce = 8;

template <class T, RunsOf kKind>
class Connector {
 public:
  Connector(ArrayView<const T> voxels, Connectivity connectivity)
      : voxels_(voxels),
        shape_(voxels.shape()),
        connectivity_(connectivity),
        num_words_(num_words(shape_.x)),
        words_(static_cast<std::size_t>(2 * shape_.y * (num_words_ + 1)), {0, 0, ~std::uint64_t{0}, 0}),
        begins_(static_cast<std::size_t>(shape_.x) + kBitsAtOnce),
        ends_(begins_.size()),
        pairs_(begins_.size()),
        nonzero_(static_cast<std::size_t>(num_words_)),
        differences_(static_cast<std::size_t>(num_words_)) {
    for (auto& same : same_) same.resize(static_cast<std::size_t>(num_words_ + 2));
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
    return {voxels_.row(z, y), words_.data() + (z % 2 * shape_.y + y) * (num_words_ + 1), row_begins_[row],
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
    Word* words = words_.data() + (z % 2 * shape_.y + y) * (num_words_ + 1);
    const auto num_before = static_cast<std::uint32_t>(runs_.size());
    std::size_t num_begins = 0;
    std::size_t num_ends = 0;
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
      const std::uint64_t begins = changes & inside;
      words[w] = {inside, begins, changes, num_before + static_cast<std::uint32_t>(num_begins)};
      num_begins = list_bits(begins, w, begins_, num_begins);
      num_ends = list_bits(changes & inside_before, w, ends_, num_ends);
    }
    ends_[num_ends] = static_cast<std::uint32_t>(shape_.x);  // Of a run that reaches it.
    runs_.resize(num_before + num_begins);
    for (std::size_t i = 0; i < num_begins; ++i) runs_[num_before + i] = {begins_[i], ends_[i]};
  }

  // Appends the voxels of the bits of word w to the `num` that `list` has; returns how many it has then. Few
  // at a time, needed or not: how many bits a word has, no processor foresees.
  static std::size_t list_bits(std::uint64_t bits, std::int64_t w, std::vector<std::uint32_t>& list,
                               std::size_t num) {
    const std::size_t end = num + static_cast<std::size_t>(std::popcount(bits));
    for (; num < end; num += kBitsAtOnce) {
      for (std::size_t i = 0; i < kBitsAtOnce; ++i, bits &= bits - 1)
        list[num + i] = static_cast<std::uint32_t>(64 * w + std::countr_zero(bits));
    }
    return end;
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
  // it before. So covered voxels need one connection for each pair of runs. Of what the bare voxels of a run
  // neighbour, those runs are connected already that reach to beside a covered voxel of it. Of the others
  //
  // - one beside the bare voxels before the first covered one ends there, beside a bare voxel or before it;
  //   or it goes on beyond the own run, that has no covered voxel then: beside its last voxel or after it;
  // - one beside later bare voxels begins there, beside a bare voxel or after it.
  //
  // Where they end or begin beside a voxel that has another id is found by bits, and rare.
  void connect_by_row_above(const Row& own, std::span<const NearRow> near) {
    find_same(own, near);
    connect_covered(own, near[0].row);
    std::uint64_t left_before = 0;  // The last voxel of the word before, in bit 0.
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const Word& word = own.words[w];
      const std::uint64_t bare = word.inside & ~same_[0][static_cast<std::size_t>(w) + 1];
      // Those before the first covered voxel of their run: a sum carries from the first through all.
      const std::uint64_t later = bare & ~word.begins;
      const std::uint64_t firsts = bare & word.begins;
      const std::uint64_t seconds = (firsts << 1 | left_before) & later;
      const std::uint64_t left = firsts | (((later + seconds) ^ later) & later);
      left_before = left >> 63;
      if (bare == 0) continue;
      const std::uint64_t changes_after = one_on(word.changes, own.words[w + 1].changes);
      const std::uint64_t lasts = left & changes_after;
      std::uint64_t ends = 0;
      std::uint64_t beside = 0;
      std::uint64_t begins = 0;
      for (std::size_t i = 0; i < near.size(); ++i) {
        const Word* words = near[i].row.words + w;
        const std::uint64_t* same = same_[i].data() + w + 1;
        // Where a row changes to a voxel that is not the same: the one before can only be the same if the own
        // row has not changed and it was the same as its own neighbour, or has and it was not.
        const std::uint64_t same_before = same[0] << 1 | same[-1] >> 63;
        ends |= words[0].changes & ~same[0] & (word.changes ^ same_before);
        begins |= one_on(words[0].changes, words[1].changes) & ~same[0] &
                  (changes_after ^ one_on(same[0], same[1]));
        beside |= same[0];
      }
      ends &= left;
      for (; ends != 0; ends &= ends - 1) connect_at(voxel_of(ends, w), -1, own, near);
      beside &= lasts;
      for (; beside != 0; beside &= beside - 1) connect_at(voxel_of(beside, w), 0, own, near);
      begins &= (bare & ~left) | lasts;
      for (; begins != 0; begins &= begins - 1) connect_at(voxel_of(begins, w), 1, own, near);
    }
  }

  void connect_covered(const Row& own, const Row& above) {
    std::size_t num_pairs = 0;
    std::uint64_t covered_before = 0;
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const std::uint64_t covered = same_[0][static_cast<std::size_t>(w) + 1];
      const std::uint64_t firsts = covered & (own.words[w].begins | ~(covered << 1 | covered_before));
      covered_before = covered >> 63;
      num_pairs = list_bits(firsts, w, pairs_, num_pairs);
    }
    for (std::size_t i = 0; i < num_pairs; ++i)
      sets_.unite(num_begun(own, pairs_[i]) - 1, num_begun(above, pairs_[i]) - 1);
  }

  // The voxel of the lowest bit of word w.
  static std::int64_t voxel_of(std::uint64_t bits, std::int64_t w) { return 64 * w + std::countr_zero(bits); }
  // Bit i is that of the next voxel.
  static std::uint64_t one_on(std::uint64_t bits, std::uint64_t next_word) {
    return bits >> 1 | next_word << 63;
  }

  // Per row the voxels of the own row that are of a run, and have their id in that row too.
  void find_same(const Row& own, std::span<const NearRow> near) {
    for (std::size_t i = 0; i < near.size(); ++i) {
      const Row& row = near[i].row;
      std::uint64_t* same = same_[i].data() + 1;
      if constexpr (kKind == RunsOf::kEqualIds) find_differences(own.voxels, row.voxels, shape_.x, same);
      for (std::int64_t w = 0; w < num_words_; ++w) {
        same[w] = own.words[w].inside & (kKind == RunsOf::kEqualIds ? ~same[w] : row.words[w].inside);
      }
    }
  }

  // Unites the run of voxel x with those of its id that have voxel x + step in the rows.
  void connect_at(std::int64_t x, std::int64_t step, const Row& own, std::span<const NearRow> near) {
    const std::int64_t other = x + step;
    if (other < 0 || other >= shape_.x) return;
    for (const NearRow& row : near) {
      if (!is_alike(row.row.voxels[other], own.voxels[x])) continue;
      sets_.unite(num_begun(own, x) - 1, num_begun(row.row, other) - 1);
    }
  }

  Run grown(const Run& run, std::uint32_t reach) const {
    return {run.begin < reach ? 0 : run.begin - reach,
            std::min(run.end + reach, static_cast<std::uint32_t>(shape_.x))};
  }

  // Runs of the volume that begin no later than voxel x of the row.
  static std::uint32_t num_begun(const Row& row, std::int64_t x) {
    const Word& word = row.words[x / 64];
    return word.runs_before +
           static_cast<std::uint32_t>(std::popcount(word.begins & (~std::uint64_t{0} >> (63 - x % 64))));
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
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::uint32_t> pairs_;
  std::vector<std::uint64_t> nonzero_;
  std::vector<std::uint64_t> differences_;
  std::array<std::vector<std::uint64_t>, 4> same_;
  VoxelVector<Run> runs_;
  std::vector<std::uint32_t> row_begins_;
  UnionFind<std::uint32_t> sets_;
};

template <class T>
ConnectedRuns connect(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity) {
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

#define ORGANON_DEFINE(T, name)                                                                     \
  ConnectedRuns connect_##name(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity) { \
    return connect(voxels, kind, connectivity);                                                     \
  }
ORGANON_DEFINE(std::uint8_t, 8)
ORGANON_DEFINE(std::uint16_t, 16)
ORGANON_DEFINE(std::uint32_t, 32)
ORGANON_DEFINE(std::uint64_t, 64)
#undef ORGANON_DEFINE

}  // namespace HWY_NAMESPACE
}  // namespace organon::voxel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace organon::voxel {

#define ORGANON_EXPORT(T, name)                                                                      \
  HWY_EXPORT(connect_##name);                                                                        \
  template <>                                                                                        \
  ConnectedRuns connect_runs<T>(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity) { \
    return HWY_DYNAMIC_DISPATCH(connect_##name)(voxels, kind, connectivity);                         \
  }
ORGANON_EXPORT(std::uint8_t, 8)
ORGANON_EXPORT(std::uint16_t, 16)
ORGANON_EXPORT(std::uint32_t, 32)
ORGANON_EXPORT(std::uint64_t, 64)
#undef ORGANON_EXPORT

}  // namespace organon::voxel
#endif  // HWY_ONCE
