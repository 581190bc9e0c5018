#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// One zstd frame with its checksum. Level 0 is zstd's own default, 3. Source: RFC 8878.
void append_zstd(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output);
/// Errors: kCorruptData.
void decode_zstd(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
