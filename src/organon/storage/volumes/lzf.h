#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace organon::storage {

/// Decodes an LZF block, as h5py's filter stores chunks, into `decoded`; returns how many bytes there were.
/// Nothing where the block is damaged, reaches before its begin, or holds more than `decoded` has room for.
/// The format: a control byte c < 32 is followed by c + 1 literal bytes. Else c >> 5 is a length less 2 (7:
/// add the next byte), and the low 5 bits of c with the byte after are a distance less 1, high bits first.
/// Source: [lehmann2000liblzf], the description of its format.
std::optional<std::size_t> decode_lzf(std::span<const std::byte> encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
