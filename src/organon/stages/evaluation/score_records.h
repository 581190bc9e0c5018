#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/tables/object_table.h"

namespace organon::stages {

/// What a score depends on besides the sets of voxels.
enum class MetricParameter : std::uint8_t { kNone, kClipDistance, kTolerance };

/// A column of a row of scores that can be compared between networks.
struct Metric {
  std::string_view name;
  bool higher_is_better = true;
  MetricParameter parameter = MetricParameter::kNone;
  std::string_view title;  ///< for people, with its unit
};

/// All of them, in the order in which rows show them.
std::span<const Metric> metrics();
/// Place in metrics(). Errors: kInvalidArgument with the nearest name.
std::size_t metric_index(std::string_view name);

/// One row of scores with the keys that it is known by (ScoreKeys); a key that is not stated is empty.
struct ScoredRow {
  std::string file;  ///< where it was read
  std::string path;
  std::string dataset;
  std::string setup;
  std::string family;
  std::string label;  ///< the class
  std::string crop;   ///< where it is not stated the region, unless that is "all"
  std::string raw_dataset;
  std::int64_t iteration = -1;
  double threshold = kNothing;         ///< of a prediction; NaN: labels
  double raw_voxel_size_nm = 0;        ///< 0: not stated
  double clip_distance_nm = kNothing;  ///< NaN: not stated
  double tolerance_nm = kNothing;      ///< NaN: not stated
  bool refined = false;
  /// Per metric: nothing where the row has no such column, NaN where the score is undefined.
  std::vector<std::optional<double>> values;

  static constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

  double value(std::size_t metric) const { return values[metric].value_or(kNothing); }
  /// The parameter of a metric; NaN where it has none or it is not stated.
  double parameter(std::size_t metric) const;
};

/// The rows of a file of scores (schemas/scores.schema.json); nothing where `text` is JSON of another kind.
/// Columns that are no metrics are left out. Errors: kCorruptData naming `where`, row and column: no JSON, no
/// class, text where a number should be, a number below 0 or above 10^6.
std::optional<std::vector<ScoredRow>> parse_scores(std::string_view text, std::string_view where);

/// What a folder holds.
struct GatheredScores {
  std::vector<ScoredRow> rows;       ///< by file, then as in the file
  std::size_t num_files = 0;         ///< that hold scores
  std::vector<std::string> skipped;  ///< .json files in folders that hold none, in order
};

/// Files of scores: `inputs` themselves, and all .json in those that are folders, at any depth, in order of
/// their paths; hidden ones and what links lead to are left out.
/// Errors: kNotFound.
std::vector<std::filesystem::path> list_score_files(const std::vector<std::string>& inputs);

/// Reads them. A file that holds no scores is an error if it is an input itself, else it is skipped.
/// Errors: as parse_scores(); kInvalidArgument where there is no row, and naming both files where two rows
/// give one score twice: all but its value is equal; kResourceExhausted above 8 * 10^6 rows.
/// Cost: about 1 KiB a row.
GatheredScores gather_scores(const std::vector<std::string>& inputs);

/// The store: one record per row and metric that it has, keyed by a number from 1. Columns: path, dataset,
/// setup, iteration (-1: none), label, crop, threshold, metric, metric_params (a JSON object), value,
/// raw_dataset, refined (0 or 1). Source: [heinrich2021cosem] (the columns of its evaluation database).
/// Cost: about 500 bytes a record.
ObjectTable records_of(const std::vector<ScoredRow>& rows);

}  // namespace organon::stages
