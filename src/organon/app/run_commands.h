#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of the verbs about runs and what they made.
struct RunArguments {
  std::string place;                   ///< of status, block
  std::vector<std::string> addresses;  ///< of verify, repair
  std::string folder;                  ///< of clean
  std::int64_t step = 1;               ///< of block; 1 is the first
  std::int64_t block = 0;
  std::string picture;
  bool watch = false;
  bool yes = false;
  bool scratch = false;
  bool json = false;
  int workers = 0;
};

/// Adds status, block, verify, repair and clean to the command line. `arguments` and `exit_code` outlive
/// `app`'s parsing.
void add_run_commands(CLI::App& app, RunArguments& arguments, int& exit_code);

}  // namespace organon::app
