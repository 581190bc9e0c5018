#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "organon/array/array.h"
#include "organon/array/data_type.h"

namespace organon {

/// Contiguous zyx voxels whose type is known only at run time, owned. Used where storage meets a stage;
/// algorithms take typed views.
class AnyArray {
 public:
  AnyArray() = default;
  /// Uninitialized voxels.
  AnyArray(DataType type, const Shape3& shape);

  DataType type() const { return type_; }
  const Shape3& shape() const { return shape_; }
  std::span<std::byte> bytes() { return {data_.get(), num_bytes()}; }
  std::span<const std::byte> bytes() const { return {data_.get(), num_bytes()}; }

  /// Typed view. Requires: data_type_of<T>() == type().
  template <class T>
  ArrayView<T> view() {
    ORGANON_CHECK(data_type_of<T>() == type_);
    return {reinterpret_cast<T*>(data_.get()), shape_};
  }
  template <class T>
  ArrayView<const T> view() const {
    ORGANON_CHECK(data_type_of<T>() == type_);
    return {reinterpret_cast<const T*>(data_.get()), shape_};
  }

 private:
  std::size_t num_bytes() const { return static_cast<std::size_t>(shape_.product()) * size_of(type_); }

  DataType type_ = DataType::kUint8;
  Shape3 shape_{};
  VoxelMemory<std::byte> data_;
};

/// Calls `use` with an ArrayView<const Id> of whole numbers, Id unsigned. Ids are never negative: those of
/// other programs in signed types count by their bits. Nothing is called for floating-point voxels.
template <class Use>
void with_ids(const AnyArray& voxels, Use use) {
  dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      using Id = std::make_unsigned_t<T>;
      use(ArrayView<const Id>(reinterpret_cast<const Id*>(voxels.bytes().data()), voxels.shape()));
    }
  });
}

}  // namespace organon
