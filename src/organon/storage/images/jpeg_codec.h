#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "organon/array/any_array.h"

namespace organon::storage {

/// Grey values of the JPEG in `bytes`, shape (1, y, x), uint8. Errors: kCorruptData for every damage that
/// libjpeg sees, and where it has another number of pixels than `num_pixels` (before anything is allocated);
/// kUnsupported for colour.
AnyArray decode_jpeg(std::span<const std::byte> bytes, std::int64_t num_pixels);

}  // namespace organon::storage
