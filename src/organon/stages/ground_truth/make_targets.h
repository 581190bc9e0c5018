#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> what the network learns: per class a signed tanh boundary distance, and where it counts.
struct TargetsOptions {
  std::vector<std::string> classes;  ///< names
  std::vector<std::string> ids;      ///< per class the label ids that it merges, as "3+4+5"
  double voxel_size_nm = 8;          ///< of the targets: a whole multiple of the labels' (or equal)
  double scale_nm = 50;
  double limit_nm = 138;
  double unlabelled_id = -1;  ///< this id means "not annotated"; -1: every voxel is annotated
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// Writes, under the output group, one dataset `<class>` per class: uint8, quantised as predictions are, 0
/// where the voxel has no say in the loss (so -1 is stored as 1: within 0.8 % of the range).
///
/// Exact. Halo: limit and one voxel, in labels. Nothing is known beyond the labels' volume or box.
std::unique_ptr<blockwise::Stage> make_targets_stage(const blockwise::StageDescription& description);

/// Address of a class's targets under the output group of the stage.
std::string target_address(const std::string& group, const std::string& class_name);

}  // namespace organon::stages
