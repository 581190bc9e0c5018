#include "organon/voxel/connected_runs.h"

#include <bit>

#include "organon/voxel/row_bits.h"

namespace organon::voxel {
namespace {

/// Where runs begin among 64 voxels of a row.
struct BeginsOfWord {
  std::uint64_t begins = 0;
  std::uint32_t runs_before = 0;  ///< runs of the volume that begin before these voxels
};

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
        const auto first = row_begins_.back();
        row_begins_.push_back(static_cast<std::uint32_t>(runs_.size()));
        for (std::uint32_t run = first; run < row_begins_.back(); ++run) connect(run, z, y);
      }
    }
    return {std::move(runs_), std::move(row_begins_), std::move(sets_)};
  }

 private:
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

  void connect(std::uint32_t run, std::int64_t z, std::int64_t y) {
    const bool over_edges = connectivity_ != Connectivity::kFace;
    const std::uint32_t face_reach = over_edges ? 1 : 0;
    const std::uint32_t edge_reach = connectivity_ == Connectivity::kFaceEdgeVertex ? 1 : 0;
    const Run& own = runs_[run];
    const T id = voxels_.row(z, y)[own.begin];
    if (z > 0) {
      const Row above = row_at(z - 1, y);
      // Whatever else neighbours the run, over vertices too, neighbours the run above it that covers it.
      if (edge_reach == 1 && (kKind != RunsOf::kEqualIds || above.voxels[own.begin] == id)) {
        const std::uint32_t over = num_begun(above, own.begin);
        if (over > above.runs_begin && runs_[over - 1].end >= own.end) {
          sets_.add_to(over - 1);
          return;
        }
      }
    }
    std::uint32_t root = sets_.add();
    if (y > 0) root = unite(root, own, id, row_at(z, y - 1), face_reach);
    if (z == 0) return;
    root = unite(root, own, id, row_at(z - 1, y), face_reach);
    if (!over_edges) return;
    if (y > 0) root = unite(root, own, id, row_at(z - 1, y - 1), edge_reach);
    if (y + 1 < shape_.y) unite(root, own, id, row_at(z - 1, y + 1), edge_reach);
  }

  // Runs of the volume that begin no later than voxel x of the row.
  static std::uint32_t num_begun(const Row& row, std::uint32_t x) {
    const BeginsOfWord& word = row.words[x / 64];
    return word.runs_before +
           static_cast<std::uint32_t>(std::popcount(word.begins & (~std::uint64_t{0} >> (63 - x % 64))));
  }

  // Unites the set of `root` with the runs of `row` that touch [begin - reach, end + reach) of the run
  // `own`; returns the new root.
  std::uint32_t unite(std::uint32_t root, const Run& own, T id, const Row& row, std::uint32_t reach) {
    if (row.runs_begin == row.runs_end) return root;
    const std::uint32_t low = own.begin < reach ? 0 : own.begin - reach;
    const std::uint32_t begun = num_begun(row, low);
    std::uint32_t other = begun > row.runs_begin && runs_[begun - 1].end > low ? begun - 1 : begun;
    for (; other < row.runs_end && runs_[other].begin < own.end + reach; ++other) {
      if (kKind == RunsOf::kEqualIds && row.voxels[runs_[other].begin] != id) continue;
      root = sets_.unite(root, other);
    }
    return root;
  }

  const ArrayView<const T> voxels_;
  const Shape3 shape_;
  const Connectivity connectivity_;
  const std::int64_t num_words_;
  std::vector<BeginsOfWord> words_;
  std::vector<std::uint64_t> inside_;
  std::vector<std::uint64_t> changes_;
  std::vector<Run> runs_;
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
