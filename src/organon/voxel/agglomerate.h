#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "organon/tables/region_graph.h"

namespace organon::voxel {

/// What of an interface's faces counts.
enum class InterfaceStatistic {
  kQuantile,  ///< quantile_level(), as waterz
  kMean,
  kHighest,  ///< single linkage
};

struct AgglomerateOptions {
  InterfaceStatistic statistic = InterfaceStatistic::kQuantile;
  double quantile_percent = 25;
  /// The statistic is taken in parts of the lower of both fragments' peaks: a neck in parts of the thinner
  /// body, so that one threshold fits thick and thin objects.
  bool is_relative = false;
  /// Two regions of at least this many voxels each are never merged; 0: no such limit. With kHighest the
  /// size-dependent single linkage of [zlateski2015].
  std::uint64_t max_both_voxels = 0;
};

/// Region `merged` became part of region `kept`, the one with the smaller id.
struct Merge {
  ObjectId kept = 0;
  ObjectId merged = 0;
  double score = 0;  ///< 1 - statistic / 255 (or / peak): 0 merges first

  friend bool operator==(const Merge&, const Merge&) = default;
};

/// Merges regions, always at the interface of lowest score (among equals the one whose first fragments had
/// the smaller pair of ids), until no interface is left. Where two regions that met a third are merged, their
/// interfaces with it become one, whose faces are those of both. Scores of merges never fall, so that the
/// merges below a threshold are those of an agglomeration that stops there: one run gives all thresholds.
///
/// Memory: about 130 bytes an interface and, for kQuantile, up to 24 an entry of counts. Cost: near linear;
/// histograms are merged into the cheaper interface's, the regions with fewer interfaces into those with
/// more. The mean and the highest level of two interfaces follow from those of each, without histograms. Idea
/// after waterz/backend (MIT): there as here a score that has grown is noticed when its turn comes. Source of
/// the rule: [heinrich2021cosem]. `while_running` is called now and then; it may throw.
std::vector<Merge> agglomerate(const tables::RegionGraph& graph, const AgglomerateOptions& options,
                               const std::function<void()>& while_running = {});

/// The level of element floor(quantile_percent n / 100) of an interface's n faces, counted from 0 in
/// ascending order, at most the last. Requires: at least one face.
std::uint32_t quantile_level(std::span<const tables::LevelCount> counts, double quantile_percent);

/// For each region of the graph the smallest id of the object it is part of after the merges with a score
/// below `threshold`. Requires: `merges` as agglomerate() gives them.
std::vector<ObjectId> cut(const tables::RegionGraph& graph, const std::vector<Merge>& merges,
                          double threshold);

}  // namespace organon::voxel
