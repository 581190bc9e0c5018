#pragma once

#include "organon/geometry/box.h"
#include "organon/geometry/vec3.h"

namespace organon {

/// Where voxels lie in space. Voxel *centres* carry coordinates: `offset_nm` is the centre of voxel (0, 0,
/// 0).
struct VoxelGrid {
  SizeNm voxel_size_nm{1, 1, 1};
  PointNm offset_nm{};

  PointNm to_nm(const Index3& index) const;
  /// The voxel whose half-open cell holds `point`; where that is beyond +-2^60, that.
  Index3 voxel_containing(const PointNm& point) const;
  double voxel_volume_nm3() const { return voxel_size_nm.product(); }
  /// The smallest box of voxels whose centres lie in [begin, end].
  Box voxels_with_centres_in(const PointNm& begin, const PointNm& end) const;
  /// The grid after reducing blocks of `factor` voxels to one: its first centre lies (factor - 1) / 2 voxels
  /// further.
  VoxelGrid downsampled(const Shape3& factor) const;
  /// The grid after cutting each voxel into `factor`: its first centre lies (1 - 1 / factor) / 2 voxels
  /// before. Inverse of downsampled().
  VoxelGrid refined(const Shape3& factor) const;

  friend bool operator==(const VoxelGrid&, const VoxelGrid&) = default;
};

/// True where volumes of `shape` on both grids lie on each other, to a hundredth of a voxel: metadata that
/// went through other programs is not the same to the last bit.
bool coincide(const VoxelGrid& a, const VoxelGrid& b, const Shape3& shape);

}  // namespace organon
