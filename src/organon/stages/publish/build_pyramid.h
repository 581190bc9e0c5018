#pragma once

#include <string>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// A group's s0 -> its coarser levels.
struct PyramidOptions {
  std::string kind = "auto";
  std::int64_t levels = -1;

  void bind(OptionTable& table);
};

/// `S0 GROUP`: S0 is `GROUP/s0`. Writes GROUP/s1, s2, ..., each exactly from the voxels of s0, which are read
/// once (reduce_levels.h), and the group's metadata, so that Neuroglancer and the N5 viewer find the levels.
/// Which axes a level halves: pyramid_factors(). Levels of an earlier pyramid are replaced. Blocks are chunks
/// of the third level, whatever block shape is asked for.
///
/// Exact. Halo 0. Errors: kInvalidArgument where S0 is not GROUP/s0; kAlreadyExists for levels that organon
/// did not make; kUnsupported for signed and double intensities.
std::unique_ptr<blockwise::Stage> make_pyramid_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
