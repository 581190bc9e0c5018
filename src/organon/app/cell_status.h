#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/status.h"
#include "organon/config/cell_config.h"

namespace organon::app {

/// Held by `organon run` while it works on a cell, between its stages too.
blockwise::RunFolder run_of_cell(const config::CellConfig& config);

enum class CellStageState {
  kComplete,  ///< and unchanged: the next run leaves it as it is
  kRunning,
  kFailed,   ///< blocks were given up in its last session
  kStopped,  ///< cut short; the next run goes on
  kChanged,  ///< complete, but options or inputs are others now: the next run makes it anew
  kWaiting,  ///< not begun, or what it reads is not complete
};
/// "complete", "running", ...
std::string_view to_string(CellStageState state);

/// One stage of a cell.toml and how far it is.
struct CellStageStatus {
  blockwise::StageDescription description;
  blockwise::RunFolder run;
  CellStageState state = CellStageState::kWaiting;
  std::int64_t num_blocks = 0;  ///< of the steps that have begun; 0 while it is waiting
  std::int64_t done = 0;        ///< of them
  std::int64_t failed = 0;
  std::size_t num_steps = 0;
  std::optional<double> seconds;  ///< of its last session, where it is running or complete
  /// The steps that have begun, where it is running, failed or stopped.
  std::vector<blockwise::StepStatus> steps;
  std::string device;  ///< as RunStatus::device
};

/// How far each of `stages` is; `needs`: per stage the numbers of earlier ones whose outputs it reads. Cost:
/// as below.
std::vector<CellStageStatus> read_stages_status(const std::vector<blockwise::StageDescription>& stages,
                                                const std::vector<std::vector<std::size_t>>& needs);

/// One stage for programs, as `organon status --json` prints it.
Json stage_status_json(const CellStageStatus& stage);

/// All stages of a cell, in order. Errors: those of CellStages. Cost: the journals of stages that are neither
/// complete nor waiting are read.
std::vector<CellStageStatus> read_cell_status(const config::CellConfig& config);

/// Prints it: a table, or lines of JSON. True where `organon run`, or a stage alone, is at work.
bool print_cell_status(const config::CellConfig& config, const std::vector<CellStageStatus>& stages,
                       bool as_json);

}  // namespace organon::app
