#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "organon/base/progress.h"
#include "organon/blockwise/worker.h"

namespace organon::blockwise {

struct RunOptions {
  int workers = 0;  ///< 0: as many as there are cores
  Fsync fsync = Fsync::kYes;
  /// Workers are processes: copies of this one, or, for stages that need fresh workers, this program started
  /// as `<program> work <run folder> ...`. Empty: workers are threads (for tests: a dying block then takes
  /// the process with it). Requires, where not empty: the calling process has no other thread.
  std::string worker_program;
  std::vector<std::string> worker_arguments;  ///< before `work`
  /// Workers are tasks of a Slurm cluster, submitted with these further arguments of sbatch.
  bool uses_slurm = false;
  std::vector<std::string> sbatch_arguments;
  bool force = false;  ///< run even where the result is there and unchanged
  /// Kind of device that a tolerance stage computes on; empty: what its run keeps to, or else the best that
  /// its first worker has. Exact stages take no notice.
  std::string device;
  std::int64_t memory_bytes = 0;  ///< of all workers together; 0: what the machine can give
  BlockLimits limits;             ///< memory_bytes in it is set by the runner
  /// A step stops early where more than this share of its blocks is given up, and at least ten.
  double max_failed_share = 0.1;
};

/// A block that was given up.
struct BlockFailure {
  std::size_t step = 0;
  std::int64_t block = 0;
  std::string message;
};

struct RunResult {
  bool was_unchanged = false;
  std::int64_t num_blocks = 0;
  std::int64_t num_kept = 0;           ///< of them, of the run before, whose inputs were others (growth.h)
  std::vector<BlockFailure> failures;  ///< of the first step that had any
  std::string result;                  ///< hash of what was made; empty with failures
  double seconds = 0;
};

/// Runs a stage to its end: every step with all workers, steps one after the other. Skips it where its
/// outputs are complete and its identity is unchanged, goes on where a run of the same identity was cut
/// short, and starts anew otherwise (outputs that organon made before are replaced; others are refused).
/// Nothing is removed before it is known that the memory suffices and that no output is an input.
///
/// Errors: kInvalidArgument for a plan that cuts chunks, or an output that is an input; kResourceExhausted
/// where a worker's memory does not fit, or the disk fills; kAlreadyExists where an output is not organon's;
/// kCancelled. Of a tolerance stage also kInvalidArgument where a device is asked for that is not the one
/// that the run began on, and kUnsupported where no worker has that. Whatever ends it, the next call goes on.
RunResult run_stage(const StageDescription& description, const StageFactory& factory, const RunFolder& run,
                    const RunOptions& options, Progress& progress);

/// Runs one block of a step that has begun, in this process and as a worker would: what it makes is kept and
/// counts for the next run. For looking into a block that was given up. Errors: kInvalidArgument where there
/// is no such step or block; kInternal with its message where the block is given up again; those of work().
void run_block(const RunFolder& run, const StageFactory& factory, std::size_t step, std::int64_t block,
               Fsync fsync);

/// True where run_stage() would find nothing to do. False also where inputs do not exist yet.
bool is_complete(const StageDescription& description, const StageFactory& factory, const RunFolder& run);

/// One line per step: blocks, voxel bytes read and written, memory per worker, time by typical rates.
struct PlanLine {
  std::string step;
  std::int64_t num_blocks = 0;
  std::int64_t bytes_read = 0;
  std::int64_t bytes_written = 0;
  std::int64_t bytes_per_worker = 0;
  double seconds = 0;
};
std::vector<PlanLine> plan_stage(const Stage& stage, int workers);

/// Bytes that this machine (or its control group) can still give.
std::int64_t available_memory_bytes();

}  // namespace organon::blockwise
