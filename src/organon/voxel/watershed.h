#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/voxel/label_components.h"

namespace organon::voxel {

/// Watershed by steepest ascent, exact in blocks.
///
/// Voxels of value 0 are background. Of the others, each steps to its highest neighbour across a face that is
/// higher than itself (among equals the first in raster order). Where none is higher it lies in a plateau of
/// equal values: there it steps along a shortest way inside the plateau to a voxel that has a higher
/// neighbour (again the first in raster order), and where the whole plateau has no such exit, the plateau is
/// a top. A basin is all that ends in one top.
///
///     values  3 4 4 4 5 4 3        steps  > > > > * < <       one top: the 5
///     values  3 4 4 2 5 5 3        steps  > * * > * * <       two: the plateaus 4 4 and 5 5
///
/// In blocks, distances to exits are worked out in rounds (blockwise/iterate.h), and ways that leave a block
/// end at a voxel of the next, whose basin is looked up afterwards.
/// Idea after steepest-ascent watersheds [zlateski2015]; there plateaus are shared out by breadth-first
/// order.

/// A block of a volume with the voxels around it.
struct AscentBlock {
  ArrayView<const std::uint16_t> values;  ///< of `read_box`; rows contiguous
  Box read_box;                           ///< the block grown by one voxel, clipped to the volume
  Box box;                                ///< the block
  Shape3 volume_shape;                    ///< gives raster indices of voxels
};

/// A voxel of a plateau at the face of a block, where the plateau goes on beyond it.
struct PlateauVoxel {
  std::uint64_t voxel = 0;                  ///< raster index in the volume
  std::uint64_t distance_voxels = kNoExit;  ///< steps inside the plateau to a voxel with a higher neighbour

  static constexpr std::uint64_t kNoExit = std::numeric_limits<std::uint32_t>::max();
  friend bool operator==(const PlateauVoxel&, const PlateauVoxel&) = default;
};

/// Steps from each voxel of the block to the nearest exit of its plateau, as far as the block and `around`,
/// plateau voxels of other blocks, tell: 0 where it has a higher neighbour, PlateauVoxel::kNoExit where
/// nothing is known, or the voxel is background.
///
/// Shapes: `distance_voxels` as the block, contiguous. Requires: fewer than 2^32 voxels in the block.
/// Cost: a few passes; every voxel enters one queue at most.
void distances_to_exits(const AscentBlock& block, std::span<const PlateauVoxel> around,
                        ArrayView<std::uint32_t> distance_voxels);

/// Those voxels of the block that other blocks must know of, in raster order.
std::vector<PlateauVoxel> plateau_voxels_at_faces(const AscentBlock& block,
                                                  ArrayView<const std::uint32_t> distance_voxels);

/// A basin of the block goes on in another block: at `voxel` (raster index in the volume) of it.
struct BasinExit {
  std::uint64_t voxel = 0;
  std::uint32_t label = 0;
  std::uint32_t unused = 0;  ///< so that all bytes are known
};

struct BlockBasins {
  Components components;         ///< labels 1, 2, .. in raster order of first voxels; without boxes
  std::vector<BasinExit> exits;  ///< a label has at most one, or several where a top goes on
};

/// Labels the parts of basins that lie in the block. `distance_voxels` and `around` must be settled.
/// Shapes: `labels` as the block, contiguous.
BlockBasins label_basins(const AscentBlock& block, std::span<const PlateauVoxel> around,
                         ArrayView<const std::uint32_t> distance_voxels, ArrayView<std::uint32_t> labels);

/// Basins of a whole volume in memory. Shapes: `labels` as `values`, both contiguous. Cost: 6 bytes a voxel
/// besides.
Components watershed(ArrayView<const std::uint16_t> values, ArrayView<std::uint32_t> labels);

}  // namespace organon::voxel
