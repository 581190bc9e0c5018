#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/storage/images/slice_stack.h"

namespace organon::stages {

/// Image slices -> dataset.
struct ImportOptions {
  std::vector<double> voxel_size_nm;                     ///< z, y, x, or one for all; must be given
  std::vector<double> offset_nm = {0, 0, 0};             ///< centre of the first voxel; z, y, x
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};  ///< z, y, x, or one for a cube
  std::string role = "raw";  ///< raw: grey values, with contrast limits; labels: ids
  std::string codec = "gzip";
  std::int64_t level = -1;  ///< of compression; -1: the codec's default
  bool invert = false;      ///< turns grey values over, for stacks with bright membranes
  /// Two grey values; empty: estimated from the imported voxels.
  std::vector<double> contrast_limits;
  std::string gaps = "refuse";  ///< what a number missing among the slices' names means: refuse or accept

  void bind(OptionTable& table);
};

/// Slices z_begin .. z_end of `stack`, cut to `box`'s y and x, as `options` want them stored.
/// Memory: two times the slab at most.
AnyArray read_import_block(const storage::SliceStack& stack, const Box& box, const ImportOptions& options);

/// Imports a folder of PNG or TIFF slices, or one multi-page TIFF, into an N5 or Zarr dataset. Headers of all
/// slices are read when planning: a missing slice, one of another size or type, is refused before anything is
/// written.
///
/// Steps: copy one chunk row of whole slices per block; then, for raw, estimate contrast limits from the
/// dataset and set its attributes `contrast_limits` and `contrast` (what estimate_contrast() found). Memory
/// per worker: one chunk row of slices (chunk_shape.z x height x width) and what one chunk needs. Exact:
/// voxels are the slices', whatever the blocks.
std::unique_ptr<blockwise::Stage> make_import_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
