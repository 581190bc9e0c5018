#include "organon/stages/evaluation/choose_best.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "organon/base/check.h"

namespace organon::stages {
namespace {

constexpr double kMillion = 1e6;

// A sum of scores in millionths.
struct Sum {
  std::int64_t millionths = 0;
  std::int64_t count = 0;

  void add(double score) {
    millionths += std::llround(score * kMillion);
    ++count;
  }
  Sum without(const Sum& part) const { return {millionths - part.millionths, count - part.count}; }
  double mean() const { return static_cast<double>(millionths) / static_cast<double>(count) / kMillion; }
};

using Sums = std::map<Candidate, Sum>;

Candidate candidate_of(const ScoredRow& row) { return {row.iteration, row.setup, row.raw_dataset}; }

std::vector<MeanScore> means_of(const Sums& sums) {
  std::vector<MeanScore> means;
  for (const auto& [candidate, sum] : sums)
    if (sum.count > 0) means.push_back({candidate, sum.mean(), static_cast<std::size_t>(sum.count)});
  return means;
}

// Undefined is worse than any score.
bool is_worse(double score, double than, bool higher_is_better) {
  if (std::isnan(than)) return false;
  if (std::isnan(score)) return true;
  return higher_is_better ? score < than : score > than;
}

// Whether c and b tell of a decline after a.
bool declines(double a, double b, double c, bool higher_is_better) {
  return is_worse(b, a, higher_is_better) && !is_worse(b, c, higher_is_better);
}

}  // namespace

bool ChoiceQuery::has_score(const ScoredRow& row) const {
  if (std::isnan(row.value(metric))) return false;
  const double parameter = row.parameter(metric);
  if (std::isnan(parameter)) return true;
  const bool is_clipped = metrics()[metric].parameter == MetricParameter::kClipDistance;
  return parameter == (is_clipped ? clip_distance_nm : tolerance_nm);
}

bool ChoiceQuery::sees(const ScoredRow& row) const {
  return !row.refined && (std::isnan(row.threshold) || row.threshold == threshold);
}

bool ChoiceQuery::takes(const ScoredRow& row) const { return sees(row) && has_score(row); }

bool ChoiceQuery::takes_refined(const ScoredRow& row) const { return row.refined && has_score(row); }

std::vector<MeanScore> mean_scores(const RowList& rows, const ChoiceQuery& query) {
  Sums sums;
  for (const ScoredRow* row : rows) sums[candidate_of(*row)].add(row->value(query.metric));
  return means_of(sums);
}

std::optional<MeanScore> best_score(const std::vector<MeanScore>& scores, const ChoiceQuery& query) {
  const bool higher_is_better = metrics()[query.metric].higher_is_better;
  std::optional<MeanScore> best;
  for (const MeanScore& score : scores) {
    const bool is_better = !best || is_worse(best->score, score.score, higher_is_better) ||
                           (best->score == score.score && score.candidate < best->candidate);
    if (is_better) best = score;
  }
  return best;
}

std::vector<CropChoice> choose_by_crop(const RowList& rows, const ChoiceQuery& query) {
  Sums all;
  std::map<std::string, Sums> by_dataset;
  std::map<std::pair<std::string, std::string>, Sums> by_crop;
  for (const ScoredRow* row : rows) {
    const Candidate candidate = candidate_of(*row);
    const double score = row->value(query.metric);
    all[candidate].add(score);
    by_dataset[row->dataset][candidate].add(score);
    by_crop[{row->dataset, row->crop}][candidate].add(score);
  }
  std::map<std::string, std::optional<MeanScore>> chosen_elsewhere;
  for (const auto& [dataset, own] : by_dataset) {
    Sums others = all;
    for (const auto& [candidate, sum] : own) others[candidate] = others[candidate].without(sum);
    chosen_elsewhere[dataset] = best_score(means_of(others), query);
  }
  std::vector<CropChoice> choices;
  for (const auto& [place, sums] : by_crop) {
    CropChoice choice;
    std::tie(choice.dataset, choice.crop) = place;
    choice.validation = best_score(means_of(sums), query);
    if (const auto& elsewhere = chosen_elsewhere.at(choice.dataset)) {
      choice.test = elsewhere->candidate;
      if (const auto own = sums.find(elsewhere->candidate); own != sums.end())
        choice.test_score = own->second.mean();
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

std::vector<Checkpoint> checkpoints_of(const RowList& rows, const ChoiceQuery& query) {
  const std::size_t f1 = metric_index("f1");
  const std::size_t whole = metric_index("mean_false_distance_nm");
  const std::size_t clipped = metric_index("mean_false_distance_clipped_nm");
  std::map<std::int64_t, std::pair<Sum, Sum>> sums;
  for (const ScoredRow* row : rows) {
    if (!query.sees(*row)) continue;
    auto& [f1_sum, distance_sum] = sums[row->iteration];
    if (!std::isnan(row->value(f1))) f1_sum.add(row->value(f1));
    const double distance = std::isnan(row->value(whole)) ? row->value(clipped) : row->value(whole);
    if (!std::isnan(distance)) distance_sum.add(distance);
  }
  std::vector<Checkpoint> checkpoints;
  const auto mean = [](const Sum& sum) { return sum.count > 0 ? sum.mean() : ScoredRow::kNothing; };
  for (const auto& [iteration, pair] : sums)
    checkpoints.push_back({iteration, mean(pair.first), mean(pair.second)});
  return checkpoints;
}

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kConverged:
      return "converged";
    case StopReason::kNotShown:
      return "nothing above threshold";
    case StopReason::kCap:
      return "cap";
    case StopReason::kNotYet:
      break;
  }
  return "not yet";
}

Stop find_stop(const std::vector<Checkpoint>& all, const StopRule& rule) {
  std::vector<Checkpoint> checkpoints;
  for (const Checkpoint& checkpoint : all) {
    const bool counts =
        checkpoint.iteration >= 0 && (rule.step == 0 || checkpoint.iteration % rule.step == 0);
    if (!counts) continue;
    ORGANON_CHECK(checkpoints.empty() || checkpoints.back().iteration < checkpoint.iteration);
    checkpoints.push_back(checkpoint);
  }
  if (checkpoints.empty()) return {};
  const auto shows = [](const Checkpoint& c) { return !std::isnan(c.mean_false_distance_nm); };
  const auto late = std::find_if(checkpoints.begin(), checkpoints.end(),
                                 [&](const Checkpoint& c) { return c.iteration >= rule.must_show_by; });
  const bool is_shown = std::any_of(checkpoints.begin(), checkpoints.end(), [&](const Checkpoint& c) {
    return c.iteration <= rule.must_show_by && shows(c);
  });
  if (late != checkpoints.end() && !is_shown)
    return {StopReason::kNotShown, late->iteration, rule.must_show_by};
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    const Checkpoint& c = checkpoints[i];
    if (c.iteration > rule.largest_iteration) break;
    if (i >= 2) {
      const Checkpoint& a = checkpoints[i - 2];
      const Checkpoint& b = checkpoints[i - 1];
      if (declines(a.f1, b.f1, c.f1, true) &&
          declines(a.mean_false_distance_nm, b.mean_false_distance_nm, c.mean_false_distance_nm, false))
        return {StopReason::kConverged, c.iteration, std::max(c.iteration, rule.least_iteration)};
    }
  }
  if (checkpoints.back().iteration >= rule.largest_iteration)
    return {StopReason::kCap, rule.largest_iteration, rule.largest_iteration};
  return {StopReason::kNotYet, checkpoints.back().iteration, std::nullopt};
}

std::vector<RefinedPair> pair_refined(const std::vector<ScoredRow>& rows, const ChoiceQuery& query) {
  using Key = std::tuple<std::string, Candidate, std::string, std::string>;
  std::map<Key, std::pair<Sum, Sum>> sums;
  const auto key_of = [](const ScoredRow& row) {
    return Key(row.label, candidate_of(row), row.dataset, row.crop);
  };
  for (const ScoredRow& row : rows)
    if (query.takes_refined(row)) sums[key_of(row)].second.add(row.value(query.metric));
  for (const ScoredRow& row : rows) {
    if (!query.takes(row)) continue;
    if (const auto at = sums.find(key_of(row)); at != sums.end())
      at->second.first.add(row.value(query.metric));
  }
  std::vector<RefinedPair> pairs;
  for (const auto& [key, pair] : sums) {
    if (pair.first.count == 0) continue;
    const auto& [label, candidate, dataset, crop] = key;
    pairs.push_back({label, candidate, dataset, crop, pair.first.mean(), pair.second.mean()});
  }
  return pairs;
}

}  // namespace organon::stages
