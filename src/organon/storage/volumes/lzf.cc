#include "organon/storage/volumes/lzf.h"

#include <algorithm>

namespace organon::storage {

std::optional<std::size_t> decode_lzf(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  std::size_t in = 0;
  std::size_t out = 0;
  const auto next = [&] { return std::to_integer<std::size_t>(encoded[in++]); };
  while (in < encoded.size()) {
    const std::size_t control = next();
    if (control < 32) {
      const std::size_t count = control + 1;
      if (count > encoded.size() - in || count > decoded.size() - out) return std::nullopt;
      std::copy_n(encoded.begin() + static_cast<std::ptrdiff_t>(in), count,
                  decoded.begin() + static_cast<std::ptrdiff_t>(out));
      in += count;
      out += count;
      continue;
    }
    std::size_t count = (control >> 5) + 2;
    if (count == 9) {
      if (in == encoded.size()) return std::nullopt;
      count += next();
    }
    if (in == encoded.size()) return std::nullopt;
    const std::size_t distance = ((control & 31) << 8 | next()) + 1;
    if (distance > out || count > decoded.size() - out) return std::nullopt;
    // Byte by byte: where the count exceeds the distance, what is copied is a part of the copy.
    for (std::size_t i = 0; i < count; ++i, ++out) decoded[out] = decoded[out - distance];
  }
  return out;
}

}  // namespace organon::storage
