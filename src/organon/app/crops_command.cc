#include "organon/app/crops_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "organon/app/crop_files.h"
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

RunStage runner(const CropsArguments& arguments, Progress& progress) {
  return [&](const blockwise::StageDescription& description) {
    return execute_stage(description, arguments.execution, progress);
  };
}

int cut_from_raw(const CropsArguments& arguments) {
  const std::unique_ptr<Progress> progress = make_progress(false);
  const CropCut cut{arguments.raw, arguments.box_nm, arguments.folder, arguments.format,
                    config::load_taxonomy(arguments.taxonomy)};
  const int code = cut_crop(cut, runner(arguments, *progress));
  if (code != 0) return code;
  fmt::print("paint {0}/labels.{1} over {0}/raw.{1}, then:  organon crops take {0} LABELS\n",
             arguments.folder, arguments.format);
  return 0;
}

int take_painted(const CropsArguments& arguments) {
  const std::unique_ptr<Progress> progress = make_progress(false);
  const TakenCrop taken = take_crop(arguments.folder, arguments.dataset,
                                    config::load_taxonomy(arguments.taxonomy), runner(arguments, *progress));
  if (taken.code != 0) return taken.code;
  fmt::print("{}\n{}", taken.report, taken.toml);
  return 0;
}

}  // namespace

void add_crops_command(CLI::App& app, CropsArguments& arguments, int& exit_code) {
  CLI::App* crops =
      app.add_subcommand("crops",
                         "cut crops for annotators, take back what they painted, check what it teaches")
          ->group("Learn");
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

  const auto add_taxonomy = [&](CLI::App* command) {
    command->add_option("--taxonomy", arguments.taxonomy, "what is painted: a name or a file")
        ->capture_default_str();
  };
  CLI::App* cut =
      crops->add_subcommand("cut", "write a box of raw and an empty volume of labels, to be painted");
  cut->add_option("RAW", arguments.raw, "dataset or pyramid, of which the finest level is taken")->required();
  cut->add_option("FOLDER", arguments.folder, "of the files for the painter")->required();
  cut->add_option("--box-nm", arguments.box_nm, "z0,y0,x0,z1,y1,x1 in nm: voxels whose centres lie in it")
      ->required();
  cut->add_option("--format", arguments.format,
                  "nrrd (ITK-SNAP, 3D Slicer, Amira) or tif (napari, Fiji, WEBKNOSSOS)")
      ->capture_default_str()
      ->check(CLI::IsMember({"nrrd", "tif"}));
  add_taxonomy(cut);
  cut->footer(
      "FOLDER gets raw and labels with voxel size and offset, itksnap_labels.txt with the ids, colours and "
      "names to\n"
      "paint, and crop.json, by which `organon crops take` brings the labels back to their place. 0 is not "
      "annotated.\n"
      "Labels that are there already stay.\n\n"
      "Example:\n  organon crops cut cell.n5/raw crops/7 --box-nm 1000,2000,2000,1800,2800,2800");
  cut->callback([&] { exit_code = cut_from_raw(arguments); });

  CLI::App* take =
      crops->add_subcommand("take", "bring painted labels back, and say how a cell.toml names them");
  take->add_option("FOLDER", arguments.folder, "of `organon crops cut`, with the painted labels")->required();
  take->add_option("LABELS", arguments.dataset, "dataset to make, such as cell.n5/crops/7")->required();
  add_taxonomy(take);
  take->footer(
      "Takes labels.nrrd, .tif, .nii, .nii.gz or .mha. Voxel size and place are those of the cut, whatever "
      "the program\n"
      "that saved the file wrote.\n\n"
      "Example:\n  organon crops take crops/7 cell.n5/crops/7");
  take->callback([&] { exit_code = take_painted(arguments); });
}

}  // namespace organon::app
