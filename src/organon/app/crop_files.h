#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "organon/blockwise/stage.h"
#include "organon/config/taxonomy.h"

namespace organon::app {

/// Runs a stage; 0 where it is done.
using RunStage = std::function<int(const blockwise::StageDescription&)>;

/// What is to be painted, and by which program's files.
struct CropCut {
  std::string raw;     ///< dataset, or pyramid: its finest level
  std::string box_nm;  ///< z0,y0,x0,z1,y1,x1
  std::filesystem::path folder;
  std::string format = "nrrd";  ///< or tif
  config::Taxonomy taxonomy;    ///< what is painted, for the list of ids
};

/// Writes a box of raw and an empty volume of labels of the same grid for programs in which people paint:
///
///     raw.nrrd  labels.nrrd    or .tif; voxel size and offset stand in them
///     itksnap_labels.txt       ids, colours and names of the atoms, as ITK-SNAP reads them
///     crop.json                where the box was taken from
///
/// Labels that are there already stay: somebody may have painted. Returns the exit code of the stages.
/// Errors: kInvalidArgument for a box outside of raw; kAlreadyExists where the folder holds another crop's
/// labels.
int cut_crop(const CropCut& cut, const RunStage& run);

/// What was painted in such a folder.
struct TakenCrop {
  int code = 0;        ///< of the stages
  std::string toml;    ///< [[crops]] for a cell.toml
  std::string report;  ///< voxels per id
};

/// Imports FOLDER/labels.* into a dataset on the grid that crop.json states: programs that paint forget voxel
/// sizes. Errors: kNotFound; kInvalidArgument where its shape is not that of the crop.
TakenCrop take_crop(const std::filesystem::path& folder, const std::string& dataset,
                    const config::Taxonomy& taxonomy, const RunStage& run);

}  // namespace organon::app
