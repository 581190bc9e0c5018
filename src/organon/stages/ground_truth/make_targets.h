#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Labels -> what the network learns: per class a signed tanh boundary distance, and where it counts.
struct TargetsOptions {
  std::vector<std::string> classes;         ///< names
  std::vector<std::string> ids;             ///< per class where it is found: see class_source.h
  std::vector<double> voxel_size_nm = {8};  ///< of the targets, z,y,x or one for all
  double scale_nm = 50;
  double limit_nm = 138;
  std::vector<double> add_nm;                ///< per class, added to its distance; empty: 0
  std::vector<std::string> joined;           ///< per class names of others, "cent+cent-dapp"; empty: none
  std::vector<std::int64_t> masks;           ///< per class the volume that says where it is known; -1: none
  std::vector<double> unlabelled_id = {-1};  ///< per volume or for all: id that is "not annotated"; -1: none
  std::string sampling = "every_nth";        ///< or "mean", of labels finer than targets
  std::vector<std::int64_t> chunk_shape = {64, 64, 64};

  void bind(OptionTable& table);
};

/// Inputs: LABELS and further volumes that lie on the same crop (labels of single classes, masks); all at the
/// voxel size of the targets or finer by whole factors. The grid of the targets is that of LABELS, reduced.
///
/// Writes, under the output group, one dataset `<class>` per class: uint8, quantised as predictions are, 0
/// where the voxel has no say in the loss (so -1 is stored as 1: within 0.8 % of the range).
///
///     member     union over the volumes of the class's source
///     annotated  inside the box and every volume of the source, at none of them unlabelled; and where the
///     class
///                has a mask, there alone: mask not 0
///     target     voxel/training_targets.h
///     joined     target = largest of its own and theirs, each before it is joined; known where any of them
///     is
///
/// A class without a source is not annotated: its dataset is all 0. Joined classes are the paper's
/// microtubules (with centrosomes) and centrosomes (with appendages); that they are known where either is
/// supposes that whoever paints centrosomes also paints microtubules.
///
/// Exact. Halo: limit, constant and one voxel, in labels. Nothing is known beyond the volumes or the box.
/// Source: [heinrich2021cosem] and its training code.
std::unique_ptr<blockwise::Stage> make_targets_stage(const blockwise::StageDescription& description);

/// Address of a class's targets under the output group of the stage.
std::string target_address(const std::string& group, const std::string& class_name);

}  // namespace organon::stages
