#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Nothing -> a synthetic FIB-SEM cell with known truth.
struct PhantomOptions {
  std::vector<std::int64_t> shape = {256, 256, 256};  ///< of raw; z, y, x, or one for a cube
  std::vector<double> voxel_size_nm = {8};            ///< of raw; z, y, x, or one for all
  std::int64_t seed = 1;                              ///< another seed is another cell
  std::string contrast = "hela";                      ///< staining and imaging: see phantom/contrast.h
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// Writes, under the folder that is the stage's only output:
///
///     phantom.n5/raw                 uint8, with contrast limits
///     phantom.n5/labels              uint8 ids of phantom/cell.h, at half the voxel size of raw
///     phantom.n5/instances/<class>   ids of tables/objects.csv, on the labels' grid, smallest unsigned type
///     tables/{objects,microtubules,close_pairs}.csv
///
/// The volume's corner is the origin: raw's first voxel has its centre at half a voxel. `nucleus` holds the
/// envelope, and so does `er`, which also holds the exit sites (`eres`); all other instances are apart.
///
/// Steps: label, image, describe. Exact: a voxel depends on options and place alone. Reads nothing, so no
/// halo is read; the image's blur computes its own. Each worker places the cell anew: about 0.3 s per 10^10
/// nm3. Errors: kInvalidArgument for a volume of less than 200 nm along an axis, or an unknown contrast.
std::unique_ptr<blockwise::Stage> make_phantom_stage(const blockwise::StageDescription& description);

/// The datasets that the stage writes into `folder`, raw first, then labels, then instances.
std::vector<std::string> phantom_addresses(const std::string& folder);

}  // namespace organon::stages
