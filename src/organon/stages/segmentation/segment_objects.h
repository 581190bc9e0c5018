#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/geometry/connectivity.h"

namespace organon::stages {

/// Prediction -> objects: Gaussian, threshold, connected components over the whole volume, size filter.
struct SegmentOptions {
  double sigma_nm = 12;
  double threshold = 127;
  double min_volume_nm3 = 2e7;
  std::string connectivity = "face-edge-vertex";
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// The chain "connected components" of docs/architecture.md. Final ids are 1, 2, ... in raster order of each
/// kept object's first voxel, in the smallest unsigned type that holds them.
///
/// Exact: voxels do not depend on blocks or workers. Halo: ceil(3 sigma). Border: reflect.
/// Errors: kInvalidArgument where the prediction is not uint8.
std::unique_ptr<blockwise::Stage> make_segment_stage(const blockwise::StageDescription& description);

Connectivity connectivity_from_string(const std::string& name);

}  // namespace organon::stages
