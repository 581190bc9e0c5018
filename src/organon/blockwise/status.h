#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "organon/blockwise/run_folder.h"

namespace organon::blockwise {

/// How far a step is, from its journals alone. The counts of blocks add up to `num_blocks`.
struct StepStatus {
  std::string name;
  std::int64_t num_blocks = 0;
  std::int64_t ready = 0;              ///< not begun
  std::int64_t processing = 0;         ///< a living worker is in them
  std::int64_t orphaned = 0;           ///< begun by a worker that is gone: computed again by the next run
  std::int64_t completed = 0;          ///< with results
  std::int64_t skipped = 0;            ///< completed, and there was nothing to keep
  std::int64_t failed = 0;             ///< given up in the last session
  std::int64_t kept = 0;               ///< of those completed or skipped: from a run before (growth.h)
  double blocks_per_second = 0;        ///< over the last minutes of work
  std::optional<double> seconds_left;  ///< where it is running
  std::int64_t peak_bytes = 0;         ///< of any worker
  double fraction = 0;                 ///< of a step of one block that runs: how far that is, as it says
  std::string note;                    ///< what it says besides
  std::vector<std::pair<std::int64_t, std::string>> failures;  ///< block and message
  std::vector<std::string> workers;  ///< of the last session: name and where it runs
};

struct RunStatus {
  StageDescription description;
  bool is_running = false;
  bool is_complete = false;
  int session = 0;
  std::optional<double> seconds;  ///< of the last session, where it is running or complete
  std::string device;         ///< kind of it that a tolerance stage keeps to; empty: none decided, or exact
  std::size_t num_steps = 0;  ///< all of them
  std::vector<StepStatus> steps;  ///< that have begun
};

/// Errors: kNotFound where `run` holds no run; kCorruptData. Cost: reads all journals.
RunStatus read_status(const RunFolder& run);

/// How far the farthest block of a step is, 0 to 1, and its note.
struct Report {
  double fraction = 0;
  std::string note;
};
Report read_report(const std::filesystem::path& step_folder, int session);

/// Blocks of all steps that have begun. Cost: reads no journal.
std::int64_t count_blocks(const RunFolder& run);

/// Every run below `folder`, or the one that `folder` is, or the run of the output that lies there.
std::vector<RunFolder> find_runs(const std::filesystem::path& folder);

/// Files that no one needs any more.
struct Waste {
  std::filesystem::path path;
  std::string reason;
  std::int64_t bytes = 0;
  bool is_safe = true;        ///< false: its run could go on with it, and computes it again without
  std::filesystem::path run;  ///< that it belongs to; nothing is removed while that runs
};
/// Below `folder`: runs whose outputs are gone, what deleted outputs and killed writers left, scratch of runs
/// that were cut short. Nothing of runs that work now, and no file of any writer while one works there.
std::vector<Waste> find_waste(const std::filesystem::path& folder);

}  // namespace organon::blockwise
