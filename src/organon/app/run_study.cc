#include "organon/app/run_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <thread>

#include "organon/app/cell_status.h"
#include "organon/app/plan_cell.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/json.h"

namespace organon::app {
namespace {

// Of a study, in the order in which one needs the other.
constexpr std::array<std::string_view, 5> kVerbs = {"targets", "train", "predict", "evaluate_classes",
                                                    "choose"};

// Empty: the last.
std::size_t place_of_verb(const std::string& verb) {
  if (verb.empty()) return kVerbs.size() - 1;
  const auto found = std::find(kVerbs.begin(), kVerbs.end(), verb == "evaluate" ? "evaluate_classes" : verb);
  if (found != kVerbs.end()) return static_cast<std::size_t>(found - kVerbs.begin());
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("--until {}: a study has no such stage, but targets, train, predict, evaluate, choose",
                  verb));
}

// Tells of each stage which of how many it is.
class CountedProgress : public Progress {
 public:
  CountedProgress(Progress& inner, std::size_t total) : inner_(inner), total_(total) {}
  void next(std::size_t number, const std::string& title) {
    prefix_ = fmt::format("[{}/{}] {}", number + 1, total_, title);
  }
  void start(const std::string& what, std::int64_t total, const std::string& unit) override {
    // What a step calls itself follows the stage's own title.
    const std::size_t colon = what.find(": ");
    inner_.start(prefix_ + (colon == std::string::npos ? "" : what.substr(colon)), total, unit);
  }
  void update(std::int64_t done, const std::string& note) override { inner_.update(done, note); }
  void finish(const std::string& summary) override { inner_.finish(summary); }
  void warn(const std::string& message) override { inner_.warn(message); }

 private:
  Progress& inner_;
  std::size_t total_;
  std::string prefix_;
};

bool needs_any(const StudyStage& stage, const std::vector<bool>& marked) {
  return std::any_of(stage.needs.begin(), stage.needs.end(), [&](std::size_t need) { return marked[need]; });
}

// What all stages of a verb of a set-up take together.
struct PlanRow {
  std::string setup;
  std::string verb;
  std::size_t num_stages = 0;
  std::size_t num_complete = 0;
  std::int64_t bytes_per_worker = 0;
  double seconds = 0;
};

std::string name_of_setup(const std::string& setup) { return setup.empty() ? "(study)" : setup; }

std::vector<PlanRow> plan_rows(const std::vector<StudyStage>& stages,
                               const std::vector<StudyStage>& stand_ins, const ExecutionOptions& options) {
  const int workers =
      options.workers > 0 ? options.workers : static_cast<int>(std::thread::hardware_concurrency());
  std::vector<PlanRow> rows;
  std::vector<bool> to_do(stages.size(), false);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& [description, setup, title, needs] = stages[i];
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&, &name = setup, &verb = description.verb](const PlanRow& one) {
                              return one.setup == name && one.verb == verb;
                            });
    if (row == rows.end()) {
      rows.push_back({setup, description.verb});
      row = std::prev(rows.end());
    }
    ++row->num_stages;
    const auto stand_in = make_stage(stand_ins[i].description);
    if (i + 1 < stages.size()) stand_in->stand_in_for_outputs();
    const bool has_all_inputs = !needs_any(stages[i], to_do);
    const blockwise::RunFolder run(blockwise::run_folder_of(description.outputs.front()));
    if (has_all_inputs && !options.force && blockwise::is_complete(description, make_stage, run)) {
      ++row->num_complete;
      continue;
    }
    to_do[i] = true;
    for (const auto& line :
         blockwise::plan_stage(has_all_inputs ? *make_stage(description) : *stand_in, workers)) {
      row->bytes_per_worker = std::max(row->bytes_per_worker, line.bytes_per_worker);
      row->seconds += line.seconds;
    }
  }
  return rows;
}

void print_study_plan(const config::StudyConfig& study, const ExecutionOptions& options) {
  const TemporaryFolder temporary;
  const StudyStages stages(study, study.folder);
  const StudyStages stand_ins(study, temporary.path());
  const std::vector<PlanRow> rows = plan_rows(stages.stages(), stand_ins.stages(), options);
  double seconds = 0;
  if (!options.json)
    fmt::print(stderr, "{:<16} {:<17} {:>7} {:>9} {:>11} {:>9}\n", "set-up", "verb", "stages", "complete",
               "per worker", "time");
  for (const PlanRow& row : rows) {
    seconds += row.seconds;
    if (options.json) {
      fmt::print("{}\n", Json({{"setup", row.setup},
                               {"verb", row.verb},
                               {"stages", row.num_stages},
                               {"complete", row.num_complete},
                               {"bytes_per_worker", row.bytes_per_worker},
                               {"seconds", row.seconds}})
                             .dump());
      continue;
    }
    fmt::print(stderr, "{:<16} {:<17} {:>7} {:>9} {:>11} {:>9}\n", name_of_setup(row.setup), row.verb,
               row.num_stages, row.num_complete, bytes_text(static_cast<double>(row.bytes_per_worker)),
               clock_text(row.seconds));
  }
  if (!options.json)
    fmt::print(stderr, "{} stages, about {} in all, by typical rates\n", stages.stages().size(),
               clock_text(seconds));
}

}  // namespace

namespace {

// True where it fails; that does not end the study. Errors: kCancelled.
bool fails(const StudyStage& stage, const ExecutionOptions& execution, Progress& progress) {
  try {
    return execute_stage(stage.description, execution, progress) != 0;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    progress.warn(fmt::format("{}: {}", stage.title, error.message()));
    return true;
  }
}

}  // namespace

blockwise::RunFolder run_of_study(const config::StudyConfig& study) {
  return blockwise::RunFolder(study.folder / ".organon" / "studies" / study.name);
}

int run_study_command(const RunCellArguments& arguments) {
  const config::StudyConfig study = config::read_study_config(arguments.config_path);
  if (arguments.execution.dry_run) {
    print_study_plan(study, arguments.execution);
    return 0;
  }
  const StudyStages study_stages(study, study.folder);
  const std::vector<StudyStage>& stages = study_stages.stages();
  const std::size_t last_verb = place_of_verb(arguments.until);
  const blockwise::RunLock lock(run_of_study(study).path());
  const std::unique_ptr<Progress> inner = make_progress(arguments.execution.json);
  CountedProgress progress(*inner, stages.size());
  ExecutionOptions execution = arguments.execution;
  execution.is_quiet = true;
  {
    // What a stage would refuse is told before anything is learned.
    const TemporaryFolder temporary;
    plan_rows(stages, StudyStages(study, temporary.path()).stages(), execution);
  }
  std::vector<bool> has_failed(stages.size(), false);
  std::size_t num_failed = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (place_of_verb(stages[i].description.verb) > last_verb) continue;
    progress.next(i, stages[i].title);
    has_failed[i] = needs_any(stages[i], has_failed) || fails(stages[i], execution, progress);
    num_failed += has_failed[i] ? 1 : 0;
  }
  if (num_failed > 0) {
    fmt::print(stderr, "{} of {} stages failed or need one that did; run the same command again\n",
               num_failed, stages.size());
    return 1;
  }
  if (stages.back().description.verb != kVerbs[last_verb]) return 0;
  const blockwise::StageDescription& choose = stages.back().description;
  print_report(choose, arguments.execution.json);
  fmt::print(stderr, "\ntables and plots are in {}\n", choose.outputs.front());
  return 0;
}

bool print_study_status(const config::StudyConfig& study, bool as_json) {
  const StudyStages study_stages(study, study.folder);
  const std::vector<StudyStage>& stages = study_stages.stages();
  std::vector<blockwise::StageDescription> descriptions;
  std::vector<std::vector<std::size_t>> needs;
  for (const StudyStage& stage : stages) {
    descriptions.push_back(stage.description);
    needs.push_back(stage.needs);
  }
  const std::vector<CellStageStatus> statuses = read_stages_status(descriptions, needs);
  const auto is = [](CellStageState state) {
    return [state](const CellStageStatus& status) { return status.state == state; };
  };
  const auto num_complete = std::count_if(statuses.begin(), statuses.end(), is(CellStageState::kComplete));
  const bool is_running = run_of_study(study).is_running() ||
                          std::any_of(statuses.begin(), statuses.end(), is(CellStageState::kRunning));
  if (as_json) {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      Json line = stage_status_json(statuses[i]);
      line["setup"] = stages[i].setup;
      line["title"] = stages[i].title;
      fmt::print("{}\n", line.dump());
    }
    fmt::print("{}\n", Json({{"study", study.name},
                             {"stages", stages.size()},
                             {"complete", num_complete},
                             {"is_running", is_running}})
                           .dump());
    return is_running;
  }
  fmt::print("{}: {} of {} stages complete{}\n", study.name, num_complete, stages.size(),
             is_running ? ", at work" : "");
  fmt::print("  {:<16} {:<17} {:>12}  {}\n", "set-up", "verb", "complete", "now");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    // Targets stand together, then per set-up its training, then predictions and scores in turn.
    const auto is_of_row = [&](const StudyStage& stage) {
      return stage.setup == stages[i].setup && stage.description.verb == stages[i].description.verb;
    };
    if (std::any_of(stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(i), is_of_row)) continue;
    std::size_t of_row = 0, done = 0;
    std::string now;
    for (std::size_t k = i; k < stages.size(); ++k) {
      if (!is_of_row(stages[k])) continue;
      ++of_row;
      const CellStageState state = statuses[k].state;
      done += state == CellStageState::kComplete ? 1 : 0;
      if (now.empty() && state != CellStageState::kComplete && state != CellStageState::kWaiting)
        now = fmt::format("{}: {}", to_string(state), stages[k].title);
    }
    fmt::print("  {:<16} {:<17} {:>12}  {}\n", name_of_setup(stages[i].setup), stages[i].description.verb,
               fmt::format("{} of {}", done, of_row), now);
  }
  return is_running;
}

}  // namespace organon::app
