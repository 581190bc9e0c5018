#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// One .xz stream with LZMA2 and a CRC-64; `level` 0 .. 9 is a preset of liblzma, whose dictionary is not
/// made larger than the bytes. Source: [collin2009xz].
void append_xz(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output);
/// Also several streams after one another.
/// Errors: kCorruptData, also for a stream whose dictionary would take more than 256 MiB.
void decode_xz(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
