#pragma once

#include <memory>
#include <string>

#include "organon/geometry/box.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/storage/dataset.h"

namespace organon::storage {

/// A dataset seen from a grid whose voxels are its own or larger by a whole factor per axis.
///
///     grid      |     0     |     1     |
///     dataset   |  a  | a+1 | a+2 | a+3 |      first = a, factor = 2
struct FittedDataset {
  std::shared_ptr<Dataset> dataset;
  Shape3 factor{1, 1, 1};
  Index3 first;  ///< its voxel at the begin of the cell of the grid's voxel 0

  /// Voxels of the grid whose cells lie wholly inside.
  Box coverage() const;
  /// The dataset's voxels in a box of the grid.
  Box cells_of(const Box& box) const;
};

/// A grid, and what it is the grid of, for messages: "the segmentation".
struct NamedGrid {
  VoxelGrid grid;
  std::string name;
};

/// Errors: kInvalidArgument naming `name` where voxel sizes are no whole multiples (to a thousandth) or
/// voxels lie askew (by more than a twentieth of the dataset's).
FittedDataset fit_dataset(std::shared_ptr<Dataset> dataset, const NamedGrid& onto, const std::string& name);

}  // namespace organon::storage
