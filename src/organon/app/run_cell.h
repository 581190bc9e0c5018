#pragma once

#include <string>

#include "organon/app/stage_command.h"

namespace organon::app {

struct RunCellArguments {
  std::string config_path;
  std::string until;  ///< verb after which to stop; empty: to the end
  ExecutionOptions execution;
};

/// Runs every stage of a cell.toml that is not complete, in order; or, with dry_run, prints the plan of all.
/// Where cell.toml states no contrast limits, those estimated from the imported slices are written into it.
///
/// Returns 0, or 1 where blocks of a stage failed (later stages are then left out: orphaned).
/// Errors: those of read_cell_config(), CellStages and run_stage().
int run_cell_command(const RunCellArguments& arguments);

/// Writes `contrast_limits = [low, high]` with a remark below the line `[raw]` of the file at `path`; all
/// else stays as it is. False, and nothing is written, where no line begins so. Requires: the table has no
/// such key.
bool keep_contrast_limits(const std::string& path, double low, double high);

}  // namespace organon::app
