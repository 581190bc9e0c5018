#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/mesh/mesh.h"

namespace organon::mesh {

/// Twice a voxel index: voxel centres are even, the middle between two centres has one odd value. Exact, so
/// that the same vertex found in two blocks is recognised.
using DoubledIndex = Vec3<std::int32_t, struct DoubledIndexTag>;

/// The part of one object's surface that lies in one block.
struct SurfaceFragment {
  std::uint64_t id = 0;
  std::vector<DoubledIndex> vertices;
  std::vector<Triangle> triangles;
};

/// Surfaces of all ids in one pass, each half-way between the voxel centres inside and outside the id.
///
/// Shapes: `labels` lies on `view_box`; 0 is background and has no surface. Requires: `owned_box` lies in
/// `domain`, and `view_box` holds the part of the domain in `owned_box` grown by one voxel upwards; the
/// domain's values are below 2^30. Outside the domain is background: an object that ends there is closed by a
/// flat face on the voxels' outer sides.
///
/// The result, sorted by id, holds the triangles of the cells (cubes between 8 voxel centres) whose lowest
/// voxel is in `owned_box`, or just below it at the domain's begin. Over a partition of the domain each cell
/// occurs once: stitch_fragments() of the fragments of an id is its surface in the whole domain, a closed
/// 2-manifold whatever the voxels are. Voxels of one id that share no face are not joined inside a face of a
/// cell, so they touch in no edge. Where two ids touch, each has its own surface, at the same place.
///
/// Errors: kResourceExhausted beyond 2^32 vertices of an id. Cost: one pass, memory by the surface and by six
/// planes of `owned_box`. Instantiated for Id = uint8, uint16, uint32, uint64. Source: [lorensen1987].
template <class Id>
std::vector<SurfaceFragment> extract_surfaces(ArrayView<const Id> labels, const Box& view_box,
                                              const Box& owned_box, const Box& domain);
/// As above for the one object `id` (not 0); empty where it has no surface here.
template <class Id>
SurfaceFragment extract_surface(ArrayView<const Id> labels, const Box& view_box, const Box& owned_box,
                                const Box& domain, std::uint64_t id);

/// Joins fragments of one id; equal vertices become one. Vertices are ordered by place, triangles begin at
/// their first vertex and are ordered too: the result depends on the surface alone, not on how it was cut.
/// Cost: a sort of the vertices and of the triangles.
SurfaceFragment stitch_fragments(std::span<const SurfaceFragment> fragments);

/// Number of the vertex at a place; nothing where there is none. Requires: the result of stitch_fragments().
std::optional<std::uint32_t> number_of(const SurfaceFragment& stitched, const DoubledIndex& vertex);

/// Places the vertices in space.
Mesh to_mesh(const SurfaceFragment& fragment, const VoxelGrid& grid);

}  // namespace organon::mesh
