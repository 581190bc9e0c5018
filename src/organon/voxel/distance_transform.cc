#include "organon/voxel/distance_transform.h"

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

void transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
               const DistanceOptions& options, DistanceValue value, ArrayView<float> result) {
  const Shape3 shape = mask.shape();
  ORGANON_CHECK(shape == result.shape());
  check_distance_arguments(voxel_size_nm, options.bound_nm);
  if (mask.size() == 0) return;
  DistancePass along_x(shape.x, voxel_size_nm.x, options.bound_nm, DistanceBorder::kAbsent);
  DistancePass along_y(shape.y, voxel_size_nm.y, options.bound_nm, DistanceBorder::kAbsent);
  DistancePass along_z(shape.z, voxel_size_nm.z, options.bound_nm, DistanceBorder::kAbsent);
  Array<std::uint8_t> occupied(occupancy_shape(shape));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    // Slice by slice, while it is in the cache.
    const Box slice{{z, 0, 0}, {z + 1, shape.y, shape.x}};
    const auto slice_occupied = occupied.view().part(Box::of_shape(occupied.shape()).intersect(slice));
    along_x.start_mask(mask.part(slice), options.to, result.part(slice), slice_occupied);
    along_y.go_on(Axis::kY, DistanceValue::kSquare, result.part(slice), slice_occupied);
  }
  along_z.go_on(Axis::kZ, value, result, occupied);
}

}  // namespace

void squared_distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                                const DistanceOptions& options, ArrayView<float> squared_nm2) {
  transform(mask, voxel_size_nm, options, DistanceValue::kSquare, squared_nm2);
}

void distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                        const DistanceOptions& options, ArrayView<float> distance_nm) {
  transform(mask, voxel_size_nm, options, DistanceValue::kRoot, distance_nm);
}

}  // namespace organon::voxel
