#include "organon/voxel/agglomerate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <queue>
#include <span>

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
    std::vector<Slot> old;
    old.swap(slots_);
    resize(old.size());
    for (const Slot& slot : old) {
      if (slot.key == kFree) continue;
      find(slot.key) = slot;
      ++num_used_;
    }
  }

  std::vector<Slot> slots_;
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
    counts_ = graph.counts;
    for (std::uint32_t i = 0; i < graph.interfaces.size(); ++i) {
      const std::uint32_t a = index_of(graph.interfaces[i].a);
      const std::uint32_t b = index_of(graph.interfaces[i].b);
      const auto faces = graph.counts_of(i);
      interfaces_.push_back(
          {a, b, graph.interfaces[i].first_count, static_cast<std::uint32_t>(faces.size()), true});
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
    std::uint64_t first_count;
    std::uint32_t num_counts;
    bool is_alive;
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
    return {counts_.data() + interface.first_count, interface.num_counts};
  }

  double statistic_of(std::span<const LevelCount> counts) const {
    if (options_.statistic == InterfaceStatistic::kHighest) return counts.back().level;
    if (options_.statistic == InterfaceStatistic::kMean) {
      std::uint64_t num_faces = 0;
      std::uint64_t sum = 0;
      for (const LevelCount& count : counts) {
        num_faces += count.faces;
        sum += static_cast<std::uint64_t>(count.level) * count.faces;
      }
      return static_cast<double>(sum) / static_cast<double>(num_faces);
    }
    return quantile_level(counts, options_.quantile_percent);
  }

  double score_of(std::uint32_t number) const {
    const Interface& interface = interfaces_[number];
    const double statistic = statistic_of(counts_of(interface));
    if (!options_.is_relative) return 1 - statistic / kHighestLevel;
    const std::uint32_t body = std::min(regions_[interface.a].peak_level, regions_[interface.b].peak_level);
    return 1 - std::min(statistic / std::max(body, 1U), 1.0);
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
      join_counts(cheaper, is_own_later ? one : twin);
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

  void join_counts(std::uint32_t into, std::uint32_t from) {
    if (counts_.size() > 2 * graph_.counts.size() + kFewCounts) drop_dead_counts();
    const Interface a = interfaces_[into];
    const Interface b = interfaces_[from];
    const std::uint64_t first = counts_.size();
    std::uint64_t i = a.first_count;
    std::uint64_t j = b.first_count;
    const std::uint64_t a_end = i + a.num_counts;
    const std::uint64_t b_end = j + b.num_counts;
    while (i < a_end || j < b_end) {
      if (j == b_end || (i < a_end && counts_[i].level < counts_[j].level)) {
        counts_.push_back(counts_[i++]);
      } else if (i == a_end || counts_[j].level < counts_[i].level) {
        counts_.push_back(counts_[j++]);
      } else {
        counts_.push_back({counts_[i].level, counts_[i].faces + counts_[j].faces});
        ++i, ++j;
      }
    }
    interfaces_[into].first_count = first;
    interfaces_[into].num_counts = static_cast<std::uint32_t>(counts_.size() - first);
  }

  // Joining leaves the old counts behind.
  void drop_dead_counts() {
    std::vector<LevelCount> alive;
    for (Interface& interface : interfaces_) {
      if (!interface.is_alive) continue;
      const auto counts = counts_of(interface);
      interface.first_count = alive.size();
      alive.insert(alive.end(), counts.begin(), counts.end());
    }
    counts_.swap(alive);
  }

  const RegionGraph& graph_;
  const AgglomerateOptions options_;
  PairIndex pairs_;
  std::vector<Region> regions_;
  std::vector<Interface> interfaces_;
  std::vector<LevelCount> counts_;  // those of merged interfaces at the end
  std::vector<Entry> sorted_;
  std::size_t next_sorted_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> rescored_;
};

}  // namespace

std::uint32_t quantile_level(std::span<const LevelCount> counts, double quantile_percent) {
  std::uint64_t num_faces = 0;
  for (const LevelCount& count : counts) num_faces += count.faces;
  const double wanted = std::floor(quantile_percent * static_cast<double>(num_faces) / 100);
  const auto element = std::min(static_cast<std::uint64_t>(std::max(wanted, 0.0)), num_faces - 1);
  std::uint64_t before = 0;
  for (const LevelCount& count : counts) {
    before += count.faces;
    if (element < before) return count.level;
  }
  return counts.back().level;
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
