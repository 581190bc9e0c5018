#pragma once

#include <optional>
#include <string>
#include <vector>

#include "organon/stages/training/sample_source.h"

namespace organon::stages {

/// Where a crop's voxels are and how they become a TrainingCrop.
struct CropRequest {
  std::string raw;      ///< dataset or pyramid
  std::string targets;  ///< group with one dataset per class
  std::vector<std::string> classes;
  /// Grey values mapped to -1 and 1; empty: storage::contrast_of() the dataset.
  std::vector<double> contrast_limits;
  Shape3 context;                 ///< voxels of raw needed around what is annotated
  std::int64_t target_scale = 1;  ///< target voxels per raw voxel and axis
  /// How raw finer than that is reduced: by its mean, or all ways of taking one voxel of each cell.
  bool takes_phases = false;
};

struct LoadedCrop {
  TrainingCrop crop;
  SizeNm voxel_size_nm;  ///< of raw as it is learned from
  std::string note;      ///< which level of raw was taken, and whether it was reduced
};

/// Reads the annotated part of a crop into memory, raw on the grid of the targets made coarser by the target
/// scale: the level of the pyramid whose voxel size is nearest from below is taken, and reduced where it is
/// finer by a whole factor.
///
/// Errors: kInvalidArgument where a class has no targets, where no voxel is annotated, where raw is coarser
/// or does not reduce to the targets' grid (2 % and half a voxel are tolerated), or where contrast limits are
/// neither given nor stored.
LoadedCrop load_crop(const CropRequest& request);

}  // namespace organon::stages
