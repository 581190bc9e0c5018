#pragma once

#include <algorithm>
#include <utility>

#include "organon/array/array_view.h"
#include "organon/array/voxel_memory.h"

namespace organon {

/// Voxels in contiguous zyx memory, owned. Moves, does not copy by accident (see clone()).
template <class T>
class Array {
 public:
  Array() = default;
  /// All voxels `value`.
  explicit Array(const Shape3& shape, T value = T{}) : Array(uninitialized(shape)) {
    std::fill_n(data_.get(), size(), value);
  }
  static Array uninitialized(const Shape3& shape) {
    ORGANON_CHECK(shape.smallest() >= 0);
    Array array;
    array.shape_ = shape;
    array.data_ = allocate_voxels<T>(static_cast<std::size_t>(shape.product()));
    return array;
  }
  Array(Array&& other) noexcept
      : data_(std::move(other.data_)), shape_(std::exchange(other.shape_, Shape3{})) {}
  Array& operator=(Array&& other) noexcept {
    data_ = std::move(other.data_);
    shape_ = std::exchange(other.shape_, Shape3{});
    return *this;
  }
  Array clone() const {
    Array copy = uninitialized(shape_);
    std::copy_n(data_.get(), size(), copy.data_.get());
    return copy;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  const Shape3& shape() const { return shape_; }
  std::int64_t size() const { return shape_.product(); }
  T& operator()(std::int64_t z, std::int64_t y, std::int64_t x) { return view()(z, y, x); }
  const T& operator()(std::int64_t z, std::int64_t y, std::int64_t x) const { return view()(z, y, x); }
  T& operator()(const Index3& index) { return view()(index); }
  const T& operator()(const Index3& index) const { return view()(index); }

  ArrayView<T> view() { return {data_.get(), shape_}; }
  ArrayView<const T> view() const { return {data_.get(), shape_}; }
  operator ArrayView<T>() { return view(); }
  operator ArrayView<const T>() const { return view(); }

 private:
  VoxelMemory<T> data_;
  Shape3 shape_{};
};

}  // namespace organon
