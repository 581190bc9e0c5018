#pragma once

#include <filesystem>
#include <vector>

#include "organon/blockwise/stage.h"
#include "organon/tables/region_graph.h"
#include "organon/voxel/agglomerate.h"

namespace organon::stages {

/// How many objects there are where the merge tree is cut at a threshold.
struct Cut {
  double threshold = 0;
  std::uint64_t objects = 0;       ///< all of them
  std::uint64_t objects_kept = 0;  ///< not smaller than the smallest volume that is kept
  double largest_volume_nm3 = 0;
};

/// At thresholds 0, 0.005, .. 1. Cost: one pass over the merges.
std::vector<Cut> cuts_of(const tables::RegionGraph& graph, const std::vector<voxel::Merge>& merges,
                         double voxel_volume_nm3, double min_volume_nm3);

/// merges.csv, cuts.csv, cuts.json, cuts.txt (for people: every tenth cut, and the chosen) and cuts.svg.
void write_merge_report(const std::filesystem::path& folder, const std::vector<voxel::Merge>& merges,
                        const std::vector<Cut>& cuts, double threshold, blockwise::BlockOutput& output);

}  // namespace organon::stages
