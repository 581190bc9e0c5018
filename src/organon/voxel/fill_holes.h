#pragma once

#include <cstdint>
#include <vector>

#include "organon/voxel/label_components.h"

namespace organon::voxel {

/// What lies around a component of background.
struct Surroundings {
  std::uint64_t met_id = 0;  ///< an id among the 26 neighbours of its voxels; 0: none
  bool meets_several = false;
  bool touches_edge = false;  ///< of the volume

  /// Of a component that is a hole of one object.
  bool is_hole() const { return met_id != 0 && !meets_several && !touches_edge; }
};

/// Gives holes the id around them: each face-connected component of background (0) that does not touch the
/// volume's edge and meets, over 26 neighbours, exactly one id. Returns how many voxels were filled.
///
/// Shapes: the whole volume; rows must be contiguous (stride x = 1). Requires: fewer than 2^32 voxels.
/// Instantiated for Id = uint8, uint16, uint32, uint64.
/// Cost: one pass, and the neighbours of the holes; 12 bytes a run of background along x.
/// Source: [heinrich2021cosem] (SparkFillHolesInConnectedComponents), without its marker id for the volume's
/// edge.
template <class Id>
std::int64_t fill_holes(ArrayView<Id> labels);

/// The components of background of a part of a volume, in the part's indices, and what lies around each.
struct Background {
  Components components;
  std::vector<Surroundings> surroundings;  ///< per component
};

/// For filling block by block: labels the background of `part` into `components`, as label_components(), and
/// notes what the part and its halo of one voxel tell of its surroundings. Of components that touch the edge
/// or meet several ids no more is noted than that.
///
/// Shapes: `part` and `volume` are boxes in indices of `labels`; the view holds the part and what of its halo
/// lies in the volume. `components` has the part's shape. Instantiated as fill_holes().
template <class Id>
Background label_background(ArrayView<const Id> labels, const Box& part, const Box& volume,
                            ArrayView<std::uint32_t> components);

}  // namespace organon::voxel
