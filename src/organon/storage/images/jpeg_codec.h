#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "organon/array/any_array.h"

namespace organon::storage {

/// Values of the JPEG in `bytes`, shape (num_channels, y, x), uint8: grey (1) or red, green, blue (3).
/// Errors: kCorruptData for every damage that libjpeg sees, and where it has another number of pixels than
/// `num_pixels` (before anything is allocated); kUnsupported for another number of channels.
AnyArray decode_jpeg(std::span<const std::byte> bytes, std::int64_t num_pixels,
                     std::int64_t num_channels = 1);

}  // namespace organon::storage
