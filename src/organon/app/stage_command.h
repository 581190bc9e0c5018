#pragma once

#include <string>
#include <vector>

#include "organon/app/stage_list.h"
#include "organon/base/progress.h"
#include "organon/blockwise/runner.h"

namespace organon::app {

/// How stages are run from the command line, whatever the verb.
struct ExecutionOptions {
  int workers = 0;
  bool no_fsync = false;
  bool dry_run = false;
  bool json = false;
  bool force = false;
  std::string device;            ///< "cpu", "cuda"; empty: as its run, or what the first worker has
  std::string engine = "local";  ///< or "slurm"
  std::string sbatch_args;       ///< words; quotes around one that holds blanks
  std::string memory;            ///< of all workers together: "8GiB"; empty: what the machine can give
  double timeout_s = 0;          ///< of a block; 0: far above what others took; below 0: none
  double silent_s = 180;         ///< without a sign of life a worker is taken for dead
  double max_failed_share = 0.1;
  bool is_quiet = false;  ///< says nothing of what is complete already
};

/// Bytes that "512MiB", "8GiB" or "2e9" name. Errors: kInvalidArgument.
std::int64_t bytes_from_text(const std::string& text);

/// Runs one stage with worker processes of this program and tells the user how it went. Returns the exit
/// code: 0 done or unchanged, 1 some blocks failed.
int execute_stage(const blockwise::StageDescription& description, const ExecutionOptions& options,
                  Progress& progress);

/// Shows on stdout what a stage that reports for people has found, as text or as JSON.
void print_report(const blockwise::StageDescription& description, bool as_json);

/// Heading of the table that print_plan() continues.
void print_plan_header();
/// Prints the plan of one stage as a table (stderr) or JSON (stdout).
void print_plan(const std::string& title, const std::vector<blockwise::PlanLine>& lines, bool as_json);

/// Path of this program, for starting workers.
std::string program_path();

}  // namespace organon::app
