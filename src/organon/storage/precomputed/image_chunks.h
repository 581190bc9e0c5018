#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/array/any_array.h"

namespace organon::storage {

/// Chunks of precomputed volumes that are stored as one picture: as wide as the chunk along x, its rows those
/// of y, slice after slice; readers take any width with as many pixels. Channels become a stack
/// (channel_stack.h). Errors: kCorruptData, also where the picture has another number of pixels (found before
/// it is decoded); kUnsupported for another number of channels.
AnyArray decode_jpeg_chunk(std::span<const std::byte> bytes, std::int64_t num_channels, const Shape3& shape);
/// uint8 or uint16.
AnyArray decode_png_chunk(std::span<const std::byte> bytes, DataType type, std::int64_t num_channels,
                          const Shape3& shape);
/// One channel.
std::vector<std::byte> encode_png_chunk(const AnyArray& voxels);

}  // namespace organon::storage
