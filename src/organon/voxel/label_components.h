#pragma once

#include <cstdint>
#include <vector>

#include "organon/voxel/connected_runs.h"

namespace organon::voxel {

/// One connected component, in the indices of the labelled view.
struct Component {
  /// Position in raster order (z slowest, x fastest) of its first voxel.
  std::int64_t first_voxel = 0;
  std::int64_t voxels = 0;
  Box box;
};

/// Component k has label k + 1.
struct Components {
  std::vector<Component> components;
  std::int64_t count() const { return static_cast<std::int64_t>(components.size()); }
  const Component& of_label(std::uint32_t label) const { return components[label - 1]; }
};

/// Labels the connected components of the voxels of `mask` that are not 0.
///
/// Shapes: `labels` has the shape of `mask`; rows of both must be contiguous (stride x = 1).
/// Labels are 1, 2, .. in raster order of each component's first voxel; background is 0.
/// Requires: fewer than 2^32 voxels.
/// Cost: that of connect_runs(), and one pass over the labels.
Components label_components(ArrayView<const std::uint8_t> mask, Connectivity connectivity,
                            ArrayView<std::uint32_t> labels);

/// As label_components(), for ids: neighbours connect where their ids are equal and not 0.
/// Instantiated for Id = uint8, uint16, uint32, uint64.
template <class Id>
Components label_equal_ids(ArrayView<const Id> ids, Connectivity connectivity,
                           ArrayView<std::uint32_t> labels);

/// Labels the voxels of runs by their components; the others get 0.
Components label_runs(const ConnectedRuns& found, ArrayView<std::uint32_t> labels);

}  // namespace organon::voxel
