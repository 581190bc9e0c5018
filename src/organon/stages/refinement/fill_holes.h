#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> labels without holes.
struct RefineOptions {
  bool fill_holes = true;

  void bind(OptionTable& table);
};

/// Fills background that an object encloses: a face-connected background component that does not touch the
/// volume's edge and borders, over 26 neighbours, exactly one object id takes that id.
///
/// Exact: voxels do not depend on blocks or workers. Halo: 1. Shape, chunks and type are the input's.
/// Source: [heinrich2021cosem] (SparkFillHolesInConnectedComponents), without its marker id for the volume's
/// edge.
std::unique_ptr<blockwise::Stage> make_refine_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
