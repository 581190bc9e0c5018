#include "organon/stages/evaluation/score_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/json.h"

namespace organon::stages {
namespace {

// Enough to tell any two runs apart, few enough to read; the same on every machine.
constexpr double kRounding = 1e6;

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string value_text(const ScoreValue& value, const std::string& nothing) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* count = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *count);
  return nothing;
}

}  // namespace

ScoreRow make_score_row(const ScoreParts& parts) {
  ScoreRow row;
  const auto put = [&](const std::string& name, double value) {
    if (std::isfinite(value)) {
      row.emplace_back(name, std::round(value * kRounding) / kRounding);
    } else {
      row.emplace_back(name, std::monostate());
    }
  };
  const auto put_distances = [&](const std::string& ending, const voxel::AgreementSums* sums) {
    const double nothing = std::numeric_limits<double>::quiet_NaN();
    const voxel::DistanceScores scores = sums != nullptr
                                             ? voxel::distance_scores(*sums)
                                             : voxel::DistanceScores{nothing, nothing, nothing, nothing};
    put("mean_false_distance" + ending, scores.mean_false_nm);
    put("mean_false_positive_distance" + ending, scores.mean_false_positive_nm);
    put("mean_false_negative_distance" + ending, scores.mean_false_negative_nm);
    if (ending == "_nm") put("hausdorff_nm", scores.largest_nm);
  };
  const voxel::OverlapScores scores = voxel::overlap_scores(parts.clipped);
  row.emplace_back("class", parts.class_name);
  row.emplace_back("region", parts.region);
  put("f1", scores.f1);
  put("jaccard", scores.jaccard);
  put("precision", scores.precision);
  put("recall", scores.recall);
  put_distances("_nm", parts.whole ? &*parts.whole : nullptr);
  put_distances("_clipped_nm", &parts.clipped);
  put("false_positive_rate", scores.false_positive_rate);
  put("false_negative_rate", scores.false_negative_rate);
  put("false_discovery_rate", scores.false_discovery_rate);
  put("f1_tolerant", scores.f1_tolerant);
  put("precision_tolerant", scores.precision_tolerant);
  put("recall_tolerant", scores.recall_tolerant);
  put("false_positive_rate_tolerant", scores.false_positive_rate_tolerant);
  put("false_negative_rate_tolerant", scores.false_negative_rate_tolerant);
  put("variation_of_information_bits", scores.variation_of_information_bits);
  if (parts.objects) {
    put("objects_f1", parts.objects->f1());
    put("objects_mean_iou", parts.objects->mean_matched_iou());
    row.emplace_back("objects_true_positives", parts.objects->true_positives);
    row.emplace_back("objects_false_positives", parts.objects->false_positives);
    row.emplace_back("objects_false_negatives", parts.objects->false_negatives);
  }
  row.emplace_back("true_positive_voxels", parts.clipped.true_positives);
  row.emplace_back("false_positive_voxels", parts.clipped.positives.voxels);
  row.emplace_back("false_negative_voxels", parts.clipped.negatives.voxels);
  row.emplace_back("true_negative_voxels", parts.clipped.true_negatives);
  row.emplace_back("kind", parts.kind);
  put("threshold", parts.threshold.value_or(std::numeric_limits<double>::quiet_NaN()));
  put("clip_distance_nm", parts.clip_distance_nm);
  put("tolerance_nm", parts.tolerance_nm);
  return row;
}

std::string scores_json(const ScoreRow& row, const std::vector<std::string>& notes,
                        const std::string& provenance_json) {
  Json object = Json::object();
  for (const auto& [name, value] : row) {
    Json& place = object[name];
    if (const auto* text = std::get_if<std::string>(&value)) place = *text;
    if (const auto* number = std::get_if<double>(&value)) place = *number;
    if (const auto* count = std::get_if<std::uint64_t>(&value)) place = *count;
  }
  Json json = {{"scores", Json::array({object})}, {"notes", notes}};
  json["organon"] = parse_json(provenance_json, "provenance");
  return to_text(json);
}

std::string scores_csv(const ScoreRow& row) {
  std::string names;
  std::string values;
  for (const auto& [name, value] : row) {
    const char* separator = names.empty() ? "" : ",";
    names += separator + name;
    values += separator + csv_field(value_text(value, ""));
  }
  return names + "\r\n" + values + "\r\n";
}

std::string scores_text(const ScoreRow& row, const std::vector<std::string>& notes) {
  std::size_t width = 0;
  for (const auto& [name, value] : row) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : row) {
    const auto* number = std::get_if<double>(&value);
    text += fmt::format("{:<{}}  {}\n", name, width,
                        number != nullptr ? fmt::format("{:.4g}", *number) : value_text(value, "-"));
  }
  for (const std::string& note : notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace organon::stages
