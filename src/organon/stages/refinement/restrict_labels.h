#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> those of their voxels that lie inside or outside other classes.
struct RestrictOptions {
  std::vector<std::string> keep = {"outside"};
  std::vector<double> expand_nm = {0};
  std::vector<double> other_thresholds = {0};
  double threshold = 0;
  bool take_ids = false;
  double min_volume_nm3 = 0;

  void bind(OptionTable& table);
};

/// Masking: a voxel of the labels stays where it is inside (outside) every other dataset, each expanded first
/// by a distance: exact Euclidean, from voxel centre to voxel centre. Lists of options have one value for
/// each other dataset, or one for all. The other datasets are labels, or, with a threshold above 0,
/// predictions that are foreground from it on; so may the labels themselves.
///
/// Ids stay those of the labels, also of an object that falls into pieces; with `take_ids` they are those of
/// the first other dataset (membranes take the id of the organelle that they lie in).
///
/// Exact: does not depend on blocks or workers. Halo: the expansions. Border: nothing lies outside.
/// Errors: kInvalidArgument where grids differ, or a list has the wrong length.
std::unique_ptr<blockwise::Stage> make_restrict_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
