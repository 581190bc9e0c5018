#pragma once

#include <string>
#include <vector>

namespace organon {

/// How a program ended and what it said.
struct CommandResult {
  int exit_code = 0;  ///< 127 where it cannot be started, 128 + signal where a signal ended it
  std::string out;
  std::string err;
};

/// Runs a program, found by PATH, to its end; its standard input is empty. Errors: kIo where no process can
/// be made.
CommandResult run_command(const std::vector<std::string>& words);

/// The words as one line that a shell reads back as they are.
std::string quoted_for_shell(const std::vector<std::string>& words);

}  // namespace organon
