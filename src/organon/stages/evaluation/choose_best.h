#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "organon/stages/evaluation/score_records.h"

namespace organon::stages {

/// Which scores are compared.
struct ChoiceQuery {
  std::size_t metric = 0;         ///< place in metrics()
  double threshold = 127;         ///< of predictions; labels have none and always count
  double clip_distance_nm = 200;  ///< of metrics that have it
  double tolerance_nm = 40;       ///< of metrics that have it

  /// Whether the row has the score asked for: defined, not of a refined segmentation, with these parameters.
  bool takes(const ScoredRow& row) const;
  /// As takes(), of refined segmentations; their threshold does not matter.
  bool takes_refined(const ScoredRow& row) const;
  /// Whether the row is of a prediction at this threshold, or of labels that are not refined.
  bool sees(const ScoredRow& row) const;

 private:
  bool has_score(const ScoredRow& row) const;
};

/// A network at one moment of its training, on one kind of raw. In ascending order of preference among
/// equals: the smaller iteration, then the lexically smaller set-up, then raw.
struct Candidate {
  std::int64_t iteration = -1;
  std::string setup;
  std::string raw_dataset;

  // NOLINTNEXTLINE(modernize-use-nullptr): sees a null pointer in what the compiler writes here
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

/// A candidate and the mean of its scores. Scores count in whole millionths, so that the mean does not depend
/// on their order.
struct MeanScore {
  Candidate candidate;
  double score = 0;
  std::size_t num_scores = 0;

  friend bool operator==(const MeanScore&, const MeanScore&) = default;
};

using RowList = std::vector<const ScoredRow*>;

/// Mean score of each candidate over `rows`, of one class and all taken; in the order of candidates.
std::vector<MeanScore> mean_scores(const RowList& rows, const ChoiceQuery& query);
/// The candidate with the best mean, of equals the first; nothing where there is none.
std::optional<MeanScore> best_score(const std::vector<MeanScore>& scores, const ChoiceQuery& query);

/// How good the networks are on one crop of a class: `validation` is chosen on that very crop; `test` is
/// chosen on the crops of all other datasets, then measured on this one.
struct CropChoice {
  std::string dataset;
  std::string crop;
  std::optional<MeanScore> validation;
  std::optional<Candidate> test;     ///< nothing where no other dataset has the class
  std::optional<double> test_score;  ///< nothing where the one chosen was not measured here
};

/// For each crop of `rows`, in order of dataset and crop. Source: [heinrich2021cosem].
std::vector<CropChoice> choose_by_crop(const RowList& rows, const ChoiceQuery& query);

/// When the training of a set-up ends.
struct StopRule {
  std::int64_t step = 0;                   ///< only iterations that are multiples count; 0: all
  std::int64_t must_show_by = 500'000;     ///< a class that no prediction shows by then is given up
  std::int64_t least_iteration = 700'000;  ///< others are trained at least so long
  std::int64_t largest_iteration = 2'000'000;
};

enum class StopReason : std::uint8_t {
  kConverged,  ///< F1 and mean false distance were worse at two checkpoints in a row
  kNotShown,   ///< nothing is above the threshold
  kCap,        ///< the largest iteration
  kNotYet,     ///< none of these so far
};
std::string_view to_string(StopReason reason);

struct Stop {
  StopReason reason = StopReason::kNotYet;
  std::int64_t iteration = -1;  ///< the checkpoint that decided; of kNotYet the last
  /// Later iterations would not have been made; nothing where the training would go on.
  std::optional<std::int64_t> use_up_to;
};

/// F1 and mean false distance of one set-up and class at one checkpoint, each the mean over crops; NaN where
/// it is undefined on all of them.
struct Checkpoint {
  std::int64_t iteration = 0;
  double f1 = 0;
  double mean_false_distance_nm = 0;
};

/// Of rows of one set-up and class, in order of iteration; refined ones and other thresholds left out. Where
/// the distance is not given whole, that clipped stands for it.
std::vector<Checkpoint> checkpoints_of(const RowList& rows, const ChoiceQuery& query);

/// `checkpoints` ascending. Worse at two in a row: with a, b, c successive values, b is worse than a, and c
/// no better than b; undefined is worse than any, and one that stays undefined after a defined one counts,
/// too. Source: [heinrich2021cosem] and its evaluation code.
Stop find_stop(const std::vector<Checkpoint>& checkpoints, const StopRule& rule);

/// One network on one crop before and after refinement, each the mean of its rows.
struct RefinedPair {
  std::string label;
  Candidate candidate;
  std::string dataset;
  std::string crop;
  double prediction_score = 0;
  double refined_score = 0;
};

/// Where both are defined, in the order of the fields.
std::vector<RefinedPair> pair_refined(const std::vector<ScoredRow>& rows, const ChoiceQuery& query);

}  // namespace organon::stages
