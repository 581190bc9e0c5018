#pragma once

#include <string>

#include "organon/app/stage_command.h"
#include "organon/config/taxonomy.h"

namespace CLI {
class App;
}

namespace organon::app {

/// Arguments of `organon crops check`, `cut` and `take`.
struct CropsArguments {
  std::string config_path;
  std::string raw;      ///< of cut
  std::string folder;   ///< of cut and take
  std::string dataset;  ///< of take
  std::string box_nm;
  std::string format = "nrrd";
  std::string taxonomy = config::kStandardTaxonomy;
  std::string pictures;  ///< folder; empty: <folder of cell.toml>/crops
  bool no_pictures = false;
  ExecutionOptions execution;  ///< of the imports
};

/// Adds `crops` to the command line. `arguments` and `exit_code` outlive `app`'s parsing.
void add_crops_command(CLI::App& app, CropsArguments& arguments, int& exit_code);

}  // namespace organon::app
