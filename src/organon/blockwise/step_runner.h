#pragma once

#include "organon/base/progress.h"
#include "organon/blockwise/ledger.h"
#include "organon/blockwise/runner.h"
#include "organon/blockwise/worker_pool.h"

namespace organon::blockwise {

/// One step of a run, as the supervisor sees it.
struct StepRun {
  std::size_t step = 0;
  int session = 0;
  std::int64_t num_blocks = 0;
  int num_workers = 1;
  std::int64_t memory_bytes = 0;  ///< that all workers may take together
};

/// Runs workers until every block of the step is done or given up, or too many are given up; a worker that
/// dies is replaced. Without `pool` the workers are threads. Returns the blocks given up and why.
///
/// Errors: kCancelled; kResourceExhausted where a worker met what every block would (a full disk), or workers
/// die without end.
std::map<std::int64_t, std::string> run_step(const StepRun& step, const RunFolder& run,
                                             const StageFactory& factory, const RunOptions& options,
                                             WorkerPool* pool, Progress& progress);

}  // namespace organon::blockwise
