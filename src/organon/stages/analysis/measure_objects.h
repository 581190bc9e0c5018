#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> a table of what each object measures.
struct MeasureOptions {
  void bind(OptionTable& table);
};

/// Writes OUT.csv, and beside it OUT.json (for the page) and OUT.sqlite with the same columns: per object
/// voxels, volume, surface (an estimate that converges, and the sum of exposed voxel faces as in the paper),
/// centroid and bounding box, all in nm, and whether the object meets a face of the measured volume
/// (touches_edge 1): it is cut there, so its volume and surface are those of a part.
///
/// A pyramid stands for its finest level. Exact sums; one division per column at the end: equal for all
/// blocks and workers. Halo: 1.
std::unique_ptr<blockwise::Stage> make_measure_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
