#pragma once

#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/evaluation/score_segmentation.h"

namespace organon::stages {

/// Predictions of all classes of a network and truth -> scores of each.
struct EvaluateClassesOptions {
  std::vector<std::string> classes;         ///< predicted at PREDICTIONS/<class>
  std::vector<std::string> ids;             ///< per class its ids, "3+4+5"; "any": all above 0
  std::vector<std::int64_t> truth_volumes;  ///< per class which TRUTH; empty: the first
  std::vector<std::int64_t> masks;      ///< per class the volume outside of which nothing counts; -1: none
  std::vector<double> truth_expand_nm;  ///< per class; empty: 0
  double threshold = 127;
  double clip_distance_nm = 200;
  double tolerance_nm = 40;
  std::string region = "all";
  ScoreKeys keys;

  void bind(OptionTable& table);
};

/// What `evaluate` does for one class, for all classes that a network predicted of a crop at once: thousands
/// of checkpoints on small crops would else spend their time on starting stages. Inputs: PREDICTIONS, a group
/// with a dataset per class; TRUTH; further volumes of truth and masks. box_nm is taken to the voxel.
///
/// Writes OUT.json: {"scores": [a row per class], "notes": [...]}, schemas/scores.schema.json, each row as
/// `evaluate` gives it, and OUT.txt for people. Classes of which the truth has no voxel that counts have no
/// row, but a note: there is nothing to be found, and networks are compared on crops that hold the class.
///
/// Two steps: a block per class, then a solve. Exact. Memory: all that counts, at most 2^27 voxels. Errors:
/// kInvalidArgument as `evaluate`, and where lists do not fit the classes or the region is larger. Source:
/// [heinrich2021cosem] and its evaluation code.
std::unique_ptr<blockwise::Stage> make_evaluate_classes_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
