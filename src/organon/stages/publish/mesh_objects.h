#pragma once

#include <string>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::stages {

/// Labels -> a surface mesh per object.
struct MeshOptions {
  std::int64_t smooth_iterations = 10;
  double max_error_nm = -1;
  std::int64_t max_triangles = 2'000'000;
  std::vector<std::int64_t> fragment_shape = {256, 256, 256};

  void bind(OptionTable& table);
};

/// `LABELS OUT`: every object (id other than 0) becomes files in the folder OUT, in Neuroglancer's
/// single-resolution format (docs/formats/meshes.md): `info`, per object a manifest `<id>:0` and its
/// fragments. Vertices are nm in the frame of the published volume: grid_in_viewer().
///
/// The chain: extract each block's part of all surfaces -> group objects -> put objects together, smooth,
/// simplify -> manifests. Objects of up to `max_triangles` triangles before simplification are one fragment.
/// Larger ones are a fragment per cell of a grid of `fragment_shape` voxels: smoothed with a margin, as if
/// they were whole, and simplified with their borders kept, so that fragments fit; memory is bounded.
///
/// A vertex is moved by at most half a voxel per axis by smoothing and by about `max_error_nm` by
/// simplification. Objects are closed surfaces; where the volume ends they are closed by flat faces.
///
/// Exact: the same bytes for all blocks and workers. Halo: 1 upwards.
/// Errors: kInvalidArgument for floats; kAlreadyExists where OUT has an `info` of something else.
std::unique_ptr<blockwise::Stage> make_mesh_stage(const blockwise::StageDescription& description);

/// The grid of a volume as viewers of precomputed layers place it: corners of voxels, not centres, lie at
/// whole multiples of the voxel size. Mostly half a voxel more than `grid`.
VoxelGrid grid_in_viewer(const VoxelGrid& grid);

/// True for names of manifests and fragments: "12:0", "12:0:3".
bool is_mesh_file(const std::string& name);

}  // namespace organon::stages
