#include "organon/voxel/connected_runs.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "organon/voxel/row_bits.h"
#include "organon/voxel/union_find.h"

namespace organon::voxel {
namespace {

/// Where runs begin among 64 voxels of a row.
struct BeginsOfWord {
  std::uint64_t begins = 0;
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
        inside_(static_cast<std::size_t>(num_words_)),
        changes_(static_cast<std::size_t>(num_words_)) {
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
    const BeginsOfWord* words;
    std::uint32_t runs_begin;
    std::uint32_t runs_end;
  };
  Row row_at(std::int64_t z, std::int64_t y) const {
    const auto row = static_cast<std::size_t>(z * shape_.y + y);
    return {voxels_.row(z, y), words_.data() + (z % 2 * shape_.y + y) * num_words_, row_begins_[row],
            row_begins_[row + 1]};
  }

  void find_runs(std::int64_t z, std::int64_t y) {
    const T* row = voxels_.row(z, y);
    find_nonzero(row, shape_.x, inside_.data());
    if constexpr (kKind == RunsOf::kEqualIds) find_changes(row, shape_.x, changes_.data());
    BeginsOfWord* words = words_.data() + (z % 2 * shape_.y + y) * num_words_;
    std::size_t ended = runs_.size();
    std::uint64_t before = 0;  // The last voxel of the word before, in bit 0.
    for (std::int64_t w = 0; w < num_words_; ++w) {
      const auto at = static_cast<std::size_t>(w);
      std::uint64_t inside = inside_[at];
      if constexpr (kKind == RunsOf::kZero) {
        const std::int64_t voxels = std::min<std::int64_t>(64, shape_.x - 64 * w);
        inside = ~inside & (~std::uint64_t{0} >> (64 - voxels));
      }
      const std::uint64_t inside_before = inside << 1 | before;
      before = inside >> 63;
      std::uint64_t changes = inside ^ inside_before;
      if constexpr (kKind == RunsOf::kEqualIds) changes |= changes_[at];
      std::uint64_t begins = changes & inside;
      std::uint64_t ends = changes & inside_before;
      words[w] = {begins, static_cast<std::uint32_t>(runs_.size())};
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
    const bool over_edges = connectivity_ != Connectivity::kFace;
    const bool over_vertices = connectivity_ == Connectivity::kFaceEdgeVertex;
    const Row row = row_at(z, y);
    const Row above = z > 0 ? row_at(z - 1, y) : Row{};
    Row others[3];
    std::uint32_t reaches[3];
    int num_others = 0;
    const auto add_other = [&](std::int64_t other_z, std::int64_t other_y, bool reaches_on) {
      if (other_z < 0 || other_y < 0 || other_y == shape_.y) return;
      const Row other = row_at(other_z, other_y);
      if (other.runs_begin == other.runs_end) return;
      others[num_others] = other;
      reaches[num_others++] = reaches_on ? 1 : 0;
    };
    add_other(z, y - 1, over_edges);
    if (over_edges) {
      add_other(z - 1, y - 1, over_vertices);
      add_other(z - 1, y + 1, over_vertices);
    }
    for (std::uint32_t run = row.runs_begin; run < row.runs_end; ++run) {
      const Run own = runs_[run];
      const T id = row.voxels[own.begin];
      std::uint32_t root = sets_.add();
      std::optional<std::uint32_t> touched;
      if (above.runs_begin != above.runs_end) {
        root = unite(root, grown(own, over_edges ? 1 : 0), id, above, &touched);
      }
      if (over_vertices && touched) {
        // What touches the run above over an edge or vertex was connected with it before: left are the ends
        // that reach beyond.
        const Run cover = runs_[*touched];
        const Run whole = grown(own, 1);
        if (cover.begin > whole.begin + 1) {
          for (int i = 0; i < num_others; ++i)
            root = unite_end(root, {whole.begin, cover.begin - 1}, id, others[i]);
        }
        if (cover.end + 1 < whole.end) {
          for (int i = 0; i < num_others; ++i)
            root = unite_end(root, {cover.end + 1, whole.end}, id, others[i]);
        }
      } else {
        for (int i = 0; i < num_others; ++i) root = unite(root, grown(own, reaches[i]), id, others[i]);
      }
    }
  }

  Run grown(const Run& run, std::uint32_t reach) const {
    return {run.begin < reach ? 0 : run.begin - reach,
            std::min(run.end + reach, static_cast<std::uint32_t>(shape_.x))};
  }

  // Runs of the volume that begin no later than voxel x of the row.
  static std::uint32_t num_begun(const Row& row, std::uint32_t x) {
    const BeginsOfWord& word = row.words[x / 64];
    return word.runs_before + count_bits(word.begins & (~std::uint64_t{0} >> (63 - x % 64)));
  }

  // Unites the set of `root` with the runs of `row` that have voxels in `range`; returns the new root.
  // `touched`: one of them, where there are any.
  std::uint32_t unite(std::uint32_t root, const Run& range, T id, const Row& row,
                      std::optional<std::uint32_t>* touched = nullptr) {
    const std::uint32_t begun = num_begun(row, range.begin);
    std::uint32_t other = begun > row.runs_begin && runs_[begun - 1].end > range.begin ? begun - 1 : begun;
    for (; other < row.runs_end && runs_[other].begin < range.end; ++other) {
      if (kKind == RunsOf::kEqualIds && row.voxels[runs_[other].begin] != id) continue;
      root = sets_.unite(root, other);
      if (touched != nullptr) *touched = other;
    }
    return root;
  }

  // As unite(), for a range that is mostly a voxel or two, mostly of other ids.
  std::uint32_t unite_end(std::uint32_t root, const Run& range, T id, const Row& row) {
    if (range.end - range.begin <= 4) {
      bool any = false;
      for (std::uint32_t x = range.begin; x < range.end; ++x) {
        any |= kKind == RunsOf::kEqualIds ? row.voxels[x] == id
                                          : (row.voxels[x] != 0) == (kKind == RunsOf::kNonzero);
      }
      if (!any) return root;
    }
    return unite(root, range, id, row);
  }

  const ArrayView<const T> voxels_;
  const Shape3 shape_;
  const Connectivity connectivity_;
  const std::int64_t num_words_;
  std::vector<BeginsOfWord> words_;
  std::vector<std::uint64_t> inside_;
  std::vector<std::uint64_t> changes_;
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
