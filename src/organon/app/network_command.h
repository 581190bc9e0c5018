#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/app/network_report.h"

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of `organon network info` and `organon network export`.
struct NetworkArguments {
  NetworkQuestion question;
  std::string memory;  ///< bytes, such as 8GiB; empty: what is free
  bool json = false;
  // Of export.
  std::string file;                ///< a network's, or the folder of its training
  std::string module;              ///< to write
  std::vector<std::int64_t> tile;  ///< voxels of the output, one number or z, y, x; empty: what predict takes
};

/// Adds `network info` and, where there is libtorch, `network export` to the command line. `arguments` and
/// `exit_code` outlive `app`'s parsing.
void add_network_command(CLI::App& app, NetworkArguments& arguments, int& exit_code);

}  // namespace organon::app
