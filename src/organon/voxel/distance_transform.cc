#include "organon/voxel/distance_transform.h"

#include "organon/voxel/distance_passes.h"

namespace organon::voxel {
namespace {

void transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
               const DistanceOptions& options, bool take_root, ArrayView<float> result) {
  const Shape3 shape = mask.shape();
  ORGANON_CHECK(shape == result.shape());
  check_distance_arguments(voxel_size_nm, options.bound_nm);
  if (mask.size() == 0) return;
  DistancePass along_x(shape.x, voxel_size_nm.x, options.bound_nm, DistanceBorder::kAbsent);
  DistancePass along_y(shape.y, voxel_size_nm.y, options.bound_nm, DistanceBorder::kAbsent);
  DistancePass along_z(shape.z, voxel_size_nm.z, options.bound_nm, DistanceBorder::kAbsent);
  const bool to_foreground = options.to == DistanceTo::kForeground;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y)
      along_x.start_mask_row(mask.row(z, y), mask.stride().x, to_foreground, result.row(z, y),
                             result.stride().x);
    along_y.go_on(Axis::kY, false, result.part({{z, 0, 0}, {z + 1, shape.y, shape.x}}));
  }
  along_z.go_on(Axis::kZ, take_root, result);
}

}  // namespace

void squared_distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                                const DistanceOptions& options, ArrayView<float> squared_nm2) {
  transform(mask, voxel_size_nm, options, false, squared_nm2);
}

void distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                        const DistanceOptions& options, ArrayView<float> distance_nm) {
  transform(mask, voxel_size_nm, options, true, distance_nm);
}

}  // namespace organon::voxel
