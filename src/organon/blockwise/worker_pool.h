#pragma once

#include <memory>
#include <string>
#include <vector>

#include "organon/blockwise/worker.h"

namespace organon::blockwise {

/// Where the workers of a step live: processes of this machine, or tasks of a cluster.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;

  /// `count` more workers of step `first.step`, with the numbers from `first.number` on: never used in this
  /// step.
  virtual void start(const WorkerOptions& first, int count) = 0;

  struct Ending {
    std::string worker;  ///< as its journal is named; empty where it did not come to write one
    enum class How {
      kDone,     ///< found nothing left to do, or was asked to go
      kStopped,  ///< for a reason that every block would meet
      kGaveUp,   ///< gave its block up, as its journal says
      kDied,
    } how = How::kDone;
    EndCause cause = EndCause::kCrash;  ///< of kDied
    std::string message;                ///< of kDied: "signal 11 (Segmentation fault)"
  };
  /// Who ended since the last call. Errors: kInternal where workers cannot be started at all.
  virtual std::vector<Ending> poll() = 0;
  /// Started and not ended.
  virtual int num_running() const = 0;
  /// Asks all to end after the block they are in.
  virtual void ask_to_stop() = 0;
  /// Ends one now: it shows no sign of life.
  virtual void kill(const std::string& worker) = 0;
  /// True where workers go on with the next step by themselves and wait while there is nothing to do.
  virtual bool outlives_steps() const { return false; }
  /// What keeps workers from working, for people; empty where nothing does.
  virtual std::string state() const { return {}; }
};

struct LocalPoolOptions {
  /// Started as `<program> <arguments> work <run folder> ...` where `needs_fresh_workers`.
  std::string program;
  std::vector<std::string> arguments;
  /// False: workers are copies of this process, which start faster than a large program can be loaded.
  bool needs_fresh_workers = false;
};

/// Child processes, which die with this one. Requires: the calling process has no other thread.
std::unique_ptr<WorkerPool> make_local_pool(const RunFolder& run, const StageFactory& factory,
                                            const LocalPoolOptions& options);

struct SlurmPoolOptions {
  std::string program;                        ///< at the same path on every node
  std::vector<std::string> arguments;         ///< before `work`
  std::vector<std::string> sbatch_arguments;  ///< of the user: partition, time, gres, ...
  std::int64_t bytes_per_worker = 0;          ///< asked for, where the user does not say --mem
};

/// Tasks of Slurm job arrays. The run folder and all data lie on a file system that every node sees at the
/// same path. Its functions' errors: kNotFound where there is no sbatch; kIo where it fails again and again.
std::unique_ptr<WorkerPool> make_slurm_pool(const RunFolder& run, const SlurmPoolOptions& options);

/// The words after the program's name that start a worker so; its number, which differs from one to the next,
/// comes after them.
std::vector<std::string> words_of(const RunFolder& run, const WorkerOptions& options);

}  // namespace organon::blockwise
