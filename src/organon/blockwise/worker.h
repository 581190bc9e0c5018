#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "organon/base/files.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/stage.h"
#include "organon/blockwise/watchdog.h"

namespace organon::blockwise {

/// Makes the stage that a description names; the explicit list of stages lives in app/.
using StageFactory = std::function<std::unique_ptr<Stage>(const StageDescription&)>;

struct WorkerOptions {
  std::size_t step = 0;
  int session = 1;     ///< number of the supervisor that started it
  int number = 0;      ///< unique in its session
  int of_workers = 1;  ///< how many started together: spreads their first claims
  Fsync fsync = Fsync::kYes;
  bool is_process = false;                 ///< it keeps the limits, by ending the process
  bool is_alone = false;                   ///< takes those blocks only that lacked memory beside others
  std::optional<std::int64_t> only_block;  ///< takes this one, done or not, whoever claimed it
  BlockLimits limits;
};

enum class WorkerOutcome {
  kDone,     ///< nothing left to claim, or asked to go
  kStopped,  ///< an error that every block would meet (disk full); its message is in the journal
  kRefused,  ///< no block is for it: the run keeps to another kind of device; see refusal_of()
};

/// How a worker process ends where it kStopped; 0 where it is done or refused.
constexpr int kStoppedExitCode = 4;

/// "s3-w12": as its journal is named in its first life.
std::string name_of_worker(const WorkerOptions& options);

/// Why the worker of this name refused to compute blocks of a step; nothing where it did not.
std::optional<std::string> refusal_of(const std::filesystem::path& step_folder, const std::string& worker);

/// Attempts at a block before it is given up.
constexpr int kMaxAttempts = 3;

/// As work(), for one step after the other as the supervisor of `options.session` begins them. Ends where
/// that run is over, where it is asked to, or where there was nothing to do for four times the silence of a
/// dead worker.
WorkerOutcome follow_steps(const RunFolder& run, const StageFactory& factory, WorkerOptions options);

/// Claims and processes batches of blocks of one step until none is left. What a worker process does.
WorkerOutcome work(const RunFolder& run, const StageFactory& factory, const WorkerOptions& options);

}  // namespace organon::blockwise
