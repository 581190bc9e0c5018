#pragma once

namespace organon {

/// Makes Ctrl-C (SIGINT) and SIGTERM set the flag below instead of ending the process. A second Ctrl-C ends
/// it.
void install_cancellation_handlers();
bool is_cancelled();
/// As if Ctrl-C had been pressed; for tests.
void request_cancellation();
/// Throws Error(kCancelled) where cancellation was asked for. Call between blocks and in long solves.
void throw_if_cancelled();

}  // namespace organon
