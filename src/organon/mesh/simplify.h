#pragma once

#include "organon/mesh/mesh.h"

namespace organon::mesh {

struct SimplifyOptions {
  /// Greatest distance, in nm, that the surface is allowed to move (estimated by the sum of squared distances
  /// to the planes of the triangles removed). 0 only joins what is flat.
  double max_error_nm = 0;
  /// Keeps open borders as they are, so that fragments still fit together.
  bool lock_border = false;
};

/// The same surface with fewer triangles. A closed mesh stays closed; vertices without triangles are left
/// out.
/// Errors: kInvalidArgument for options outside their ranges.
/// Source: edge collapses by quadric error [garland1997], by meshoptimizer.
Mesh simplify_mesh(const Mesh& mesh, const SimplifyOptions& options);

struct SmoothMeshOptions {
  /// Pairs of a shrinking and a growing step; 0 changes nothing.
  int num_iterations = 10;
  /// Weight of the shrinking step.
  double shrink = 0.5;
  /// Weight of the growing step; a little more than `shrink` keeps the volume.
  double grow = 0.53;
  /// Greatest move of a vertex along each axis, so that what is as small as a voxel does not vanish.
  SizeNm max_move_nm{1e30, 1e30, 1e30};
};

/// Smoothing moves a vertex by what lies within so many edges of it.
constexpr int smoothing_reach(int num_iterations) { return 2 * num_iterations; }

/// Moves vertices towards the means of their neighbours and back, which takes away the steps of voxels and
/// keeps the volume. Vertices on open borders stay, so that fragments still fit together; triangles do not
/// change. Two meshes that agree within smoothing_reach() of a vertex, in the order of vertices too, move it
/// to the same place, bit by bit.
/// Errors: kInvalidArgument for negative iterations. Cost: time by vertices and iterations.
/// Source: [taubin1995].
Mesh smooth_mesh(const Mesh& mesh, const SmoothMeshOptions& options);

}  // namespace organon::mesh
