#pragma once

#include <cstdint>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/array/voxel_memory.h"
#include "organon/geometry/connectivity.h"

namespace organon::voxel {

/// Voxels [begin, end) of a row, all of one component.
struct Run {
  std::uint32_t begin;
  std::uint32_t end;
};

/// The rows of a volume as runs, and the component of each.
struct ConnectedRuns {
  /// In raster order.
  VoxelVector<Run> runs;
  /// Per run 1, 2, .. in order of each component's first run.
  VoxelVector<std::uint32_t> components;
  std::uint32_t num_components = 0;
  /// Row r (z * height + y) has the runs row_begins[r] .. row_begins[r + 1] - 1.
  std::vector<std::uint32_t> row_begins;

  /// Calls `use(z, y, run, component)` for all runs of rows of planes of `height` rows, in raster order.
  template <class Use>
  void for_each(std::int64_t height, Use use) const {
    for (std::size_t row = 0; row + 1 < row_begins.size(); ++row) {
      const auto z = static_cast<std::int64_t>(row) / height;
      const auto y = static_cast<std::int64_t>(row) % height;
      for (std::uint32_t i = row_begins[row]; i < row_begins[row + 1]; ++i) use(z, y, runs[i], components[i]);
    }
  }
};

/// Which voxels make runs: those that are not 0, those that are 0, or equal ids that are not 0.
enum class RunsOf { kNonzero, kZero, kEqualIds };

/// Finds and connects the runs of all rows, which must be contiguous (stride x = 1).
/// Requires: fewer than 2^32 voxels. Instantiated for T = uint8, uint16, uint32, uint64.
/// Cost: one pass, and two bits a voxel of two planes; 12 bytes a run. Union-find over runs in place of
/// voxels: see He, Chao & Suzuki 2008; here the runs beside a run are found by counting the bits where the
/// runs of a row begin.
template <class T>
ConnectedRuns connect_runs(ArrayView<const T> voxels, RunsOf kind, Connectivity connectivity);

}  // namespace organon::voxel
