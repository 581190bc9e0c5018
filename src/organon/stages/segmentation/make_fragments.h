#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/tables/region_graph.h"

namespace organon::stages {

/// Prediction -> fragments, one around each summit, with the graph of their interfaces.
struct WatershedOptions {
  double sigma_nm = 12;
  double threshold = 127;
  std::string face_level = "lower";
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// The chains "watershed" and "region graph" of docs/architecture.md. Fragments have ids 1, 2, ... in raster
/// order of first voxels. Their graph lies in the dataset's folder, see read_region_graph(): levels are 0
/// just below the threshold, 255 at the highest prediction.
///
/// Exact: voxels and graph do not depend on blocks or workers. Halo: ceil(3 sigma) + 1. Border: reflect.
/// Errors: kInvalidArgument where the prediction is not uint8.
std::unique_ptr<blockwise::Stage> make_watershed_stage(const blockwise::StageDescription& description);

/// The graph that lies with the fragments at `address`. Errors: kNotFound where it has none; kCorruptData.
tables::RegionGraph read_region_graph(const std::string& address);
/// Bytes of its file; 0 where there is none yet.
std::int64_t region_graph_bytes(const std::string& address);

}  // namespace organon::stages
