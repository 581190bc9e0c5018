#include "organon/geometry/voxel_grid.h"

#include <algorithm>
#include <cmath>

namespace organon {
namespace {

// Points far outside have indices far outside, not undefined ones.
std::int64_t to_index(double value) {
  constexpr double kFarthest = 0x1p60;
  return static_cast<std::int64_t>(std::clamp(value, -kFarthest, kFarthest));
}

}  // namespace

PointNm VoxelGrid::to_nm(const Index3& index) const {
  return {offset_nm.z + static_cast<double>(index.z) * voxel_size_nm.z,
          offset_nm.y + static_cast<double>(index.y) * voxel_size_nm.y,
          offset_nm.x + static_cast<double>(index.x) * voxel_size_nm.x};
}

Index3 VoxelGrid::voxel_containing(const PointNm& point) const {
  const auto axis = [](double value, double offset, double size) {
    return to_index(std::floor((value - offset) / size + 0.5));
  };
  return {axis(point.z, offset_nm.z, voxel_size_nm.z), axis(point.y, offset_nm.y, voxel_size_nm.y),
          axis(point.x, offset_nm.x, voxel_size_nm.x)};
}

Box VoxelGrid::voxels_with_centres_in(const PointNm& begin, const PointNm& end) const {
  const auto first = [](double value, double offset, double size) {
    return to_index(std::ceil((value - offset) / size));
  };
  const auto last = [](double value, double offset, double size) {
    return to_index(std::floor((value - offset) / size));
  };
  return {{first(begin.z, offset_nm.z, voxel_size_nm.z), first(begin.y, offset_nm.y, voxel_size_nm.y),
           first(begin.x, offset_nm.x, voxel_size_nm.x)},
          {last(end.z, offset_nm.z, voxel_size_nm.z) + 1, last(end.y, offset_nm.y, voxel_size_nm.y) + 1,
           last(end.x, offset_nm.x, voxel_size_nm.x) + 1}};
}

VoxelGrid VoxelGrid::downsampled(const Shape3& factor) const {
  const auto shift = [](std::int64_t f, double size) { return (static_cast<double>(f) - 1) / 2 * size; };
  return {{voxel_size_nm.z * static_cast<double>(factor.z), voxel_size_nm.y * static_cast<double>(factor.y),
           voxel_size_nm.x * static_cast<double>(factor.x)},
          {offset_nm.z + shift(factor.z, voxel_size_nm.z), offset_nm.y + shift(factor.y, voxel_size_nm.y),
           offset_nm.x + shift(factor.x, voxel_size_nm.x)}};
}

VoxelGrid VoxelGrid::refined(const Shape3& factor) const {
  const SizeNm size{voxel_size_nm.z / static_cast<double>(factor.z),
                    voxel_size_nm.y / static_cast<double>(factor.y),
                    voxel_size_nm.x / static_cast<double>(factor.x)};
  return {size,
          {offset_nm.z - (voxel_size_nm.z - size.z) / 2, offset_nm.y - (voxel_size_nm.y - size.y) / 2,
           offset_nm.x - (voxel_size_nm.x - size.x) / 2}};
}

bool coincide(const VoxelGrid& a, const VoxelGrid& b, const Shape3& shape) {
  const auto axis = [](double offset_a, double offset_b, double size_a, double size_b, std::int64_t voxels) {
    const double last = static_cast<double>(std::max<std::int64_t>(voxels - 1, 0));
    const double most = 0.01 * std::min(size_a, size_b);
    const double begin_apart = offset_b - offset_a;
    return std::abs(begin_apart) <= most && std::abs(begin_apart + last * (size_b - size_a)) <= most;
  };
  const SizeNm& s = a.voxel_size_nm;
  const SizeNm& t = b.voxel_size_nm;
  return axis(a.offset_nm.z, b.offset_nm.z, s.z, t.z, shape.z) &&
         axis(a.offset_nm.y, b.offset_nm.y, s.y, t.y, shape.y) &&
         axis(a.offset_nm.x, b.offset_nm.x, s.x, t.x, shape.x);
}

}  // namespace organon
