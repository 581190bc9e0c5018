#include "organon/storage/codecs/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <cstring>

#include "organon/base/error.h"
#include "organon/storage/byte_order.h"  // numbers are little-endian, as in memory

namespace organon::storage {

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  // ISA-L counts in int, and leaves it to the caller to invert before and after.
  constexpr std::size_t kMaxCallBytes = std::size_t{1} << 30;
  std::uint32_t state = 0xffffffff;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kMaxCallBytes));
    auto* const first = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(part.data()));
    state = crc32_iscsi(first, static_cast<int>(part.size()), state);
    bytes = bytes.subspan(part.size());
  }
  return ~state;
}

void append_crc32c(std::vector<std::byte>& output, std::size_t start) {
  const std::uint32_t checksum = crc32c(std::span(output).subspan(start));
  const auto bytes = std::as_bytes(std::span(&checksum, 1));
  output.insert(output.end(), bytes.begin(), bytes.end());
}

std::span<const std::byte> without_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t expected = 0;
  if (bytes.size() < sizeof(expected))
    throw Error(ErrorKind::kCorruptData, "the bytes end before their CRC-32C");
  const auto content = bytes.first(bytes.size() - sizeof(expected));
  std::memcpy(&expected, bytes.data() + content.size(), sizeof(expected));
  if (crc32c(content) != expected) throw Error(ErrorKind::kCorruptData, "the bytes have another CRC-32C");
  return content;
}

}  // namespace organon::storage
