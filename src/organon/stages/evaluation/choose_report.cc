#include "organon/stages/evaluation/choose_report.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "organon/base/json.h"

namespace organon::stages {
namespace {

// Family and voxel size of raw; empty and 0: any. In this order, any network comes first.
using GroupKey = std::pair<std::string, double>;

std::set<GroupKey> groups_of(const ScoredRow& row) {
  return {{"", 0}, {row.family, 0}, {"", row.raw_voxel_size_nm}, {row.family, row.raw_voxel_size_nm}};
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? ScoredRow::kNothing : sum / static_cast<double>(values.size());
}

void put_count(ScoreRow& row, const std::string& name, std::size_t count) {
  row.emplace_back(name, static_cast<std::uint64_t>(count));
}

void put_iteration(ScoreRow& row, const std::string& name, std::optional<std::int64_t> iteration) {
  if (iteration && *iteration >= 0) {
    row.emplace_back(name, static_cast<std::uint64_t>(*iteration));
  } else {
    row.emplace_back(name, std::monostate());
  }
}

void put_candidate(ScoreRow& row, const std::string& prefix, const Candidate* candidate) {
  if (candidate == nullptr) {
    for (const char* name : {"setup", "iteration", "raw_dataset"})
      row.emplace_back(prefix + name, std::monostate());
    return;
  }
  row.emplace_back(prefix + "setup", candidate->setup);
  put_iteration(row, prefix + "iteration", candidate->iteration);
  row.emplace_back(prefix + "raw_dataset", candidate->raw_dataset);
}

std::vector<ScoreRow> iteration_rows(const Choice& choice) {
  std::vector<ScoreRow> rows;
  for (const SetupChoice& setup : choice.setups) {
    if (!setup.best) continue;
    ScoreRow& row = rows.emplace_back();
    row.emplace_back("class", setup.label);
    put_candidate(row, "", &setup.best->candidate);
    put_number(row, "score", setup.best->score);
    put_count(row, "num_scores", setup.best->num_scores);
  }
  return rows;
}

std::vector<ScoreRow> setup_rows(const ChoiceGroup& group) {
  std::vector<ScoreRow> rows;
  for (const ClassChoice& chosen : group.classes) {
    ScoreRow& row = rows.emplace_back();
    row.emplace_back("group", group.name());
    row.emplace_back("class", chosen.label);
    put_candidate(row, "", &chosen.best.candidate);
    put_number(row, "score", chosen.best.score);
    put_count(row, "num_scores", chosen.best.num_scores);
    put_count(row, "num_crops", chosen.crops.size());
    put_number(row, "validation_score", chosen.validation());
    put_number(row, "test_score", chosen.test());
  }
  return rows;
}

std::vector<ScoreRow> crop_rows(const ChoiceGroup& group) {
  std::vector<ScoreRow> rows;
  for (const ClassChoice& chosen : group.classes) {
    for (const CropChoice& crop : chosen.crops) {
      ScoreRow& row = rows.emplace_back();
      row.emplace_back("group", group.name());
      row.emplace_back("class", chosen.label);
      row.emplace_back("dataset", crop.dataset);
      row.emplace_back("crop", crop.crop);
      put_candidate(row, "validation_", crop.validation ? &crop.validation->candidate : nullptr);
      put_number(row, "validation_score", crop.validation ? crop.validation->score : ScoredRow::kNothing);
      put_candidate(row, "test_", crop.test ? &*crop.test : nullptr);
      put_number(row, "test_score", crop.test_score.value_or(ScoredRow::kNothing));
    }
  }
  return rows;
}

std::vector<ScoreRow> stop_rows(const Choice& choice) {
  std::vector<ScoreRow> rows;
  for (const SetupChoice& setup : choice.setups) {
    ScoreRow& row = rows.emplace_back();
    row.emplace_back("class", setup.label);
    row.emplace_back("setup", setup.setup);
    put_count(row, "num_checkpoints", setup.checkpoints.size());
    row.emplace_back("reason", std::string(to_string(setup.stop.reason)));
    put_iteration(row, "stop_iteration", setup.stop.iteration);
    put_iteration(row, "use_up_to", setup.stop.use_up_to);
  }
  return rows;
}

std::vector<ScoreRow> refined_rows(const Choice& choice, bool higher_is_better) {
  std::vector<ScoreRow> rows;
  for (const RefinedPair& pair : choice.refined) {
    ScoreRow& row = rows.emplace_back();
    row.emplace_back("class", pair.label);
    put_candidate(row, "", &pair.candidate);
    row.emplace_back("dataset", pair.dataset);
    row.emplace_back("crop", pair.crop);
    put_number(row, "prediction_score", pair.prediction_score);
    put_number(row, "refined_score", pair.refined_score);
    const double gain = pair.refined_score - pair.prediction_score;
    put_number(row, "improvement", higher_is_better ? gain : -gain);
  }
  return rows;
}

Json rows_as_json(const std::vector<ScoreRow>& rows) {
  Json list = Json::array();
  for (const ScoreRow& row : rows) list.push_back(row_json(row));
  return list;
}

std::string choice_text(const ChooseOptions& options, const std::vector<std::string>& notes,
                        const std::vector<ScoreRow>& best, const std::vector<ScoreRow>& stops,
                        const std::vector<ScoreRow>& refined) {
  const Metric& metric = metrics()[options.query().metric];
  std::string text = fmt::format("{}: {} is better; predictions at threshold {}\n", metric.title,
                                 metric.higher_is_better ? "higher" : "lower", options.threshold);
  for (const std::string& note : notes) text += "note: " + note + "\n";
  const auto add = [&](const std::string& title, const std::vector<ScoreRow>& rows) {
    if (!rows.empty()) text += "\n" + title + "\n\n" + rows_text(rows);
  };
  add("The best network of each class. score: mean over its crops; validation: mean over crops of what is "
      "best "
      "on each;\ntest: of what is best on the crops of all other datasets",
      best);
  add("Where the training of each set-up would have been stopped", stops);
  add("Predictions and their refined segmentations", refined);
  return text;
}

}  // namespace

double ClassChoice::validation() const {
  std::vector<double> values;
  for (const CropChoice& crop : crops)
    if (crop.validation) values.push_back(crop.validation->score);
  return mean(values);
}

double ClassChoice::test() const {
  std::vector<double> values;
  for (const CropChoice& crop : crops)
    if (crop.test_score) values.push_back(*crop.test_score);
  return mean(values);
}

std::string ChoiceGroup::name() const {
  const std::string size = fmt::format("{} nm", raw_voxel_size_nm);
  if (raw_voxel_size_nm == 0) return family.empty() ? "any" : family;
  return family.empty() ? size : family + ", " + size;
}

Choice choose_networks(const std::vector<ScoredRow>& rows, const ChooseOptions& options) {
  const ChoiceQuery query = options.query();
  Choice choice;
  std::map<std::pair<std::string, std::string>, RowList> by_setup;  // class and set-up
  for (const ScoredRow& row : rows)
    if (query.sees(row)) by_setup[{row.label, row.setup}].push_back(&row);
  std::map<std::pair<std::string, std::string>, std::int64_t> last_used;
  for (const auto& [key, seen] : by_setup) {
    SetupChoice& setup = choice.setups.emplace_back();
    std::tie(setup.label, setup.setup) = key;
    setup.checkpoints = checkpoints_of(seen, query);
    setup.stop = find_stop(setup.checkpoints, options.stop);
    if (options.until_stop && setup.stop.use_up_to) last_used[key] = *setup.stop.use_up_to;
    RowList taken;
    for (const ScoredRow* row : seen)
      if (query.takes(*row) && (!last_used.contains(key) || row->iteration <= last_used[key]))
        taken.push_back(row);
    setup.scores = mean_scores(taken, query);
    setup.best = best_score(setup.scores, query);
  }
  std::map<GroupKey, std::map<std::string, RowList>> groups{{{"", 0}, {}}};
  for (const ScoredRow& row : rows) {
    if (!query.takes(row)) continue;
    const auto last = last_used.find({row.label, row.setup});
    if (last != last_used.end() && row.iteration > last->second) continue;
    for (const GroupKey& group : groups_of(row)) groups[group][row.label].push_back(&row);
  }
  for (const auto& [key, classes] : groups) {
    ChoiceGroup& group = choice.groups.emplace_back(ChoiceGroup{key.first, key.second, {}});
    for (const auto& [label, used] : classes)
      group.classes.push_back(
          {label, *best_score(mean_scores(used, query), query), choose_by_crop(used, query)});
  }
  choice.refined = pair_refined(rows, query);
  return choice;
}

std::vector<NamedText> choice_files(const Choice& choice, const ChooseOptions& options,
                                    const std::vector<std::string>& notes) {
  const Metric& metric = metrics()[options.query().metric];
  std::vector<ScoreRow> setups;
  std::vector<ScoreRow> crops;
  for (const ChoiceGroup& group : choice.groups) {
    for (ScoreRow& row : setup_rows(group)) setups.push_back(std::move(row));
    for (ScoreRow& row : crop_rows(group)) crops.push_back(std::move(row));
  }
  const std::vector<ScoreRow> iterations = iteration_rows(choice);
  const std::vector<ScoreRow> stops = stop_rows(choice);
  const std::vector<ScoreRow> refined = refined_rows(choice, metric.higher_is_better);
  const Json json = {{"metric", metric.name},
                     {"higher_is_better", metric.higher_is_better},
                     {"notes", notes},
                     {"best_iterations", rows_as_json(iterations)},
                     {"best_setups", rows_as_json(setups)},
                     {"validation_test", rows_as_json(crops)},
                     {"stops", rows_as_json(stops)},
                     {"refined", rows_as_json(refined)},
                     {"organon",
                      {{"version", ORGANON_VERSION},
                       {"verb", "choose"},
                       {"options", parse_json(options_to_json(options), "options")}}}};
  return {{"best_iterations.csv", rows_csv(iterations)},
          {"best_setups.csv", rows_csv(setups)},
          {"validation_test.csv", rows_csv(crops)},
          {"stops.csv", rows_csv(stops)},
          {"refined.csv", rows_csv(refined)},
          {"choice.txt", choice_text(options, notes, setup_rows(choice.groups.front()), stops, refined)},
          {"choice.json", to_text(json)}};
}

}  // namespace organon::stages
