#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// LZ4 blocks do not say where they end; each format has its own frame around them.
/// - kNumcodecs: uint32 little-endian number of decoded bytes, then one block. No checksum. Of Zarr.
/// - kJava: blocks of at most 64 KiB, each with "LZ4Block", its method, both of its sizes and an XXH32 of its
///   decoded bytes; an empty block ends them. Of N5.
enum class Lz4Framing { kNumcodecs, kJava };

/// Source: [collet2011block], and lz4-java (Apache-2.0) for its frame.
/// Errors: kInvalidArgument for kNumcodecs above the 2 113 929 216 bytes that a block can hold.
void append_lz4(std::span<const std::byte> bytes, Lz4Framing framing, std::vector<std::byte>& output);
/// Errors: kCorruptData.
void decode_lz4(std::span<const std::byte> encoded, Lz4Framing framing, std::span<std::byte> decoded);

}  // namespace organon::storage
