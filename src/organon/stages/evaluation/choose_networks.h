#pragma once

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/evaluation/choose_best.h"

namespace organon::stages {

/// Many scores -> which network, at which moment of its training, for which class.
struct ChooseOptions {
  std::string metric = "f1";
  double threshold = 127;
  double clip_distance_nm = 200;
  double tolerance_nm = 40;
  bool until_stop = false;
  StopRule stop;

  void bind(OptionTable& table);
  /// Errors: kInvalidArgument for an unknown metric.
  ChoiceQuery query() const;
};

/// Inputs: files of scores as `evaluate` writes them, and folders that hold such files at any depth. Output:
/// a folder with
///
///     scores.sqlite, .csv     the store: one record per score, with its keys (score_records.h); in the
///                             database the table `scores`
///     choice.json, .txt       all answers, schemas/choice.schema.json; the main ones for people
///     best_iterations.csv     per class and set-up the best iteration
///     best_setups.csv         per group and class the best set-up over all crops, and the means of what is
///                             chosen crop by crop
///     validation_test.csv     per group, class and crop: chosen on this very crop (validation), and chosen
///                             on the crops of all other datasets (test)
///     stops.csv               per class and set-up: where its training would have been stopped, and why
///     refined.csv             predictions against refined segmentations of the same keys
///     best.svg                per class what is chosen, validation and test, with each crop, as the paper's
///                             Figure 2a
///     families.svg            per class the best of each family of set-ups, as its Figure 4c; and
///     voxel_sizes.svg         of each voxel size of raw: where rows state two of them or more
///     comparisons.svg         families of set-ups, and voxel sizes, against each other, a point per class;
///                             refined against predicted, where there are both
///     iterations.svg          per class the score of each set-up over its training, then F1 and mean false
///                             distance, as far as they are others, as its Extended Data Figure 3
///
/// A score is a mean over crops, undefined ones left out; equal ones go to the smaller iteration, then to the
/// lexically smaller set-up. Choices are made among predictions (and labels) that are not refined. Groups:
/// any network, each family, each voxel size of raw, each of both together, as far as rows state them.
///
/// One solve, exact. Cost: 10^6 records (50,000 rows of 20 scores, 57 MB) take 7 s and 1.2 GB, 10^6 rows of
/// one score (373 MB) a minute and 2.2 GB, on one core of a busy machine. Errors: kNotFound; kInvalidArgument
/// where no input holds a file of scores, or two rows give one score; kCorruptData as parse_scores(). Source:
/// [heinrich2021cosem] and its evaluation code.
std::unique_ptr<blockwise::Stage> make_choose_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
