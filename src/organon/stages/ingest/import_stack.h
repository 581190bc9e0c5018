#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Volumes of other programs -> dataset.
struct ImportOptions {
  std::vector<double> voxel_size_nm;  ///< z, y, x, or one for all; empty: what the file states
  std::vector<double> offset_nm;  ///< centre of the first voxel; z, y, x; empty: what the file states, else 0
  /// Unit of lengths that the file states without one: nm, um, mm, m, angstrom; unknown: they do not count.
  std::string length_unit = "unknown";
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

/// Imports a folder of PNG or TIFF slices, or a file that storage::open_volume() reads, into an N5 or Zarr
/// dataset. Headers are read when planning: a missing slice, one of another size or type, a file that cannot
/// hold its voxels, an unknown voxel size are refused before anything is written.
///
/// Steps: copy one chunk row of whole slices per block; then, for raw, estimate contrast limits from the
/// dataset and set its attributes `contrast_limits` and `contrast` (what estimate_contrast() found). A file
/// that is one compressed stream is read by a single worker, in order. Memory per worker: one chunk row of
/// slices (chunk_shape.z x height x width) and what one chunk needs. Exact: voxels are the file's, whatever
/// the blocks.
std::unique_ptr<blockwise::Stage> make_import_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
