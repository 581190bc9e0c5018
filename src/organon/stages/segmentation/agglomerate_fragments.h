#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Fragments and the graph of their interfaces -> objects.
struct AgglomerateFragmentsOptions {
  std::string level_scale = "tanh";
  std::string statistic = "quantile";
  double quantile = 25;
  double threshold = 0;  ///< 0: none, by balance
  bool relative = false;
  double min_volume_nm3 = 2e7;
  double max_both_volume_nm3 = 0;

  void bind(OptionTable& table);
};

/// The chain "agglomeration" of docs/architecture.md, on the region graph of the whole volume. With a
/// threshold, all merges in one order, cut there; without, see voxel/balance_regions.h. Objects have ids 1,
/// 2, ... in raster order of first voxels, in the smallest unsigned type that holds them. Another threshold
/// needs the graph and the fragments only: seconds.
///
/// In the folder of the output lie `merges.csv` (the merge tree: which region became part of which, at what
/// score), and `cuts.csv`, `cuts.json`, `cuts.txt`, `cuts.svg`: numbers of objects over thresholds (without
/// one, of the one result).
///
/// Exact: does not depend on blocks or workers. Errors: kNotFound where the fragments have no region graph.
std::unique_ptr<blockwise::Stage> make_agglomerate_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
