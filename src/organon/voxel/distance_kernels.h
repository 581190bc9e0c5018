#pragma once

#include <cstdint>

namespace organon::voxel {

/// Lines of voxels taken together: two cache lines of floats a row.
constexpr std::int64_t kBundleWidth = 32;
/// Rows whose minimum is noted, so that a search can pass over them.
constexpr std::int64_t kRowsPerMinimum = 16;

/// What one pass of a distance transform hands to the processor-specific code: kBundleWidth lines side by
/// side, row i of all of them at [i * kBundleWidth], voxels i of each line.
struct LineBundle {
  std::int64_t length = 0;              ///< rows
  const float* squared_nm2 = nullptr;   ///< what the passes before left
  const std::uint8_t* meets = nullptr;  ///< 1 where a voxel and the one before it are of two objects; or null
  const float* step_squares =
      nullptr;              ///< of 0 to length steps, infinite beyond the bound; [length + 1]: infinity
  float bound_nm2 = 0;      ///< results above become infinity
  bool take_root = false;   ///< results are distances, not squares
  float* minima = nullptr;  ///< scratch: ceil(length / kRowsPerMinimum) rows
  float* result = nullptr;  ///< `length` rows
};

/// Per line and voxel p: the least of squared[q] + step_squares[|p - q|] over the voxels q of p's run, and of
/// step_squares[|p - q|] over those beyond, a run ending where `meets` says so. Each sum is rounded once, the
/// least of the rounded ones is taken: it does not depend on the order of the search, on the bundle or on the
/// processor. Voxels of squared distance 0 keep it.
///
/// Cost: per voxel about as many steps as the distance is voxels long, beyond 16 about its square root and a
/// sixteenth of it.
void search_along_lines(const LineBundle& bundle);

}  // namespace organon::voxel
