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

// Interfaces between two regions that are one by now.
struct Link {
  std::int64_t votes = 0;
  std::size_t first_interface = 0;  // index of the first of them: decides among equal votes
};

struct Candidate {
  Link link;
  std::uint32_t a;
  std::uint32_t b;
  // The top of a priority queue is its greatest.
  bool operator<(const Candidate& other) const {
    return std::tie(link.votes, other.link.first_interface) <
           std::tie(other.link.votes, link.first_interface);
  }
};

class Contraction {
 public:
  Contraction(const tables::RegionGraph& graph, const BalanceOptions& options)
      : links_(graph.regions.size()), is_alive_(graph.regions.size(), true) {
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
      set(a, b, {votes_of(graph.counts_of(i), peak, options), i});
    }
  }

  std::vector<Merge> run(const std::function<void()>& while_running) {
    std::vector<Merge> merges;
    for (std::size_t steps = 1; !queue_.empty(); ++steps) {
      if (while_running && steps % kStepsBetweenCalls == 0) while_running();
      const Candidate next = queue_.top();
      queue_.pop();
      if (!is_alive_[next.a] || !is_alive_[next.b]) continue;
      // Votes may have been added since: there is a newer candidate then.
      const auto now = links_[next.a].find(next.b);
      if (now == links_[next.a].end() || now->second.votes != next.link.votes ||
          now->second.first_interface != next.link.first_interface)
        continue;
      merges.push_back(
          {std::min(names_[next.a], names_[next.b]), std::max(names_[next.a], names_[next.b]), 0});
      merge(next.a, next.b);
    }
    return merges;
  }

 private:
  void set(std::uint32_t a, std::uint32_t b, const Link& link) {
    links_[a][b] = link;
    links_[b][a] = link;
    if (link.votes > 0) queue_.push({link, a, b});
  }

  void merge(std::uint32_t into, std::uint32_t from) {
    if (links_[into].size() < links_[from].size()) std::swap(into, from);
    is_alive_[from] = false;
    names_[into] = std::min(names_[into], names_[from]);
    links_[into].erase(from);
    for (const auto& [other, link] : links_[from]) {
      if (other == into) continue;
      links_[other].erase(from);
      Link sum = link;
      if (const auto twin = links_[into].find(other); twin != links_[into].end()) {
        sum.votes += twin->second.votes;
        sum.first_interface = std::min(sum.first_interface, twin->second.first_interface);
      }
      set(into, other, sum);
    }
    std::unordered_map<std::uint32_t, Link>().swap(links_[from]);
  }

  std::vector<std::unordered_map<std::uint32_t, Link>> links_;  // per region, by its neighbours
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
