#include "organon/app/crops_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "organon/app/crop_report.h"
#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"

namespace organon::app {
namespace {

int check_crops(const CropsArguments& arguments) {
  const config::CellConfig cell = config::read_cell_config(arguments.config_path);
  if (cell.crops.empty())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: it has no [[crops]]", arguments.config_path));
  const CellStages stages(cell, cell.folder);
  const std::unique_ptr<Progress> progress = make_progress(arguments.execution.json);
  // Slices are looked at as the datasets that they become.
  for (const blockwise::StageDescription& import : stages.imports()) {
    if (const int code = execute_stage(import, arguments.execution, *progress); code != 0) return code;
  }
  std::filesystem::path pictures;
  if (!arguments.no_pictures)
    pictures = arguments.pictures.empty() ? cell.folder / "crops" : std::filesystem::path(arguments.pictures);
  std::vector<CropReport> reports;
  bool has_problems = false;
  for (std::size_t i = 0; i < cell.crops.size(); ++i) {
    try {
      reports.push_back(report_crop(cell, stages, i, pictures));
    } catch (const Error& error) {
      throw error.within(fmt::format("crop {}", cell.crops[i].name));
    }
    has_problems = has_problems || !reports.back().problems.empty();
    if (!arguments.execution.json) fmt::print("{}{}", i == 0 ? "" : "\n", to_text(reports.back()));
  }
  if (arguments.execution.json) fmt::print("{}\n", to_json(reports));
  return has_problems ? 1 : 0;
}

}  // namespace

void add_crops_command(CLI::App& app, CropsArguments& arguments, int& exit_code) {
  CLI::App* crops =
      app.add_subcommand("crops", "look at annotated crops before they are learned from")->group("Learn");
  crops->require_subcommand(1);
  CLI::App* check = crops->add_subcommand(
      "check",
      "what each crop holds of each class, what is wrong with it, and a picture of its fullest slice");
  check->add_option("CELL_TOML", arguments.config_path, "the cell's description, with [[crops]]")->required();
  check->add_option("--pictures", arguments.pictures, "folder of the pictures [crops beside CELL_TOML]");
  check->add_flag("--no-pictures", arguments.no_pictures, "draw none");
  check->add_flag("--json", arguments.execution.json, "the report as JSON on stdout");
  check->footer(
      "Of each class: its voxels in the labels, their share of what is annotated, and whether it is learned "
      "from this\n"
      "crop; of each set-up of the taxonomy what it learns. Problems are lines that begin with '!': ids that "
      "nobody\n"
      "knows, classes said to be present or absent that are not, labels that raw does not cover.\n"
      "Exit code 1 where there are problems. Slices are imported first, as `organon run` does.\n\n"
      "Example:\n  organon crops check cell.toml");
  check->callback([&] { exit_code = check_crops(arguments); });
}

}  // namespace organon::app
