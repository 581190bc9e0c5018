#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> distances in nm.
struct DistanceMapOptions {
  double bound_nm = 0;
  bool is_signed = false;
  std::string ids;

  void bind(OptionTable& table);
};

/// Each object's voxels get the distance to the nearest voxel of another id, background included, and
/// background 0; or, signed, all voxels the signed distance to the boundary of all objects together, as
/// training targets have it. The volume's edge is no boundary. Distances above the bound, or to nothing, are
/// infinite.
///
/// Shape and chunks are the input's, a pyramid stands for its finest level; float32. Exact: voxels do not
/// depend on blocks or workers. With a bound of at most half a block blocks are read with it as halo. Else
/// the volume is taken axis by axis, in bundles of whole lines, so that memory follows from the longest line
/// and not from the volume. Errors: kInvalidArgument where the labels are no whole numbers, for ids that are
/// none.
std::unique_ptr<blockwise::Stage> make_distance_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
