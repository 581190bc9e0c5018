#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// A Blosc 1 frame: zstd inside, bytes shuffled. It has no checksum. Source: [alted2009blosc].
void append_blosc(std::span<const std::byte> bytes, int level, std::size_t voxel_bytes,
                  std::vector<std::byte>& output);
/// Any inner codec (blosclz, lz4, lz4hc, zlib, zstd, snappy where built in) and any shuffle.
/// Errors: kCorruptData.
void decode_blosc(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
