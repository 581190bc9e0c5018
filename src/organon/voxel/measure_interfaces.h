#pragma once

#include <cstdint>

#include "organon/array/array_view.h"
#include "organon/tables/region_graph.h"

namespace organon::voxel {

/// Which level stands for a voxel face between two fragments.
enum class FaceLevel {
  kLower,        ///< the lower of both voxels' levels: the same whichever way the volume is turned
  kLaterVoxels,  ///< that of the voxel with the higher index, as waterz reads affinities
};

/// The region graph of a block: fragments with their sizes and peaks, and the levels of the faces between
/// them. A face belongs to the block that holds its voxel of lower index, so that graphs of blocks merge to
/// the graph of the volume.
///
/// Shapes: `fragments` and `levels` (0 .. 255) lie on `view_box`: the block grown by one voxel at its high
/// ends, clipped to the volume; rows contiguous. Faces to background (0) do not count.
/// Requires: fewer than 2^28 fragments in the view.
/// Cost: one pass, and a sort of the interfaces' faces, 8 bytes each.
template <class Id>
tables::RegionGraph measure_interfaces(ArrayView<const Id> fragments, ArrayView<const std::uint8_t> levels,
                                       const Box& view_box, const Box& box, FaceLevel face_level);

}  // namespace organon::voxel
