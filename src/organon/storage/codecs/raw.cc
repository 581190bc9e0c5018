#include "organon/storage/codecs/raw.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"

namespace organon::storage {

void append_raw(std::span<const std::byte> bytes, std::vector<std::byte>& output) {
  output.insert(output.end(), bytes.begin(), bytes.end());
}

void decode_raw(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  if (encoded.size() != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("expected {} raw bytes, found {}", decoded.size(), encoded.size()));
  }
  std::ranges::copy(encoded, decoded.begin());
}

}  // namespace organon::storage
