#pragma once

#include <string>

#include "organon/app/network_report.h"

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of `organon network info`.
struct NetworkArguments {
  NetworkQuestion question;
  std::string memory;  ///< bytes, such as 8GiB; empty: what is free
  bool json = false;
};

/// Adds `network info` to the command line. `arguments` and `exit_code` outlive `app`'s parsing.
void add_network_command(CLI::App& app, NetworkArguments& arguments, int& exit_code);

}  // namespace organon::app
