#include "organon/blockwise/watchdog.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "organon/base/error.h"

namespace organon::blockwise {
namespace {

constexpr auto kLookInterval = std::chrono::milliseconds(200);
constexpr double kSignsPerSilence = 6;  // so that one lost on the way does not make a worker dead

}  // namespace

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

Watchdog::Watchdog(JournalWriter& journal, const BlockLimits& limits)
    : journal_(journal), limits_(limits), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

Watchdog::~Watchdog() {
  thread_.request_stop();
  thread_.join();
}

void Watchdog::begin_block(std::int64_t block) {
  const std::lock_guard lock(mutex_);
  block_ = block;
  begin_ = Clock::now();
}

void Watchdog::end_block() {
  const std::lock_guard lock(mutex_);
  block_ = -1;
}

void Watchdog::set_timeout(std::optional<double> seconds) {
  const std::lock_guard lock(mutex_);
  timeout_ = seconds;
}

void Watchdog::give_up(EndCause cause, const std::string& message) {
  try {
    journal_.commit();
    journal_.ended(block_, cause, message);
  } catch (const Error&) {
    // A full disk: the supervisor then knows the exit code alone.
  }
  ::_exit(kGaveUpExitCode);
}

void Watchdog::watch(const std::stop_token& stop) {
  Clock::time_point last_sign = Clock::now();
  const auto between_signs = std::chrono::duration<double>(limits_.silent_s / kSignsPerSilence);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, kLookInterval, [] { return false; });
    if (stop.stop_requested()) return;
    if (block_ >= 0) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
      if (timeout_ && seconds > *timeout_)
        give_up(EndCause::kTimeout, fmt::format("took longer than {:.3g} s", *timeout_));
      const std::int64_t bytes = resident_bytes();
      if (limits_.memory_bytes > 0 && bytes > limits_.memory_bytes) {
        give_up(EndCause::kMemory, fmt::format("the worker had {} MiB, its share is {} MiB", bytes >> 20,
                                               limits_.memory_bytes >> 20));
      }
    }
    lock.unlock();
    try {
      journal_.commit_if_due();
      if (Clock::now() - last_sign > between_signs) {
        last_sign = Clock::now();
        journal_.alive();
      }
    } catch (const Error&) {
      // The worker meets the same error at its next record, and stops in order.
    }
    lock.lock();
  }
}

}  // namespace organon::blockwise
