#pragma once

#include <memory>
#include <string>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Dataset -> files for other programs.
struct ExportOptions {
  std::string compression = "deflate";  ///< deflate (of NRRD: gzip) or none
  std::string prefix = "slice_";        ///< of the names of slices

  void bind(OptionTable& table);
};

/// Writes a dataset, or exactly the voxels whose centres lie in `box_nm`, as files: OUT that ends in .tif,
/// .tiff or .nrrd is one file, any other OUT a folder of TIFF slices, named by prefix and slice number in the
/// dataset. Voxel size and offset are kept.
///
/// A folder is a map over slabs of whole slices, one chunk row each, with a file a slice, and goes on where
/// it was stopped. A last step removes slices of an earlier export. A file is one block, written in one pass
/// and renamed when it is whole. Memory per worker: a chunk row of slices and two slices. Exact. Errors:
/// kInvalidArgument for a box that misses the dataset; kAlreadyExists for a folder that holds other files.
std::unique_ptr<blockwise::Stage> make_export_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
