#pragma once

#include <functional>
#include <vector>

#include "organon/tables/region_graph.h"
#include "organon/voxel/agglomerate.h"

namespace organon::voxel {

/// What a level says of depth.
enum class LevelScale {
  kLinear,  ///< depth goes with the level: probabilities
  kTanh,    ///< level = 255 tanh(depth): signed distances as networks of organon predict them
};

struct BalanceOptions {
  double quantile_percent = 90;  ///< of an interface's levels, as InterfaceStatistic::kQuantile
  LevelScale scale = LevelScale::kTanh;
};

/// Merges regions without a threshold that somebody has to choose. An interface whose neck (the quantile of
/// its depth) is deeper than half the thinner body (the lower peak depth of both fragments) speaks for a
/// merge, another against it: with ln(r / (1 - r)) for the ratio r of neck to body, and one vote a face.
/// Votes of interfaces that become one add up. The pair with most votes merges first (among equals the one
/// that holds the first interface of the graph), until no pair has votes for it: greedy additive contraction
/// of a correlation clustering [keuper2015].
///
/// Merges come in that order, all with score 0. Votes are whole numbers (2^-16 each), so that sums do not
/// depend on their order. Memory: about 150 bytes an interface. Cost: O(n log n).
/// `while_running` is called now and then; it may throw.
std::vector<Merge> balance_regions(const tables::RegionGraph& graph, const BalanceOptions& options,
                                   const std::function<void()>& while_running = {});

}  // namespace organon::voxel
