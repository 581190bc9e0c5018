#pragma once

#include "organon/array/array.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/phantom/cell.h"

namespace organon::phantom {

/// What lies at the centres of voxels.
struct LabelledVoxels {
  Array<std::uint8_t> labels;    ///< namespace ids; never 0
  Array<std::uint32_t> objects;  ///< Object::id; 0: none. Envelope: the ER's; exit sites: their own.
};

/// The voxels `box` of `grid`; the box may reach outside the cell's volume.
///
/// Where things meet, the label is that of the later one of: cytosol, nucleus, exit sites, ER, pores, Golgi
/// and microtubules, all others; by construction only envelope, ER, exit sites and what stands in them meet.
/// A voxel depends on nothing but its place. Memory: 13 bytes a voxel. Cost: about 50 ns a voxel.
LabelledVoxels label_voxels(const Cell& cell, const VoxelGrid& grid, const Box& box);

/// Ids of the nucleus, its envelope included.
bool is_in_nucleus(std::uint8_t label);
/// Ids of the ER: exit sites and the nucleus's envelope, with its pores, included.
bool is_in_er(std::uint8_t label);

}  // namespace organon::phantom
