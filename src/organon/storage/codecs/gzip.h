#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// The two wrappings of a deflate stream: RFC 1952 (CRC-32) and RFC 1950 (Adler-32).
enum class GzipFraming { kGzip, kZlib };

/// Level 1 by ISA-L (fast), 0 and 2 .. 9 by libdeflate (small). Source: RFC 1952.
void append_gzip(std::span<const std::byte> bytes, int level, GzipFraming framing,
                 std::vector<std::byte>& output);
/// Also several gzip members after one another. Checksums are checked; bytes after the stream are an error.
/// Errors: kCorruptData.
void decode_gzip(std::span<const std::byte> encoded, GzipFraming framing, std::span<std::byte> decoded);

/// As decode_gzip(), for streams that do not tell how much they hold. Errors: also above `max_bytes`.
std::vector<std::byte> decode_gzip_of_unknown_size(std::span<const std::byte> encoded, std::size_t max_bytes);

}  // namespace organon::storage
