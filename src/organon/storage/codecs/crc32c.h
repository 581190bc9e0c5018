#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace organon::storage {

/// CRC-32C, by ISA-L with the instructions of the processor. Source: [castagnoli1993crc], RFC 3720.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// Appends the checksum, four bytes little-endian, of what `output` holds from `start` on.
void append_crc32c(std::vector<std::byte>& output, std::size_t start);
/// `bytes` without the checksum at their end. Errors: kCorruptData where there is none, or another.
std::span<const std::byte> without_crc32c(std::span<const std::byte> bytes);

}  // namespace organon::storage
