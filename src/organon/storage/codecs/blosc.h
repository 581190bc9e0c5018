#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/storage/dataset_spec.h"

namespace organon::storage {

/// A Blosc 1 frame, bytes shuffled. It has no checksum. Source: [alted2009blosc].
/// Errors: kInvalidArgument above 2 GiB; kUnsupported where this machine's Blosc lacks the inner codec.
void append_blosc(std::span<const std::byte> bytes, BloscInner inner, int level, std::size_t voxel_bytes,
                  std::vector<std::byte>& output);
/// Any inner codec (blosclz, lz4, lz4hc, zlib, zstd, snappy where built in) and any shuffle.
/// Errors: kCorruptData.
void decode_blosc(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
