#include "organon/voxel/agglomerate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <queue>
#include <span>

#include "organon/array/voxel_memory.h"
#include "organon/base/check.h"
#include "organon/base/random.h"
#include "organon/voxel/union_find.h"

namespace organon::voxel {
namespace {

using tables::LevelCount;
using tables::RegionGraph;

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr double kHighestLevel = 255;
constexpr std::size_t kFewCounts = std::size_t{1} << 20;
constexpr std::size_t kStepsBetweenCalls = std::size_t{1} << 16;

// Interface of a pair of regions: open addressing, linear probing. Keys of merged regions are left behind;
// nobody asks for them.
class PairIndex {
 public:
  explicit PairIndex(std::size_t num_pairs) { resize(num_pairs); }

  void set(std::uint32_t a, std::uint32_t b, std::uint32_t interface) {
    if (10 * (num_used_ + 1) > 7 * slots_.size()) grow();
    Slot& slot = find(key_of(a, b));
    num_used_ += slot.key == kFree ? 1 : 0;
    slot = {key_of(a, b), interface};
  }
  std::uint32_t get(std::uint32_t a, std::uint32_t b) { return find(key_of(a, b)).interface; }

 private:
  struct Slot {
    std::uint64_t key = kFree;
    std::uint32_t interface = kNone;
  };
  static constexpr std::uint64_t kFree = std::numeric_limits<std::uint64_t>::max();

  static std::uint64_t key_of(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint64_t>(std::min(a, b)) << 32 | std::max(a, b);
  }
  Slot& find(std::uint64_t key) {
    std::size_t at = static_cast<std::size_t>(mix64(key)) & mask_;
    while (slots_[at].key != key && slots_[at].key != kFree) at = (at + 1) & mask_;
    return slots_[at];
  }
  void resize(std::size_t num_pairs) {
    std::size_t size = 16;
    while (size < 2 * num_pairs) size *= 2;
    slots_.assign(size, {});
    mask_ = size - 1;
    num_used_ = 0;
  }
  void grow() {
    VoxelVector<Slot> old;
    old.swap(slots_);
    resize(old.size());
    for (const Slot& slot : old) {
      if (slot.key == kFree) continue;
      find(slot.key) = slot;
      ++num_used_;
    }
  }

  VoxelVector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t num_used_ = 0;
};

struct Entry {
  double score;
  std::uint32_t interface;
  bool operator>(const Entry& other) const {
    return score != other.score ? score > other.score : interface > other.interface;
  }
};

std::uint32_t quantile_of(std::span<const LevelCount> counts, std::uint64_t num_faces,
                          double quantile_percent) {
  const double wanted = std::floor(quantile_percent * static_cast<double>(num_faces) / 100);
  const auto element = std::min(static_cast<std::uint64_t>(std::max(wanted, 0.0)), num_faces - 1);
  std::uint64_t before = 0;
  for (const LevelCount& count : counts) {
    before += count.faces;
    if (element < before) return count.level;
  }
  return counts.back().level;
}

class Agglomeration {
 public:
  Agglomeration(const RegionGraph& graph, const AgglomerateOptions& options)
      : graph_(graph), options_(options), pairs_(graph.interfaces.size()), regions_(graph.regions.size()) {
    ORGANON_CHECK(graph.regions.size() < kNone && graph.interfaces.size() < kNone);
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      regions_[i].name = static_cast<std::uint32_t>(i);
      regions_[i].voxels = graph.regions[i].voxels;
      regions_[i].peak_level = static_cast<std::uint32_t>(graph.regions[i].peak_level);
    }
    const auto index_of = [&](ObjectId id) {
      const auto at =
          std::lower_bound(graph.regions.begin(), graph.regions.end(), id,
                           [](const tables::Region& region, ObjectId b) { return region.id < b; });
      ORGANON_CHECK(at != graph.regions.end() && at->id == id);
      return static_cast<std::uint32_t>(at - graph.regions.begin());
    };
    interfaces_.reserve(graph.interfaces.size());
    sorted_.reserve(graph.interfaces.size());
    for (std::uint32_t i = 0; i < graph.interfaces.size(); ++i) {
      const std::uint32_t a = index_of(graph.interfaces[i].a);
      const std::uint32_t b = index_of(graph.interfaces[i].b);
      interfaces_.push_back({a, b, graph.interfaces[i].first_count});
      Interface& interface = interfaces_.back();
      for (const LevelCount& count : graph.counts_of(i)) {
        interface.faces += count.faces;
        interface.level_sum += std::uint64_t{count.level} * count.faces;
        ++interface.num_counts;
      }
      interface.statistic = statistic_of(interface);
      pairs_.set(a, b, i);
      regions_[a].interfaces.push_back(i);
      regions_[b].interfaces.push_back(i);
      sorted_.push_back({score_of(i), i});
    }
    std::sort(sorted_.begin(), sorted_.end(), [](const Entry& a, const Entry& b) { return b > a; });
  }

  std::vector<Merge> run(const std::function<void()>& while_running) {
    std::vector<Merge> merges;
    for (std::size_t steps = 1;; ++steps) {
      if (while_running && steps % kStepsBetweenCalls == 0) while_running();
      const auto next = take_next();
      if (!next) return merges;
      const Interface& interface = interfaces_[next->interface];
      if (!interface.is_alive) continue;
      // It, or the peaks of its regions, may have changed since: its turn comes later then.
      const double score = score_of(next->interface);
      if (score > next->score) {
        rescored_.push({score, next->interface});
        continue;
      }
      const std::uint64_t limit = options_.max_both_voxels;
      if (limit > 0 && regions_[interface.a].voxels >= limit && regions_[interface.b].voxels >= limit)
        continue;
      merges.push_back(merge(next->interface, next->score));
    }
  }

 private:
  struct Region {
    std::uint32_t name = 0;  // smallest region in it
    std::uint32_t peak_level = 0;
    std::uint64_t voxels = 0;
    std::vector<std::uint32_t> interfaces;  // also dead ones
  };
  struct Interface {
    std::uint32_t a;
    std::uint32_t b;
    std::uint64_t first_count;  // in the graph's counts, and beyond them in joined_counts_
    std::uint32_t num_counts = 0;
    bool is_alive = true;
    std::uint64_t faces = 0;
    std::uint64_t level_sum = 0;  // of its faces
    double statistic = 0;
  };

  // The lowest of those that were sorted at the start and those that came later.
  std::optional<Entry> take_next() {
    const bool has_sorted = next_sorted_ < sorted_.size();
    if (rescored_.empty() && !has_sorted) return std::nullopt;
    if (!rescored_.empty() && (!has_sorted || sorted_[next_sorted_] > rescored_.top())) {
      const Entry entry = rescored_.top();
      rescored_.pop();
      return entry;
    }
    return sorted_[next_sorted_++];
  }

  std::span<const LevelCount> counts_of(const Interface& interface) const {
    const std::uint64_t first = interface.first_count;
    const std::uint64_t num_given = graph_.counts.size();
    const LevelCount* counts =
        first < num_given ? graph_.counts.data() + first : joined_counts_.data() + (first - num_given);
    return {counts, interface.num_counts};
  }

  double statistic_of(const Interface& interface) const {
    if (options_.statistic == InterfaceStatistic::kHighest) return counts_of(interface).back().level;
    if (options_.statistic == InterfaceStatistic::kMean)
      return static_cast<double>(interface.level_sum) / static_cast<double>(interface.faces);
    return quantile_of(counts_of(interface), interface.faces, options_.quantile_percent);
  }

  double score_of(std::uint32_t number) const {
    const Interface& interface = interfaces_[number];
    if (!options_.is_relative) return 1 - interface.statistic / kHighestLevel;
    const std::uint32_t body = std::min(regions_[interface.a].peak_level, regions_[interface.b].peak_level);
    return 1 - std::min(interface.statistic / std::max(body, 1U), 1.0);
  }

  Merge merge(std::uint32_t number, double score) {
    std::uint32_t into = interfaces_[number].a;
    std::uint32_t from = interfaces_[number].b;
    if (regions_[into].interfaces.size() < regions_[from].interfaces.size()) std::swap(into, from);
    interfaces_[number].is_alive = false;
    Region& kept = regions_[into];
    Region& gone = regions_[from];
    kept.voxels += gone.voxels;
    kept.peak_level = std::max(kept.peak_level, gone.peak_level);
    for (const std::uint32_t one : gone.interfaces) {
      Interface& interface = interfaces_[one];
      if (!interface.is_alive) continue;
      const std::uint32_t other = interface.a == from ? interface.b : interface.a;
      const std::uint32_t twin = pairs_.get(into, other);
      interface.a = into;
      interface.b = other;
      if (twin == kNone || !interfaces_[twin].is_alive) {
        pairs_.set(into, other, one);
        kept.interfaces.push_back(one);
        continue;
      }
      // Into the cheaper one, whose place in the queue is not too late for both together.
      const Entry own{score_of(one), one};
      const Entry theirs{score_of(twin), twin};
      const bool is_own_later = own > theirs;
      const std::uint32_t cheaper = is_own_later ? twin : one;
      join(cheaper, is_own_later ? one : twin);
      interfaces_[is_own_later ? one : twin].is_alive = false;
      if (!is_own_later) {
        pairs_.set(into, other, one);
        kept.interfaces.push_back(one);
      }
    }
    std::vector<std::uint32_t>().swap(gone.interfaces);
    const std::uint32_t name = std::min(kept.name, gone.name);
    const Merge result{graph_.regions[name].id, graph_.regions[std::max(kept.name, gone.name)].id, score};
    kept.name = name;
    return result;
  }

  // Only quantiles need the counts of what was joined.
  void join(std::uint32_t into, std::uint32_t from) {
    Interface& a = interfaces_[into];
    const Interface& b = interfaces_[from];
    a.faces += b.faces;
    a.level_sum += b.level_sum;
    if (options_.statistic == InterfaceStatistic::kHighest) {
      a.statistic = std::max(a.statistic, b.statistic);
      return;
    }
    if (options_.statistic == InterfaceStatistic::kQuantile) join_counts(a, b);
    a.statistic = statistic_of(a);
  }

  void join_counts(Interface& into, const Interface& from) {
    if (joined_counts_.size() > 2 * graph_.counts.size() + kFewCounts) drop_dead_counts();
    const std::size_t first = joined_counts_.size();
    joined_counts_.resize(first + into.num_counts + from.num_counts);
    const auto a = counts_of(into);
    const auto b = counts_of(from);
    LevelCount* end = joined_counts_.data() + first;
    std::size_t i = 0;
    std::size_t j = 0;
    // Without a branch on which comes first: a processor would foresee it half the time.
    while (i < a.size() && j < b.size()) {
      const bool takes_a = a[i].level <= b[j].level;
      const bool takes_b = b[j].level <= a[i].level;
      *end++ = {std::min(a[i].level, b[j].level), a[i].faces * takes_a + b[j].faces * takes_b};
      i += takes_a;
      j += takes_b;
    }
    end = std::copy(a.begin() + static_cast<std::ptrdiff_t>(i), a.end(), end);
    end = std::copy(b.begin() + static_cast<std::ptrdiff_t>(j), b.end(), end);
    joined_counts_.resize(static_cast<std::size_t>(end - joined_counts_.data()));
    into.first_count = graph_.counts.size() + first;
    into.num_counts = static_cast<std::uint32_t>(joined_counts_.size() - first);
  }

  // Joining leaves the old counts behind.
  void drop_dead_counts() {
    VoxelVector<LevelCount> alive;
    for (Interface& interface : interfaces_) {
      if (!interface.is_alive || interface.first_count < graph_.counts.size()) continue;
      const auto counts = counts_of(interface);
      interface.first_count = graph_.counts.size() + alive.size();
      alive.insert(alive.end(), counts.begin(), counts.end());
    }
    joined_counts_.swap(alive);
  }

  const RegionGraph& graph_;
  const AgglomerateOptions options_;
  PairIndex pairs_;
  std::vector<Region> regions_;
  VoxelVector<Interface> interfaces_;
  VoxelVector<LevelCount> joined_counts_;
  VoxelVector<Entry> sorted_;
  std::size_t next_sorted_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> rescored_;
};

}  // namespace

std::uint32_t quantile_level(std::span<const LevelCount> counts, double quantile_percent) {
  std::uint64_t num_faces = 0;
  for (const LevelCount& count : counts) num_faces += count.faces;
  return quantile_of(counts, num_faces, quantile_percent);
}

std::vector<Merge> agglomerate(const RegionGraph& graph, const AgglomerateOptions& options,
                               const std::function<void()>& while_running) {
  return Agglomeration(graph, options).run(while_running);
}

std::vector<ObjectId> cut(const RegionGraph& graph, const std::vector<Merge>& merges, double threshold) {
  UnionFind<std::uint32_t> sets(static_cast<std::uint32_t>(graph.regions.size()));
  const auto index_of = [&](ObjectId id) {
    const auto at = std::lower_bound(graph.regions.begin(), graph.regions.end(), id,
                                     [](const tables::Region& region, ObjectId b) { return region.id < b; });
    ORGANON_CHECK(at != graph.regions.end() && at->id == id);
    return static_cast<std::uint32_t>(at - graph.regions.begin());
  };
  for (const Merge& merge : merges) {
    if (!(merge.score < threshold)) break;
    sets.unite(index_of(merge.kept), index_of(merge.merged));
  }
  std::vector<ObjectId> objects;
  objects.reserve(graph.regions.size());
  for (std::uint32_t i = 0; i < graph.regions.size(); ++i) objects.push_back(graph.regions[sets.find(i)].id);
  return objects;
}

}  // namespace organon::voxel
