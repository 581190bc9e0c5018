#pragma once

namespace organon::app {

/// Parses `organon <verb> ...` and runs the verb. Returns the exit code: 0 done, 1 some blocks failed.
/// Errors: what the verbs throw; wrong usage ends with 2 and a message on stderr.
int run_command_line(int argc, char** argv);

}  // namespace organon::app
