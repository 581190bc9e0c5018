#include "organon/base/cancellation.h"

#include <atomic>
#include <csignal>

#include "organon/base/error.h"

namespace organon {
namespace {

// Set by a signal handler and read by every thread: only lock-free atomics may be both.
std::atomic<bool> cancelled{false};
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// Two SIGINT end the process, SIGTERM never does: a terminal's Ctrl-C reaches workers and their supervisor
// alike, and the supervisor's own word to the workers may come before or after it.
void on_signal(int signal) {
  if (signal == SIGINT) {
    if (interrupted) {
      std::signal(signal, SIG_DFL);
      std::raise(signal);
    }
    interrupted = true;
  }
  cancelled = true;
}

}  // namespace

void install_cancellation_handlers() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool is_cancelled() { return cancelled; }

void request_cancellation() { cancelled = true; }

void throw_if_cancelled() {
  if (is_cancelled())
    throw Error(ErrorKind::kCancelled, "stopped on request; run the same command again to go on");
}

}  // namespace organon
