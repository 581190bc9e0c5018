#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/mesh/mesh.h"

namespace organon::mesh {

/// Neuroglancer's single-resolution mesh fragment, little-endian:
///
///     uint32 number of vertices | float32 x y z per vertex, nm | uint32 three vertex numbers per triangle
///
/// Its space is x first; the swap from z y x happens here. Coordinates are nm in the frame of the mesh: a
/// viewer puts voxel corners, not centres, at 0, so the writer of a dataset adds half a voxel before.
/// Errors: kInvalidArgument beyond 2^32 - 1 vertices.
std::vector<std::byte> encode_legacy_mesh(const Mesh& mesh);

/// Errors: kCorruptData where the bytes end early, are no whole number of triangles, name a vertex that does
/// not exist, or hold a coordinate that is not finite. Memory: at most twice the bytes given.
Mesh decode_legacy_mesh(std::span<const std::byte> bytes);

}  // namespace organon::mesh
