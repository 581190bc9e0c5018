#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "organon/app/cell_stages.h"
#include "organon/config/cell_config.h"

namespace organon::app {

/// What a crop holds of one class.
struct CropClass {
  std::string name;
  std::string state;           ///< "present", "absent", or why it is not learned
  bool is_learned = false;     ///< it has a say in the loss
  std::int64_t voxels = 0;     ///< of the class, in its volumes of labels
  std::int64_t annotated = 0;  ///< voxels of them that say anything, by the share that a mask has
};

/// What a set-up of the taxonomy learns from a crop.
struct CropSetup {
  std::string name;
  std::size_t num_classes = 0;
  std::vector<std::string> learned;
};

/// A crop as it will be learned from.
struct CropReport {
  std::string name;
  std::string role;
  std::string raw;
  std::string labels;
  std::string grid;                   ///< "192 x 192 x 192 voxels of 4 x 4 x 4 nm"
  std::vector<CropClass> classes;     ///< of the cell
  std::vector<CropSetup> setups;      ///< of the taxonomy, those that learn anything
  std::vector<std::string> problems;  ///< each names crop and class, id or volume
  std::string picture;                ///< empty: none was drawn
};

/// Counts the labels of a crop and compares them with what its lists say, and draws its fullest slice over
/// raw where `pictures` is a folder.
///
/// Found are: ids that no class or atom has, classes said to be present without a voxel, or absent with some,
/// crops that raw does not cover. Errors: those of reading.
CropReport report_crop(const config::CellConfig& cell, const CellStages& stages, std::size_t number,
                       const std::filesystem::path& pictures);

/// For people.
std::string to_text(const CropReport& report);
std::string to_json(const std::vector<CropReport>& reports);

}  // namespace organon::app
