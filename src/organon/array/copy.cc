#include "organon/array/copy.h"

#include <algorithm>
#include <cstring>

#include "organon/array/data_type.h"

namespace organon {

template <class T>
void copy_voxels(ArrayView<const T> source, ArrayView<T> target) {
  ORGANON_CHECK(source.shape() == target.shape());
  const Shape3 shape = source.shape();
  const bool rows_are_contiguous = source.stride().x == 1 && target.stride().x == 1;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const T* from = source.row(z, y);
      T* to = target.row(z, y);
      if (rows_are_contiguous) {
        std::copy_n(from, shape.x, to);
      } else {
        for (std::int64_t x = 0; x < shape.x; ++x) to[x * target.stride().x] = from[x * source.stride().x];
      }
    }
  }
}

template <class T>
void fill_voxels(ArrayView<T> target, T value) {
  const Shape3 shape = target.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      T* to = target.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) to[x * target.stride().x] = value;
    }
  }
}

template <class T>
void copy_overlap(ArrayView<const T> source, const Box& source_box, ArrayView<T> target,
                  const Box& target_box) {
  const Box shared = source_box.intersect(target_box);
  if (shared.empty()) return;
  copy_voxels<T>(source.part(shared.translate(Index3{} - source_box.begin)),
                 target.part(shared.translate(Index3{} - target_box.begin)));
}

#define ORGANON_INSTANTIATE(T)                                    \
  template void copy_voxels<T>(ArrayView<const T>, ArrayView<T>); \
  template void fill_voxels<T>(ArrayView<T>, T);                  \
  template void copy_overlap<T>(ArrayView<const T>, const Box&, ArrayView<T>, const Box&);
ORGANON_FOR_EACH_VOXEL_TYPE(ORGANON_INSTANTIATE)
#undef ORGANON_INSTANTIATE

}  // namespace organon
