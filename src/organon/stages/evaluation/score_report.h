#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "organon/stages/evaluation/score_row.h"
#include "organon/stages/evaluation/score_segmentation.h"
#include "organon/tables/match_objects.h"
#include "organon/tables/variation_of_information.h"
#include "organon/voxel/score_masks.h"

namespace organon::stages {

/// What objects add to a row; NaN where it is undefined or was too large to measure.
struct ObjectScores {
  tables::ObjectMatches matches;
  tables::VariationOfInformation information;
  double mean_hausdorff_nm = std::numeric_limits<double>::quiet_NaN();  ///< of matched pairs
  double hausdorff_score = std::numeric_limits<double>::quiet_NaN();
};

/// What a row is made of.
struct ScoreParts {
  std::string class_name;
  std::string region;
  ScoreKeys keys;
  std::string kind;                 ///< labels or prediction
  std::optional<double> threshold;  ///< of a prediction
  double clip_distance_nm = 0;
  double tolerance_nm = 0;
  double truth_expand_nm = 0;
  voxel::AgreementSums clipped;
  std::optional<voxel::AgreementSums> whole;  ///< distances not clipped
  std::optional<ObjectScores> objects;
};

/// Undefined (NaN) scores become nothing; keys that are not stated are left out.
ScoreRow make_score_row(const ScoreParts& parts);

/// {"scores": [row], "notes": [...]}; nothing becomes null. `provenance_json`: an object put beside them.
std::string scores_json(const ScoreRow& row, const std::vector<std::string>& notes,
                        const std::string& provenance_json);
/// A line of names and a line of values, RFC 4180; nothing becomes an empty field.
std::string scores_csv(const ScoreRow& row);
/// Name and value a line, for people; nothing is shown as "-".
std::string scores_text(const ScoreRow& row, const std::vector<std::string>& notes);

}  // namespace organon::stages
