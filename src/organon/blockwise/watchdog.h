#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "organon/blockwise/journal.h"

namespace organon::blockwise {

/// What a worker process may take; it keeps these bounds itself, so that they hold on any machine.
struct BlockLimits {
  /// Longest time for a block; 0: far above what other blocks took; below 0: none.
  double timeout_s = 0;
  std::int64_t memory_bytes = 0;  ///< largest resident memory of the process; 0: none
  /// A worker whose journal does not grow for so long is taken for dead, and its blocks are taken over.
  double silent_s = 180;
};

/// How a worker process ends that gave its block up: its journal says why.
constexpr int kGaveUpExitCode = 5;

/// A thread beside the worker's: shows that it lives, commits finished blocks while a long one runs, and ends
/// the process where a block takes too long or too much memory.
class Watchdog {
 public:
  Watchdog(JournalWriter& journal, const BlockLimits& limits);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  void begin_block(std::int64_t block);
  void end_block();
  /// Seconds that a block may take from now on; nothing: as long as it likes.
  void set_timeout(std::optional<double> seconds);

 private:
  using Clock = std::chrono::steady_clock;
  void watch(const std::stop_token& stop);
  /// Of the block that runs.
  [[noreturn]] void give_up(EndCause cause, const std::string& message);

  JournalWriter& journal_;
  BlockLimits limits_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::int64_t block_ = -1;
  Clock::time_point begin_;
  std::optional<double> timeout_;
  std::jthread thread_;  // last: it uses the others
};

/// Resident memory of this process now.
std::int64_t resident_bytes();

}  // namespace organon::blockwise
