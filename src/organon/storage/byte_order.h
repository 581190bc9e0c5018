#pragma once

#include <bit>
#include <cstddef>
#include <span>

namespace organon::storage {

static_assert(std::endian::native == std::endian::little, "voxels in memory are taken to be little-endian");

/// Reverses the bytes of each element of `element_bytes` (1, 2, 4 or 8) in place.
/// Requires: the size is a multiple of it.
void swap_byte_order(std::span<std::byte> bytes, std::size_t element_bytes);

}  // namespace organon::storage
