#pragma once

#include <cstdint>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/array/voxel_memory.h"
#include "organon/geometry/connectivity.h"
#include "organon/voxel/union_find.h"

namespace organon::voxel {

/// Voxels [begin, end) of a row, all of one component.
struct Run {
  std::uint32_t begin;
  std::uint32_t end;
};

/// The rows of a volume as runs, and which runs are connected: what components are made of.
struct ConnectedRuns {
  /// In raster order.
  VoxelVector<Run> runs;
  /// Row r (z * height + y) has the runs row_begins[r] .. row_begins[r + 1] - 1.
  std::vector<std::uint32_t> row_begins;
  /// Of run numbers; a root is the first run of its component.
  UnionFind<std::uint32_t> sets;
};

/// Which voxels make runs: those that are not 0, those that are 0, or equal ids that are not 0.
enum class RunsOf { kNonzero, kZero, kEqualIds };

/// Finds and connects the runs of all rows, which must be contiguous (stride x = 1).
/// Requires: fewer than 2^32 voxels. Instantiated for T = uint8, uint16, uint32, uint64.
/// Cost: one pass; 12 bytes a run. Union-find over runs in place of voxels: see He, Chao & Suzuki 2008; here
/// the runs beside a run are found by counting the bits where the runs of a row begin.
template <class T>
ConnectedRuns connect_runs(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity);

}  // namespace organon::voxel
