#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Segmentation (or prediction) and truth -> scores.
struct EvaluateOptions {
  std::string class_name;
  std::string region = "all";
  std::string kind = "auto";
  double threshold = 127;
  std::string ids;
  std::vector<double> exclude_box_nm;
  double clip_distance_nm = 200;
  double tolerance_nm = 40;
  bool instances = false;
  std::string raw;

  void bind(OptionTable& table);
};

/// Compares SEGMENTATION with TRUTH where MASK (optional) is not 0, on the voxels of the segmentation.
/// Pyramids stand for their finest level.
///
///     counted  = centre inside the description's box_nm, outside every exclude box, inside the truth (and
///                mask) volume, mask not 0
///     SEGMENTATION   labels: id > 0;  prediction: value >= threshold
///     TRUTH          id among `ids`, or any id > 0; may be finer by a whole factor per axis: a voxel is true
///                    where at least half of its cell is (as is MASK)
///
/// Unlike other stages, box_nm is taken to the voxel. SEGMENTATION is labels where its attribute `role` says
/// so or its type is wider than uint8, a prediction where the verb predict made it; another uint8 dataset
/// needs the option `kind`.
///
/// Writes OUT.json: {"scores": [one flat row], "notes": [...]}, schemas/scores.schema.json; OUT.csv (the
/// row), OUT.txt (for people) and OUT.png: the slice with most truth, outlines of truth green, of
/// segmentation magenta, of both white, voxels that do not count darkened. Meaning of the scores, and where
/// they are undefined (null): voxel/score_masks.h. Objects are matched as in tables/match_objects.h, as cut
/// by the counted voxels.
///
/// Distances are those of the sets cut to what is counted. Clipped ones are exact by blocks (halo: the larger
/// of clip distance and tolerance); those not clipped need the whole region in memory and are null, with a
/// note, above 2^27 voxels. Exact: equal for all blocks and workers.
/// Errors: kInvalidArgument for grids that do not fit each other, saying how; where nothing counts.
/// Source: [heinrich2021cosem] and its evaluation code.
std::unique_ptr<blockwise::Stage> make_evaluate_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
