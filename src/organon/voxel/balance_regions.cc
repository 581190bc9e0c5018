#include "organon/voxel/balance_regions.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "organon/base/check.h"

namespace organon::voxel {
namespace {

constexpr double kHighestLevel = 255;
constexpr double kSurest = 0.999;  // no single face decides alone
constexpr double kUnitsPerVote = 65536;
constexpr std::size_t kStepsBetweenCalls = std::size_t{1} << 16;

double depth_of(double level, LevelScale scale) {
  if (scale == LevelScale::kLinear) return level / kHighestLevel;
  // The highest level stands for everything deeper.
  return std::atanh(std::min(level, kHighestLevel - 1) / kHighestLevel);
}

std::int64_t votes_of(std::span<const tables::LevelCount> counts, std::uint64_t lower_peak,
                      const BalanceOptions& options) {
  std::uint64_t num_faces = 0;
  for (const tables::LevelCount& count : counts) num_faces += count.faces;
  const double neck = depth_of(quantile_level(counts, options.quantile_percent), options.scale);
  const double body = depth_of(static_cast<double>(lower_peak), options.scale);
  const double ratio = std::clamp(body > 0 ? neck / body : 1.0, 1 - kSurest, kSurest);
  return std::llround(std::log(ratio / (1 - ratio)) * static_cast<double>(num_faces) * kUnitsPerVote);
}

struct Candidate {
  std::int64_t votes;
  ObjectId a;  // names of the regions, smaller first
  ObjectId b;
  std::uint32_t region_a;
  std::uint32_t region_b;
  // The top of a priority queue is its greatest.
  bool operator<(const Candidate& other) const {
    return std::tuple(votes, other.a, other.b) < std::tuple(other.votes, a, b);
  }
};

class Contraction {
 public:
  Contraction(const tables::RegionGraph& graph, const BalanceOptions& options)
      : votes_of_(graph.regions.size()), is_alive_(graph.regions.size(), true) {
    for (const tables::Region& region : graph.regions) names_.push_back(region.id);
    const auto index_of = [&](ObjectId id) {
      const auto at = std::lower_bound(names_.begin(), names_.end(), id);
      ORGANON_CHECK(at != names_.end() && *at == id);
      return static_cast<std::uint32_t>(at - names_.begin());
    };
    for (std::size_t i = 0; i < graph.interfaces.size(); ++i) {
      const std::uint32_t a = index_of(graph.interfaces[i].a);
      const std::uint32_t b = index_of(graph.interfaces[i].b);
      const std::uint64_t peak = std::min(graph.regions[a].peak_level, graph.regions[b].peak_level);
      set(a, b, votes_of(graph.counts_of(i), peak, options));
    }
  }

  std::vector<Merge> run(const std::function<void()>& while_running) {
    std::vector<Merge> merges;
    for (std::size_t steps = 1; !queue_.empty(); ++steps) {
      if (while_running && steps % kStepsBetweenCalls == 0) while_running();
      const Candidate next = queue_.top();
      queue_.pop();
      if (!is_alive_[next.region_a] || !is_alive_[next.region_b]) continue;
      // Votes may have been added since, or a region renamed: there is a newer candidate then.
      const auto now = votes_of_[next.region_a].find(next.region_b);
      if (now == votes_of_[next.region_a].end() || now->second != next.votes ||
          std::tie(next.a, next.b) != names_of(next.region_a, next.region_b))
        continue;
      merges.push_back({next.a, next.b, 0});
      merge(next.region_a, next.region_b);
    }
    return merges;
  }

 private:
  std::tuple<ObjectId, ObjectId> names_of(std::uint32_t a, std::uint32_t b) const {
    return {std::min(names_[a], names_[b]), std::max(names_[a], names_[b])};
  }
  void set(std::uint32_t a, std::uint32_t b, std::int64_t votes) {
    votes_of_[a][b] = votes;
    votes_of_[b][a] = votes;
    if (votes <= 0) return;
    const auto [smaller, larger] = names_of(a, b);
    queue_.push({votes, smaller, larger, a, b});
  }

  void merge(std::uint32_t into, std::uint32_t from) {
    if (votes_of_[into].size() < votes_of_[from].size()) std::swap(into, from);
    is_alive_[from] = false;
    const bool is_renamed = names_[from] < names_[into];
    names_[into] = std::min(names_[into], names_[from]);
    votes_of_[into].erase(from);
    for (const auto& [other, votes] : votes_of_[from]) {
      if (other == into) continue;
      votes_of_[other].erase(from);
      const auto twin = votes_of_[into].find(other);
      set(into, other, votes + (twin == votes_of_[into].end() ? 0 : twin->second));
    }
    std::unordered_map<std::uint32_t, std::int64_t>().swap(votes_of_[from]);
    if (!is_renamed) return;
    // Ties go by name: all its candidates are made anew.
    for (const auto& [other, votes] : votes_of_[into]) {
      if (votes <= 0) continue;
      const auto [smaller, larger] = names_of(into, other);
      queue_.push({votes, smaller, larger, into, other});
    }
  }

  std::vector<std::unordered_map<std::uint32_t, std::int64_t>> votes_of_;  // per region, by its neighbours
  std::vector<bool> is_alive_;
  std::vector<ObjectId> names_;  // the smallest id in each region
  std::priority_queue<Candidate> queue_;
};

}  // namespace

std::vector<Merge> balance_regions(const tables::RegionGraph& graph, const BalanceOptions& options,
                                   const std::function<void()>& while_running) {
  return Contraction(graph, options).run(while_running);
}

}  // namespace organon::voxel
