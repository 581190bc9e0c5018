#include "organon/voxel/label_distance.h"

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

double step_nm(const SizeNm& voxel_size_nm, Axis axis) {
  return axis == Axis::kZ ? voxel_size_nm.z : axis == Axis::kY ? voxel_size_nm.y : voxel_size_nm.x;
}

std::int64_t length(const Shape3& shape, Axis axis) {
  return axis == Axis::kZ ? shape.z : axis == Axis::kY ? shape.y : shape.x;
}

template <class Id>
void transform(ArrayView<const Id> labels, const SizeNm& voxel_size_nm, const LabelDistanceOptions& options,
               DistanceValue value, ArrayView<float> result) {
  const Shape3 shape = labels.shape();
  ORGANON_CHECK(shape == result.shape());
  check_distance_arguments(voxel_size_nm, options.bound_nm);
  if (labels.size() == 0) return;
  DistancePass along_x(shape.x, voxel_size_nm.x, options.bound_nm, options.border);
  DistancePass along_y(shape.y, voxel_size_nm.y, options.bound_nm, options.border);
  DistancePass along_z(shape.z, voxel_size_nm.z, options.bound_nm, options.border);
  Array<std::uint8_t> occupied(occupancy_shape(shape));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    // Slice by slice, while it is in the cache.
    const Box slice{{z, 0, 0}, {z + 1, shape.y, shape.x}};
    const auto slice_occupied = occupied.view().part(Box::of_shape(occupied.shape()).intersect(slice));
    along_x.start(labels.part(slice), result.part(slice), slice_occupied);
    along_y.go_on(labels.part(slice), Axis::kY, DistanceValue::kSquare, result.part(slice), slice_occupied);
  }
  along_z.go_on(labels, Axis::kZ, value, result, occupied);
}

}  // namespace

template <class Id>
void squared_label_distance(ArrayView<const Id> labels, const SizeNm& voxel_size_nm,
                            const LabelDistanceOptions& options, ArrayView<float> squared_nm2) {
  transform(labels, voxel_size_nm, options, DistanceValue::kSquare, squared_nm2);
}

template <class Id>
void label_distance(ArrayView<const Id> labels, const SizeNm& voxel_size_nm,
                    const LabelDistanceOptions& options, ArrayView<float> distance_nm) {
  transform(labels, voxel_size_nm, options, DistanceValue::kRoot, distance_nm);
}

template <class Id>
void label_distance_pass(ArrayView<const Id> labels, Axis axis, const SizeNm& voxel_size_nm,
                         const LabelDistanceOptions& options, ArrayView<float> squared_nm2) {
  ORGANON_CHECK(labels.shape() == squared_nm2.shape());
  check_distance_arguments(voxel_size_nm, options.bound_nm);
  if (labels.size() == 0) return;
  DistancePass pass(length(labels.shape(), axis), step_nm(voxel_size_nm, axis), options.bound_nm,
                    options.border);
  if (axis == Axis::kX) {
    pass.start(labels, squared_nm2, {});
  } else {
    pass.go_on(labels, axis, DistanceValue::kSquare, squared_nm2, {});
  }
}

#define ORGANON_INSTANTIATE(Id)                                                                             \
  template void squared_label_distance<Id>(ArrayView<const Id>, const SizeNm&, const LabelDistanceOptions&, \
                                           ArrayView<float>);                                               \
  template void label_distance<Id>(ArrayView<const Id>, const SizeNm&, const LabelDistanceOptions&,         \
                                   ArrayView<float>);                                                       \
  template void label_distance_pass<Id>(ArrayView<const Id>, Axis, const SizeNm&,                           \
                                        const LabelDistanceOptions&, ArrayView<float>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
