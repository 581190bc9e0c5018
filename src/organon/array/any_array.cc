#include "organon/array/any_array.h"

namespace organon {

// Memory is aligned to 16 bytes at least, enough for every voxel type.
AnyArray::AnyArray(DataType type, const Shape3& shape)
    : type_(type), shape_(shape), data_(allocate_voxels<std::byte>(num_bytes())) {}

}  // namespace organon
