#pragma once

#include <map>
#include <string>

#include "organon/stages/evaluation/comparison.h"

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of `organon compare`.
struct CompareArguments {
  stages::ComparedAddresses addresses;
  std::string folder;
  std::map<std::string, std::string> values;  ///< options by name, as typed
  std::string host = "127.0.0.1";
  int port = 8080;
  bool json = false;
};

/// Adds `compare` to the command line. `arguments` and `exit_code` outlive `app`'s parsing.
void add_compare_command(CLI::App& app, CompareArguments& arguments, int& exit_code);

}  // namespace organon::app
