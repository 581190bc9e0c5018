#include "organon/voxel/agglomerate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"
#include "organon/voxel/balance_regions.h"
#include "organon/voxel/measure_interfaces.h"

namespace organon::voxel {
namespace {

using tables::RegionGraph;

struct Volume {
  Array<std::uint16_t> fragments;
  Array<std::uint8_t> levels;
};

// Random cells of Voronoi seeds, a part of them background.
Volume random_volume(const Shape3& shape, std::uint64_t num_fragments, std::uint64_t num_levels,
                     std::uint64_t seed) {
  Random random(seed);
  std::vector<Index3> seeds;
  for (std::uint64_t i = 0; i < num_fragments; ++i) {
    seeds.push_back({static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.z))),
                     static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.y))),
                     static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shape.x)))});
  }
  Volume volume{Array<std::uint16_t>(shape), Array<std::uint8_t>(shape)};
  const BlockGrid voxels(Box::of_shape(shape), {1, 1, 1});
  for (std::int64_t i = 0; i < volume.levels.size(); ++i) {
    const Index3 at = voxels.position_of(i);
    std::int64_t nearest = 1 << 30;
    for (std::uint64_t k = 0; k < num_fragments; ++k) {
      const Index3 d = at - seeds[k];
      const std::int64_t squared = d.z * d.z + d.y * d.y + d.x * d.x;
      if (squared >= nearest) continue;
      nearest = squared;
      volume.fragments.data()[i] = static_cast<std::uint16_t>(k % 7 == 3 ? 0 : 10 * k + 1);
    }
    volume.levels.data()[i] = static_cast<std::uint8_t>(random.below(num_levels));
  }
  return volume;
}

RegionGraph graph_of(const Volume& volume, FaceLevel face_level = FaceLevel::kLower) {
  const Box whole = Box::of_shape(volume.levels.shape());
  return measure_interfaces<std::uint16_t>(volume.fragments, volume.levels, whole, whole, face_level);
}

// Face by face.
RegionGraph graph_by_definition(const Volume& volume, FaceLevel face_level) {
  const Box whole = Box::of_shape(volume.levels.shape());
  const BlockGrid voxels(whole, {1, 1, 1});
  std::map<ObjectId, tables::Region> regions;
  std::map<std::pair<ObjectId, ObjectId>, std::map<std::uint32_t, std::uint32_t>> faces;
  for (std::int64_t i = 0; i < volume.levels.size(); ++i) {
    const Index3 at = voxels.position_of(i);
    const ObjectId id = volume.fragments(at);
    if (id == 0) continue;
    tables::Region& region = regions[id];
    region.id = id;
    ++region.voxels;
    region.peak_level = std::max<std::uint64_t>(region.peak_level, volume.levels(at));
    for (const Index3& step : {Index3{1, 0, 0}, Index3{0, 1, 0}, Index3{0, 0, 1}}) {
      const Index3 near = at + step;
      if (!whole.contains(near) || volume.fragments(near) == 0 || volume.fragments(near) == id) continue;
      const ObjectId other = volume.fragments(near);
      const std::uint32_t level = face_level == FaceLevel::kLower
                                      ? std::min(volume.levels(at), volume.levels(near))
                                      : volume.levels(near);
      ++faces[{std::min(id, other), std::max(id, other)}][level];
    }
  }
  RegionGraph graph;
  for (const auto& [id, region] : regions) graph.regions.push_back(region);
  for (const auto& [pair, counts] : faces) {
    graph.add_interface(pair.first, pair.second);
    for (const auto& [level, num_faces] : counts) graph.counts.push_back({level, num_faces});
  }
  return graph;
}

TEST(MeasureInterfaces, EqualsTheDefinitionAndBlocksMergeToTheWhole) {
  const auto volume = random_volume({9, 10, 11}, 25, 200, 1);
  const Box whole = Box::of_shape(volume.levels.shape());
  for (const FaceLevel face_level : {FaceLevel::kLower, FaceLevel::kLaterVoxels}) {
    const RegionGraph expected = graph_by_definition(volume, face_level);
    ASSERT_GT(expected.interfaces.size(), 20U);
    EXPECT_EQ(graph_of(volume, face_level), expected);
    for (const Shape3& block_shape : {Shape3{4, 4, 4}, Shape3{1, 16, 3}}) {
      const BlockGrid blocks(whole, block_shape);
      RegionGraph merged;
      for (std::int64_t id = blocks.count(); id-- > 0;) {
        const Box box = blocks.box_of(id);
        const Box view = box.grow({0, 0, 0}, {1, 1, 1}).intersect(whole);
        const RegionGraph part = measure_interfaces<std::uint16_t>(
            volume.fragments.view().part(view), volume.levels.view().part(view), view, box, face_level);
        merged = merge(merged, RegionGraph::decode(part.encode()));
      }
      EXPECT_EQ(merged, expected);
    }
  }
}

// All scores anew after each merge; faces kept one by one.
std::vector<Merge> agglomerate_by_definition(const RegionGraph& graph, const AgglomerateOptions& options) {
  struct Edge {
    std::vector<std::uint32_t> levels;
    std::size_t order;
  };
  struct Body {
    std::uint64_t voxels;
    std::uint64_t peak_level;
  };
  std::map<ObjectId, Body> bodies;
  for (const auto& region : graph.regions) bodies[region.id] = {region.voxels, region.peak_level};
  std::map<std::pair<ObjectId, ObjectId>, Edge> edges;
  for (std::size_t i = 0; i < graph.interfaces.size(); ++i) {
    Edge edge{{}, i};
    for (const auto& count : graph.counts_of(i))
      edge.levels.insert(edge.levels.end(), count.faces, count.level);
    edges[{graph.interfaces[i].a, graph.interfaces[i].b}] = edge;
  }
  const auto score_of = [&](const std::pair<ObjectId, ObjectId>& pair, Edge edge) {
    std::sort(edge.levels.begin(), edge.levels.end());
    const auto n = static_cast<double>(edge.levels.size());
    double statistic = edge.levels.back();
    if (options.statistic == InterfaceStatistic::kMean) {
      statistic = 0;
      for (const std::uint32_t level : edge.levels) statistic += level;
      statistic /= n;
    } else if (options.statistic == InterfaceStatistic::kQuantile) {
      statistic = edge.levels[static_cast<std::size_t>(
          std::min(std::floor(options.quantile_percent * n / 100), n - 1))];
    }
    if (!options.is_relative) return 1 - statistic / 255;
    const auto peak = std::min(bodies[pair.first].peak_level, bodies[pair.second].peak_level);
    return 1 - std::min(statistic / static_cast<double>(std::max<std::uint64_t>(peak, 1)), 1.0);
  };
  std::vector<Merge> merges;
  while (true) {
    const std::pair<const std::pair<ObjectId, ObjectId>, Edge>* best = nullptr;
    double best_score = 0;
    for (const auto& edge : edges) {
      const std::uint64_t limit = options.max_both_voxels;
      if (limit > 0 && bodies[edge.first.first].voxels >= limit && bodies[edge.first.second].voxels >= limit)
        continue;
      const double score = score_of(edge.first, edge.second);
      if (best != nullptr &&
          (score > best_score || (score == best_score && edge.second.order > best->second.order)))
        continue;
      best = &edge;
      best_score = score;
    }
    if (best == nullptr) return merges;
    const auto [kept, gone] = best->first;
    merges.push_back({kept, gone, best_score});
    std::map<std::pair<ObjectId, ObjectId>, Edge> next;
    // Orders are compared with the scores before the merge changes the bodies... which it does for both
    // alike.
    bodies[kept].voxels += bodies[gone].voxels;
    bodies[kept].peak_level = std::max(bodies[kept].peak_level, bodies[gone].peak_level);
    for (const auto& [pair, edge] : edges) {
      if (pair == std::pair(kept, gone)) continue;
      auto [a, b] = pair;
      if (a == gone) a = kept;
      if (b == gone) b = kept;
      const std::pair<ObjectId, ObjectId> renamed = {std::min(a, b), std::max(a, b)};
      const auto [at, is_new] = next.try_emplace(renamed, edge);
      if (is_new) continue;
      Edge& twin = at->second;
      const double own = score_of(renamed, edge);
      const double theirs = score_of(renamed, twin);
      if (own < theirs || (own == theirs && edge.order < twin.order)) twin.order = edge.order;
      twin.levels.insert(twin.levels.end(), edge.levels.begin(), edge.levels.end());
    }
    edges = next;
  }
}

TEST(Agglomerate, EqualsTheDefinition) {
  std::uint64_t seed = 10;
  for (const std::uint64_t num_levels : {4, 256}) {
    for (const auto statistic :
         {InterfaceStatistic::kQuantile, InterfaceStatistic::kMean, InterfaceStatistic::kHighest}) {
      for (const bool is_relative : {false, true}) {
        for (const std::uint64_t limit : {0, 60}) {
          const auto volume = random_volume({10, 11, 12}, 40, num_levels, ++seed);
          const RegionGraph graph = graph_of(volume);
          const AgglomerateOptions options{statistic, 100.0 * static_cast<double>(seed % 5) / 4, is_relative,
                                           limit};
          const auto merges = agglomerate(graph, options);
          EXPECT_EQ(merges, agglomerate_by_definition(graph, options)) << seed;
          EXPECT_GT(merges.size(), 5U);
          for (std::size_t i = 1; i < merges.size(); ++i) EXPECT_LE(merges[i - 1].score, merges[i].score);
        }
      }
    }
  }
}

TEST(Agglomerate, ManyInterfacesOfOneRegionKeepTheirMemoryBounded) {
  // A hub that every other region touches; they also form a chain, so that interfaces join again and again.
  RegionGraph graph;
  constexpr ObjectId kNum = 30000;
  graph.regions.push_back({1, 1000, 200});
  for (ObjectId id = 2; id <= kNum; ++id) graph.regions.push_back({id, 1, 100});
  Random random(3);
  const auto add_counts = [&] {
    for (std::uint32_t level = 0; level < 256; level += 1 + static_cast<std::uint32_t>(random.below(40)))
      graph.counts.push_back({level, 1 + static_cast<std::uint32_t>(random.below(5))});
  };
  for (ObjectId id = 2; id <= kNum; ++id) {
    graph.add_interface(1, id);
    add_counts();
  }
  for (ObjectId id = 2; id < kNum; ++id) {
    graph.add_interface(id, id + 1);
    add_counts();
  }
  EXPECT_EQ(agglomerate(graph, {}).size(), kNum - 1);
}

// All votes anew after each merge.
std::vector<Merge> balance_by_definition(const RegionGraph& graph, const BalanceOptions& options) {
  // Votes, and which interface of the graph is the first between the pair.
  using Link = std::pair<std::int64_t, std::size_t>;
  std::map<std::pair<ObjectId, ObjectId>, Link> links;
  std::map<ObjectId, std::uint64_t> peaks;
  for (const auto& region : graph.regions) peaks[region.id] = region.peak_level;
  const auto depth = [&](double level) {
    return options.scale == LevelScale::kTanh ? std::atanh(std::min(level, 254.0) / 255) : level / 255;
  };
  for (std::size_t i = 0; i < graph.interfaces.size(); ++i) {
    std::vector<double> levels;
    for (const auto& count : graph.counts_of(i)) levels.insert(levels.end(), count.faces, count.level);
    const auto n = static_cast<double>(levels.size());
    const double neck =
        levels[static_cast<std::size_t>(std::min(std::floor(options.quantile_percent * n / 100), n - 1))];
    const auto& [a, b, first] = graph.interfaces[i];
    const double body = depth(static_cast<double>(std::min(peaks[a], peaks[b])));
    const double ratio = std::clamp(body > 0 ? depth(neck) / body : 1, 0.001, 0.999);
    links[{a, b}] = {std::llround(std::log(ratio / (1 - ratio)) * n * 65536), i};
  }
  std::vector<Merge> merges;
  while (true) {
    std::pair<ObjectId, ObjectId> best;
    Link most = {0, 0};
    for (const auto& [pair, link] : links) {
      if (link.first <= 0 || link.first < most.first) continue;
      if (link.first == most.first && link.second > most.second) continue;
      most = link;
      best = pair;
    }
    if (most.first == 0) return merges;
    merges.push_back({best.first, best.second, 0});
    std::map<std::pair<ObjectId, ObjectId>, Link> next;
    for (const auto& [pair, link] : links) {
      if (pair == best) continue;
      const ObjectId a = pair.first == best.second ? best.first : pair.first;
      const ObjectId b = pair.second == best.second ? best.first : pair.second;
      const auto [at, is_new] = next.try_emplace({std::min(a, b), std::max(a, b)}, link);
      if (is_new) continue;
      at->second.first += link.first;
      at->second.second = std::min(at->second.second, link.second);
    }
    links = next;
  }
}

TEST(BalanceRegions, EqualsTheDefinition) {
  std::uint64_t seed = 100;
  for (const std::uint64_t num_levels : {3, 256}) {
    for (const LevelScale scale : {LevelScale::kLinear, LevelScale::kTanh}) {
      for (int repeat = 0; repeat < 4; ++repeat) {
        const auto volume = random_volume({10, 11, 12}, 40, num_levels, ++seed);
        const RegionGraph graph = graph_of(volume);
        const BalanceOptions options{repeat == 0 ? 50.0 : 90.0, scale};
        const auto merges = balance_regions(graph, options);
        EXPECT_EQ(merges, balance_by_definition(graph, options)) << seed;
      }
    }
  }
}

// A region that takes a smaller name with each merge once pushed all its candidates anew, each time: this
// took minutes and gigabytes.
TEST(BalanceRegions, AStarThatIsRenamedAtEveryMergeIsNoBurden) {
  RegionGraph graph;
  constexpr ObjectId kLeaves = 20000;
  for (ObjectId id = 1; id <= kLeaves + 1; ++id) graph.regions.push_back({id, 1000, 200});
  for (ObjectId id = 1; id <= kLeaves; ++id) {
    graph.add_interface(id, kLeaves + 1);
    graph.counts.push_back({180, static_cast<std::uint32_t>(10 + id)});
  }
  const auto merges = balance_regions(graph, {});
  ASSERT_EQ(merges.size(), kLeaves);
  EXPECT_EQ(merges.front(), (Merge{kLeaves, kLeaves + 1, 0}));
  EXPECT_EQ(merges.back(), (Merge{1, 2, 0}));
}

TEST(BalanceRegions, ABroadNeckMergesAndAThinOneDoesNot) {
  RegionGraph graph;
  graph.regions = {{1, 1000, 200}, {2, 1000, 200}, {3, 1000, 200}};
  graph.add_interface(1, 2);
  graph.counts.push_back({180, 50});
  graph.add_interface(2, 3);
  graph.counts.push_back({60, 50});
  EXPECT_EQ(balance_regions(graph, {}), (std::vector<Merge>{{1, 2, 0}}));
}

TEST(Cut, TakesTheMergesBelowTheThreshold) {
  const auto volume = random_volume({10, 11, 12}, 40, 256, 5);
  const RegionGraph graph = graph_of(volume);
  const auto merges = agglomerate(graph, {});
  const auto num_objects = [&](double threshold) {
    const auto objects = cut(graph, merges, threshold);
    return std::set<ObjectId>(objects.begin(), objects.end()).size();
  };
  EXPECT_EQ(num_objects(0), graph.regions.size());
  EXPECT_EQ(num_objects(2), graph.regions.size() - merges.size());
  const std::size_t middle = merges.size() / 2;
  const auto below = std::count_if(merges.begin(), merges.end(),
                                   [&](const Merge& merge) { return merge.score < merges[middle].score; });
  EXPECT_EQ(num_objects(merges[middle].score), graph.regions.size() - static_cast<std::size_t>(below));
}

}  // namespace
}  // namespace organon::voxel
