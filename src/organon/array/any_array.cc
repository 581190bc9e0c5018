#include "organon/array/any_array.h"

namespace organon {

// operator new aligns to 16 bytes, enough for every voxel type.
AnyArray::AnyArray(DataType type, const Shape3& shape)
    : type_(type), shape_(shape), data_(std::make_unique_for_overwrite<std::byte[]>(num_bytes())) {}

}  // namespace organon
