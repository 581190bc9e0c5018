#include "organon/stages/evaluation/score_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/json.h"

namespace organon::stages {
namespace {

void put_keys(ScoreRow& row, const ScoreKeys& keys) {
  const auto put_text = [&](const char* name, const std::string& text) {
    if (!text.empty()) row.emplace_back(name, text);
  };
  put_text("dataset", keys.dataset);
  put_text("crop", keys.crop);
  put_text("setup", keys.setup);
  put_text("family", keys.family);
  if (keys.iteration >= 0) row.emplace_back("iteration", static_cast<std::uint64_t>(keys.iteration));
  put_text("path", keys.path);
  put_text("raw_dataset", keys.raw_dataset);
  if (keys.raw_voxel_size_nm > 0) row.emplace_back("raw_voxel_size_nm", keys.raw_voxel_size_nm);
  if (keys.refined) row.emplace_back("refined", std::uint64_t{1});
}

}  // namespace

ScoreRow make_score_row(const ScoreParts& parts) {
  ScoreRow row;
  const auto put = [&](const std::string& name, double value) { put_number(row, name, value); };
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
    const tables::ObjectMatches& matches = parts.objects->matches;
    put("objects_f1", matches.f1());
    put("objects_mean_iou", matches.mean_matched_iou());
    row.emplace_back("objects_true_positives", matches.true_positives);
    row.emplace_back("objects_false_positives", matches.false_positives);
    row.emplace_back("objects_false_negatives", matches.false_negatives);
    put("objects_variation_of_information_bits", parts.objects->information.sum_bits());
    put("objects_split_bits", parts.objects->information.split_bits);
    put("objects_merge_bits", parts.objects->information.merge_bits);
    put("objects_mean_hausdorff_nm", parts.objects->mean_hausdorff_nm);
    put("objects_hausdorff_score", parts.objects->hausdorff_score);
    put("objects_combined_score", std::sqrt(matches.f1() * parts.objects->hausdorff_score));
  }
  row.emplace_back("true_positive_voxels", parts.clipped.true_positives);
  row.emplace_back("false_positive_voxels", parts.clipped.positives.voxels);
  row.emplace_back("false_negative_voxels", parts.clipped.negatives.voxels);
  row.emplace_back("true_negative_voxels", parts.clipped.true_negatives);
  row.emplace_back("kind", parts.kind);
  put("threshold", parts.threshold.value_or(std::numeric_limits<double>::quiet_NaN()));
  put("clip_distance_nm", parts.clip_distance_nm);
  put("tolerance_nm", parts.tolerance_nm);
  if (parts.truth_expand_nm > 0) put("truth_expand_nm", parts.truth_expand_nm);
  put_keys(row, parts.keys);
  return row;
}

std::string scores_json(const ScoreRow& row, const std::vector<std::string>& notes,
                        const std::string& provenance_json) {
  Json json = {{"scores", Json::array({row_json(row)})}, {"notes", notes}};
  json["organon"] = parse_json(provenance_json, "provenance");
  return to_text(json);
}

std::string scores_csv(const ScoreRow& row) { return rows_csv({&row, 1}); }

std::string scores_text(const ScoreRow& row, const std::vector<std::string>& notes) {
  std::size_t width = 0;
  for (const auto& [name, value] : row) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : row) text += fmt::format("{:<{}}  {}\n", name, width, shown(value));
  for (const std::string& note : notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace organon::stages
