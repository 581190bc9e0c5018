#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// What a row is known by among others, so that `choose` can compare networks. Stored in the row where it is
/// stated, and used by nothing else here.
struct ScoreKeys {
  std::string dataset;           ///< the cell
  std::string crop;              ///< which of its annotated crops
  std::string setup;             ///< the network's set-up
  std::string family;            ///< of set-ups: all, many or few classes in one network
  std::int64_t iteration = -1;   ///< of the training; -1: none
  std::string path;              ///< where the prediction lies
  std::string raw_dataset;       ///< what it was made from
  double raw_voxel_size_nm = 0;  ///< that the network was made for; 0: not stated
  bool refined = false;          ///< SEGMENTATION is what refinement made of the prediction
};

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
  double truth_expand_nm = 0;
  bool instances = false;
  std::string raw;
  ScoreKeys keys;

  void bind(OptionTable& table);
};

/// Compares SEGMENTATION with TRUTH where MASK (optional) is not 0, on the voxels of the segmentation.
/// Pyramids stand for their finest level.
///
///     counted  = centre inside the description's box_nm, outside every exclude box, inside the truth (and
///                mask) volume, mask not 0
///     SEGMENTATION   labels: id > 0;  prediction: value >= threshold
///     TRUTH          id among `ids`, or any id > 0; may be finer by a whole factor per axis: a voxel is true
///                    where at least half of its cell is (as is MASK). On its own voxels it is first expanded
///                    by truth_expand_nm: true is what lies within that distance of a true voxel's centre,
///                    which is where the signed distance of training targets plus the constant is at least 0.
///                    The paper expands ribosomes by 8 nm, centrosomes by 2 nm.
///
/// Cytosol has no network: predicted is what no class but ribosomes claims. `restrict CELL CLASSES... OUT`
/// with keep=outside makes it, CELL being a mask of the whole cell; its truth is ids=35, or 34+35 with the
/// ribosomes that the predicted one holds, too.
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
/// of clip distance and tolerance; truth is read with truth_expand_nm around that); those not clipped need
/// the whole region in memory and are null, with a note, above 2^27 voxels. Exact: equal for all blocks and
/// workers. Errors: kInvalidArgument for grids that do not fit each other, saying how; where nothing counts.
/// Source: [heinrich2021cosem] and its evaluation code.
std::unique_ptr<blockwise::Stage> make_evaluate_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
