#pragma once

#include <cstdint>
#include <type_traits>

#include "organon/base/check.h"
#include "organon/geometry/box.h"

namespace organon {

/// Element (not byte) strides, z y x.
using Stride3 = Vec3<std::int64_t, struct StrideTag>;

/// A window on voxels that somebody else owns: pointer, shape, element strides; `const T` for read-only.
/// Copying a view copies no voxels. A view never outlives the call it is given to.
template <class T>
class ArrayView {
 public:
  ArrayView() = default;
  /// Contiguous: z y x with x fastest.
  ArrayView(T* data, const Shape3& shape) : ArrayView(data, shape, {shape.y * shape.x, shape.x, 1}) {}
  ArrayView(T* data, const Shape3& shape, const Stride3& stride)
      : data_(data), shape_(shape), stride_(stride) {}
  /// A writable view is also a read-only one.
  template <class U>
  requires(std::is_same_v<const U, T>) ArrayView(const ArrayView<U>& other)
      : ArrayView(other.data(), other.shape(), other.stride()) {}

  T* data() const { return data_; }
  const Shape3& shape() const { return shape_; }
  const Stride3& stride() const { return stride_; }
  std::int64_t size() const { return shape_.product(); }

  T& operator()(std::int64_t z, std::int64_t y, std::int64_t x) const {
    ORGANON_DCHECK(z >= 0 && z < shape_.z && y >= 0 && y < shape_.y && x >= 0 && x < shape_.x);
    return data_[z * stride_.z + y * stride_.y + x * stride_.x];
  }
  T& operator()(const Index3& index) const { return (*this)(index.z, index.y, index.x); }
  /// First voxel of the row (z, y); rows are contiguous only where stride().x == 1.
  T* row(std::int64_t z, std::int64_t y) const { return data_ + z * stride_.z + y * stride_.y; }

  /// The part inside `box` (in this view's own indices). Requires: `box` lies inside.
  ArrayView part(const Box& box) const {
    ORGANON_CHECK(Box::of_shape(shape_).contains(box));
    return {data_ + box.begin.z * stride_.z + box.begin.y * stride_.y + box.begin.x * stride_.x, box.shape(),
            stride_};
  }

 private:
  T* data_ = nullptr;
  Shape3 shape_{};
  Stride3 stride_{};
};

}  // namespace organon
