#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace organon::storage {

/// The bytes themselves.
void append_raw(std::span<const std::byte> bytes, std::vector<std::byte>& output);
/// Errors: kCorruptData where the sizes differ.
void decode_raw(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
