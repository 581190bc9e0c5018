#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// One bzip2 stream; `level` 1 .. 9 is the size of its blocks in 100 kB. CRC-32 per block. Source:
/// [seward1996bzip].
void append_bzip2(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output);
/// Also several streams after one another, as parallel compressors write them.
/// Errors: kCorruptData.
void decode_bzip2(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
