#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "organon/config/class_config.h"
#include "organon/config/crop_config.h"
#include "organon/config/taxonomy.h"

namespace organon::config {

/// A cell with annotated crops: those of the role `holdout` are what networks are judged by.
struct StudyDataset {
  std::string name;
  std::string raw;                      ///< dataset, or pyramid with a level of each set-up's voxel size
  std::vector<double> contrast_limits;  ///< low, high; empty: as stored
  std::vector<CropConfig> crops;
};

/// A network to be trained, or one that is trained already.
struct StudySetup {
  std::string name;
  std::string family;     ///< all, many, few or a lab's own; empty: none
  std::string class_set;  ///< the taxonomy's set-up whose classes these are; else the set-up's name
  std::vector<ClassConfig> classes;   ///< empty: those of `network`
  std::vector<double> voxel_size_nm;  ///< of raw, z,y,x; empty: that of `network`
  std::vector<std::string> datasets;  ///< that it learns from
  std::string network;  ///< folder of a training, or a network's file; empty: it is trained here
  StageSettings train;  ///< [train], and over it its own
  std::string place;    ///< "study.toml:12", for messages
};

/// A study.toml: many networks, compared on the same crops.
struct StudyConfig {
  std::filesystem::path path;
  std::filesystem::path folder;  ///< of the file: everything that organon makes lies in it
  std::string name;
  std::string format = "n5";  ///< n5 or zarr, of the datasets made
  Taxonomy taxonomy;
  std::int64_t evaluate_every = 0;  ///< iterations that are multiples of it are evaluated; 0: all checkpoints
  std::vector<StudyDataset> datasets;
  std::vector<StudySetup> setups;
  std::map<std::string, StageSettings> stages;  ///< [targets], [predict], [evaluate], [choose] by verb
};

/// True where the file at `path` is TOML with set-ups: a study.toml rather than a cell.toml. Errors:
/// kNotFound.
bool is_study(const std::filesystem::path& path);

/// Reads and checks a study.toml. Relative paths are relative to its folder. Errors: kNotFound;
/// kInvalidArgument "study.toml:<line>: ..." as read_cell_config(), also for classes and set-ups that the
/// taxonomy does not have, datasets that are not there, and names given twice.
StudyConfig read_study_config(const std::filesystem::path& path);
/// The same from the text of the file at `path`, which is not read.
StudyConfig parse_study_config(std::string_view text, const std::filesystem::path& path);

/// The classes that networks call so, as the taxonomy has them. Errors: kInvalidArgument naming the nearest
/// class.
std::vector<ClassConfig> classes_named(const std::vector<std::string>& names, const Taxonomy& taxonomy);

}  // namespace organon::config
