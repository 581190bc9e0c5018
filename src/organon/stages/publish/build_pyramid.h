#pragma once

#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// A group's s0 -> its coarser levels.
struct PyramidOptions {
  std::string kind = "auto";
  std::int64_t levels = -1;
  std::vector<std::string> label_colors;  ///< storage::parse_label_color(); empty: those there stay

  void bind(OptionTable& table);
};

/// `S0 GROUP`: S0 is `GROUP/s0`. Writes GROUP/s1, s2, ..., each exactly from the voxels of s0, which are read
/// once (reduce_levels.h), and the group's metadata, so that Neuroglancer and the N5 viewer find the levels.
/// Which axes a level halves: pyramid_factors(). Levels of an earlier pyramid are replaced. Levels of an s0
/// in shards are in shards too: of as many voxels, in precomputed clipped at the level's faces. Blocks are
/// chunks of the third level, or what holds whole shards (level_set.h), whatever block shape is asked for.
///
/// In Zarr the group is OME-NGFF: below `labels` a label image, which keeps the colours and names of its
/// labels, or gets `label_colors`; else an image with the contrast of s0.
///
/// Exact. Halo 0. Errors: kInvalidArgument where S0 is not GROUP/s0, and for label colours that are none, or
/// of what is no pyramid of whole numbers in Zarr; kAlreadyExists for levels that organon did not make;
/// kUnsupported for signed and double intensities.
std::unique_ptr<blockwise::Stage> make_pyramid_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
