#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "organon/tables/match_objects.h"
#include "organon/voxel/score_masks.h"

namespace organon::stages {

/// One value of a row of scores; nothing where it is undefined or was not asked for.
using ScoreValue = std::variant<std::monostate, std::string, double, std::uint64_t>;

/// A row of scores: name and value in the order in which they are shown.
using ScoreRow = std::vector<std::pair<std::string, ScoreValue>>;

/// What a row is made of.
struct ScoreParts {
  std::string class_name;
  std::string region;
  std::string kind;                 ///< labels or prediction
  std::optional<double> threshold;  ///< of a prediction
  double clip_distance_nm = 0;
  double tolerance_nm = 0;
  voxel::AgreementSums clipped;
  std::optional<voxel::AgreementSums> whole;  ///< distances not clipped
  std::optional<tables::ObjectMatches> objects;
};

/// Undefined (NaN) scores become nothing.
ScoreRow make_score_row(const ScoreParts& parts);

/// {"scores": [row], "notes": [...]}; nothing becomes null. `provenance_json`: an object put beside them.
std::string scores_json(const ScoreRow& row, const std::vector<std::string>& notes,
                        const std::string& provenance_json);
/// A line of names and a line of values, RFC 4180; nothing becomes an empty field.
std::string scores_csv(const ScoreRow& row);
/// Name and value a line, for people; nothing is shown as "-".
std::string scores_text(const ScoreRow& row, const std::vector<std::string>& notes);

}  // namespace organon::stages
