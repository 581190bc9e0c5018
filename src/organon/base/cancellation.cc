#include "organon/base/cancellation.h"

#include <csignal>

#include "organon/base/error.h"

namespace organon {
namespace {

volatile std::sig_atomic_t cancelled = 0;
volatile std::sig_atomic_t interrupted = 0;

// Two SIGINT end the process, SIGTERM never does: a terminal's Ctrl-C reaches workers and their supervisor
// alike, and the supervisor's own word to the workers may come before or after it.
void on_signal(int signal) {
  if (signal == SIGINT) {
    if (interrupted != 0) {
      std::signal(signal, SIG_DFL);
      std::raise(signal);
    }
    interrupted = 1;
  }
  cancelled = 1;
}

}  // namespace

void install_cancellation_handlers() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool is_cancelled() { return cancelled != 0; }

void request_cancellation() { cancelled = 1; }

void throw_if_cancelled() {
  if (is_cancelled())
    throw Error(ErrorKind::kCancelled, "stopped on request; run the same command again to go on");
}

}  // namespace organon
