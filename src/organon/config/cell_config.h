#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "organon/config/class_config.h"
#include "organon/config/crop_config.h"
#include "organon/config/taxonomy.h"
#include "organon/geometry/vec3.h"

namespace organon::config {

/// A cell.toml.
struct CellConfig {
  std::filesystem::path path;
  std::filesystem::path folder;  ///< of the file: everything that organon makes lies in it
  std::string name;
  std::string format = "n5";  ///< n5 or zarr, of the datasets made
  std::string raw_source;
  std::vector<double> raw_voxel_size_nm;  ///< z, y, x; empty: not stated
  std::vector<double> contrast_limits;    ///< low, high; empty: not stated
  StageSettings import;
  Taxonomy taxonomy;  ///< of the classes without ids of their own; no atoms: there is none
  std::vector<CropConfig> crops;
  bool has_mask = false;      ///< [mask] is there: predict only what is sample
  std::string mask_polygons;  ///< file of polygons that correct the mask; empty: none
  std::string network;        ///< a trained checkpoint to use instead of training
  std::string start_from;     ///< a network whose weights training starts from; empty: new ones
  std::vector<ClassConfig> classes;
  std::string truth;  ///< labels to evaluate against: slices or dataset; empty: no evaluation
  std::vector<double> truth_voxel_size_nm;
  std::string evaluate_box_nm;
  std::map<std::string, StageSettings> stages;  ///< [targets], [train], [predict], ... by verb
};

/// Reads and checks a cell.toml. Relative paths are relative to its folder.
/// Errors: kNotFound; kInvalidArgument "cell.toml:<line>: ..." for a syntax error, a value of the wrong type,
/// an unknown key (with the nearest known one) and values out of range such as a voxel size of zero.
CellConfig read_cell_config(const std::filesystem::path& path);
/// The same from the text of the file at `path`, which is not read.
CellConfig parse_cell_config(std::string_view text, const std::filesystem::path& path);

}  // namespace organon::config
