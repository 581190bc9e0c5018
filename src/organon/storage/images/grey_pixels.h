#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace organon::storage {

/// Takes one grey value per pixel from interleaved samples: `num_channels` is 1 (grey), 2 (grey, alpha), 3
/// (red, green, blue) or 4 (with alpha). `samples` need not be aligned; T is uint8 or uint16. Errors:
/// kUnsupported naming `where` for a pixel that is coloured or not opaque.
template <class T>
void take_grey(std::span<const std::byte> samples, std::size_t num_channels, std::span<T> target,
               std::string_view where);

/// Interleaved samples of `num_channels` to one row of each channel, `row_stride` samples apart from `target`
/// on.
template <class T>
void split_channels(std::span<const std::byte> samples, std::size_t num_channels, std::size_t num_pixels,
                    T* target, std::size_t row_stride);

}  // namespace organon::storage
