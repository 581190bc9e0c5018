#include "organon/app/cell_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/app/cell_stages.h"
#include "organon/app/plan_cell.h"
#include "organon/app/stage_list.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/blockwise/runner.h"

namespace organon::app {
namespace {

constexpr std::size_t kMostFailuresShown = 3;

// What the stage would be if it ran now; nothing where its inputs are not there.
std::optional<std::string> identity_now(const blockwise::StageDescription& description) {
  try {
    return identity_of_stage(description, make_stage(description)->algorithm_version());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void take_steps(CellStageStatus& stage) {
  blockwise::RunStatus status = blockwise::read_status(stage.run);
  stage.num_steps = status.num_steps;
  stage.seconds = status.seconds;
  stage.device = status.device;
  stage.steps = std::move(status.steps);
  for (const blockwise::StepStatus& step : stage.steps) {
    stage.num_blocks += step.num_blocks;
    stage.done += step.completed + step.skipped;
    stage.failed += step.failed;
  }
}

CellStageStatus read_stage_status(const blockwise::StageDescription& description, bool has_all_inputs) {
  const blockwise::RunFolder run(blockwise::run_folder_of(description.outputs.front()));
  CellStageStatus stage{description, run, CellStageState::kWaiting, 0, 0, 0, 0, {}, {}, {}};
  if (run.is_running()) {
    stage.state = CellStageState::kRunning;
    try {
      take_steps(stage);
    } catch (const Error& error) {
      // It clears away what was there, or begins.
      if (error.kind() != ErrorKind::kNotFound) throw;
    }
    return stage;
  }
  const auto completion = run.read_completion();
  if (!has_all_inputs) return stage;
  if (completion) {
    const bool is_unchanged = blockwise::is_complete(description, make_stage, run);
    stage.state = is_unchanged ? CellStageState::kComplete : CellStageState::kChanged;
    if (!is_unchanged) return stage;
    stage.num_blocks = stage.done = blockwise::count_blocks(run);
    stage.seconds = completion->seconds;
    if (const auto device = run.read_device()) stage.device = device->type;
    return stage;
  }
  // What was begun with other options or inputs, or by another organon, will not be gone on with.
  const auto identity_then = run.read_identity();
  if (!identity_then || identity_then != identity_now(description)) return stage;
  take_steps(stage);
  stage.state = stage.failed > 0 ? CellStageState::kFailed : CellStageState::kStopped;
  return stage;
}

// "step 2 of 4, join faces", and what a single long block says of itself.
std::string where_in(const CellStageStatus& stage) {
  if (stage.steps.empty()) return stage.device.empty() ? "" : "on " + stage.device;
  const blockwise::StepStatus& step = stage.steps.back();
  std::string text = fmt::format("step {} of {}: {}", stage.steps.size(), stage.num_steps, step.name);
  if (!stage.device.empty()) text += " on " + stage.device;
  if (step.fraction > 0) text += fmt::format(", {:.0f} %", 100 * step.fraction);
  if (!step.note.empty()) text += ", " + step.note;
  return text;
}

// Of the step that it is at.
std::optional<double> seconds_left(const CellStageStatus& stage) {
  if (stage.steps.empty()) return std::nullopt;
  const blockwise::StepStatus& step = stage.steps.back();
  // Of a single step of a single block the time since it began is known.
  if (stage.steps.size() == 1 && stage.seconds && step.fraction > 0)
    return *stage.seconds * (1 - step.fraction) / step.fraction;
  return step.seconds_left;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

void print_failures(const CellStageStatus& stage) {
  std::size_t num_shown = 0;
  for (const blockwise::StepStatus& step : stage.steps) {
    for (const auto& [block, message] : step.failures)
      if (num_shown++ < kMostFailuresShown) fmt::print("      failed: {}\n", message);
  }
  if (num_shown > 0) fmt::print("      all of it:  organon status '{}'\n", stage.run.path().string());
}

}  // namespace

std::string_view to_string(CellStageState state) {
  switch (state) {
    case CellStageState::kComplete:
      return "complete";
    case CellStageState::kRunning:
      return "running";
    case CellStageState::kFailed:
      return "failed";
    case CellStageState::kStopped:
      return "stopped";
    case CellStageState::kChanged:
      return "changed";
    case CellStageState::kWaiting:
      break;
  }
  return "waiting";
}

blockwise::RunFolder run_of_cell(const config::CellConfig& config) {
  return blockwise::RunFolder(config.folder / ".organon" / "cells" / config.name);
}

Json stage_status_json(const CellStageStatus& stage) {
  Json failures = Json::array();
  for (std::size_t i = 0; i < stage.steps.size(); ++i)
    for (const auto& [block, message] : stage.steps[i].failures)
      failures.push_back({{"step", stage.steps[i].name}, {"block", block}, {"message", message}});
  const bool has_step = !stage.steps.empty();
  return {{"stage", blockwise::title_of(stage.description)},
          {"verb", stage.description.verb},
          {"output", stage.description.outputs.front()},
          {"run", stage.run.path().string()},
          {"state", to_string(stage.state)},
          {"blocks", stage.num_blocks},
          {"blocks_done", stage.done},
          {"blocks_failed", stage.failed},
          {"step", has_step ? Json(stage.steps.back().name) : Json()},
          {"steps_begun", stage.steps.size()},
          {"num_steps", stage.num_steps},
          {"fraction",
           has_step && stage.steps.back().num_blocks == 1 ? Json(stage.steps.back().fraction) : Json()},
          {"note", has_step ? stage.steps.back().note : ""},
          {"device", stage.device.empty() ? Json() : Json(stage.device)},
          {"seconds", or_null(stage.seconds)},
          {"seconds_left", or_null(seconds_left(stage))},
          {"failures", failures}};
}

std::vector<CellStageStatus> read_cell_status(const config::CellConfig& config) {
  const CellStages cell(config, config.folder);
  std::vector<blockwise::StageDescription> all = cell.imports();
  for (auto& stage : cell.after_imports(cell.raw_limits())) all.push_back(std::move(stage));
  std::vector<std::vector<std::size_t>> needs(all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t earlier = 0; earlier < i; ++earlier)
      if (reads_output_of(all[i], all[earlier])) needs[i].push_back(earlier);
  return read_stages_status(all, needs);
}

std::vector<CellStageStatus> read_stages_status(const std::vector<blockwise::StageDescription>& stages,
                                                const std::vector<std::vector<std::size_t>>& needs) {
  std::vector<CellStageStatus> statuses;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool has_all_inputs = std::all_of(needs[i].begin(), needs[i].end(), [&](std::size_t need) {
      return statuses[need].state == CellStageState::kComplete;
    });
    statuses.push_back(read_stage_status(stages[i], has_all_inputs));
  }
  return statuses;
}

bool print_cell_status(const config::CellConfig& config, const std::vector<CellStageStatus>& stages,
                       bool as_json) {
  const auto num_complete = std::count_if(stages.begin(), stages.end(), [](const auto& stage) {
    return stage.state == CellStageState::kComplete;
  });
  const bool is_running =
      run_of_cell(config).is_running() || std::any_of(stages.begin(), stages.end(), [](const auto& stage) {
        return stage.state == CellStageState::kRunning;
      });
  if (as_json) {
    for (const CellStageStatus& stage : stages) fmt::print("{}\n", stage_status_json(stage).dump());
    fmt::print("{}\n", Json({{"cell", config.name},
                             {"stages", stages.size()},
                             {"complete", num_complete},
                             {"is_running", is_running}})
                           .dump());
    return is_running;
  }
  std::size_t widest = 0;
  for (const CellStageStatus& stage : stages)
    widest = std::max(widest, blockwise::title_of(stage.description).size());
  fmt::print("{}: {} of {} stages complete{}\n", config.name, num_complete, stages.size(),
             is_running ? ", at work" : "");
  fmt::print("  {:<{}} {:<9} {:>15} {:>9} {:>9}\n", "stage", widest, "state", "blocks", "time", "left");
  for (const CellStageStatus& stage : stages) {
    const auto left = seconds_left(stage);
    const std::string where = where_in(stage);
    fmt::print("  {:<{}} {:<9} {:>15} {:>9} {:>9}{}{}\n", blockwise::title_of(stage.description), widest,
               to_string(stage.state),
               stage.num_blocks == 0            ? "-"
               : stage.done == stage.num_blocks ? fmt::format("{}", stage.done)
                                                : fmt::format("{} of {}", stage.done, stage.num_blocks),
               stage.seconds ? clock_text(*stage.seconds) : "-", left ? clock_text(*left) : "-",
               where.empty() ? "" : "  ", where);
    print_failures(stage);
  }
  return is_running;
}

}  // namespace organon::app
