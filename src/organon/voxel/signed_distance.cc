#include "organon/voxel/signed_distance.h"

#include <algorithm>

#include "organon/voxel/label_distance.h"

namespace organon::voxel {

Array<std::uint8_t> sides_of(ArrayView<const std::uint8_t> mask) {
  const Shape3 shape = mask.shape();
  Array<std::uint8_t> member = Array<std::uint8_t>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const std::uint8_t* from = mask.row(z, y);
      std::uint8_t* to = member.view().row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) to[x] = from[x * mask.stride().x] != 0;
    }
  }
  // A cube erodes axis by axis: each row with its neighbours. `sides` is the mask eroded along y and z first.
  Array<std::uint8_t> sides = Array<std::uint8_t>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      std::uint8_t* row = sides.view().row(z, y);
      std::fill_n(row, shape.x, std::uint8_t{1});
      for (std::int64_t near_z = std::max<std::int64_t>(z - 1, 0); near_z <= std::min(z + 1, shape.z - 1);
           ++near_z) {
        for (std::int64_t near_y = std::max<std::int64_t>(y - 1, 0); near_y <= std::min(y + 1, shape.y - 1);
             ++near_y) {
          const std::uint8_t* near = member.view().row(near_z, near_y);
          for (std::int64_t x = 0; x < shape.x; ++x) row[x] &= near[x];
        }
      }
      const std::uint8_t* own = member.view().row(z, y);
      std::uint8_t before = 1;
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const std::uint8_t here = row[x];
        const std::uint8_t after = x + 1 < shape.x ? row[x + 1] : std::uint8_t{1};
        const bool is_inside = (before & here & after) != 0;
        row[x] = static_cast<std::uint8_t>(own[x] == 0 ? Side::kOutside
                                                       : (is_inside ? Side::kInside : Side::kBoundary));
        before = here;
      }
    }
  }
  return sides;
}

void sign_distances(ArrayView<const std::uint8_t> sides, ArrayView<float> distance) {
  const Shape3 shape = sides.shape();
  ORGANON_CHECK(distance.shape() == shape);
  const auto outside = static_cast<std::uint8_t>(Side::kOutside);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const std::uint8_t* side = sides.row(z, y);
      float* row = distance.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        float& value = row[x * distance.stride().x];
        value = side[x * sides.stride().x] == outside ? -value : value;
      }
    }
  }
}

void signed_distance(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm, double bound_nm,
                     ArrayView<float> signed_nm) {
  ORGANON_CHECK(signed_nm.shape() == mask.shape());
  const Array<std::uint8_t> sides = sides_of(mask);
  label_distance<std::uint8_t>(sides, voxel_size_nm, {DistanceBorder::kAbsent, bound_nm}, signed_nm);
  sign_distances(sides, signed_nm);
}

}  // namespace organon::voxel
