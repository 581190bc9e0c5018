#pragma once

#include <string>

#include "organon/app/stage_command.h"

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of `organon crops check`.
struct CropsArguments {
  std::string config_path;
  std::string pictures;  ///< folder; empty: <folder of cell.toml>/crops
  bool no_pictures = false;
  ExecutionOptions execution;  ///< of the imports
};

/// Adds `crops check` to the command line. `arguments` and `exit_code` outlive `app`'s parsing.
void add_crops_command(CLI::App& app, CropsArguments& arguments, int& exit_code);

}  // namespace organon::app
