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

  /// One more worker of step `options.step`; `options.number` was never used in this session.
  virtual void start(const WorkerOptions& options) = 0;

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

/// The words after the program's name that start a worker so.
std::vector<std::string> words_of(const RunFolder& run, const WorkerOptions& options);

}  // namespace organon::blockwise
