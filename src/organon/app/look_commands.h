#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of the verbs that look and write nothing.
struct LookArguments {
  std::string dataset;  ///< of inspect
  std::int64_t max_mvoxels = 32;
  std::vector<std::string> digest_datasets;
  std::string folder;  ///< of serve
  std::string host = "127.0.0.1";
  int port = 8080;
  bool json = false;
};

/// Adds inspect, digest and serve to the command line. `arguments` and `exit_code` outlive `app`'s parsing.
void add_look_commands(CLI::App& app, LookArguments& arguments, int& exit_code);

}  // namespace organon::app
