#include "organon/storage/byte_order.h"

#include <cstdint>
#include <cstring>

#include "organon/base/check.h"

namespace organon::storage {
namespace {

template <class T, class Swap>
void swap_each(std::span<std::byte> bytes, Swap swap) {
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, &bytes[i], sizeof(T));
    value = swap(value);
    std::memcpy(&bytes[i], &value, sizeof(T));
  }
}

}  // namespace

void swap_byte_order(std::span<std::byte> bytes, std::size_t element_bytes) {
  ORGANON_CHECK(bytes.size() % element_bytes == 0);
  switch (element_bytes) {
    case 1:
      return;
    case 2:
      return swap_each<std::uint16_t>(bytes, [](std::uint16_t v) { return __builtin_bswap16(v); });
    case 4:
      return swap_each<std::uint32_t>(bytes, [](std::uint32_t v) { return __builtin_bswap32(v); });
    case 8:
      return swap_each<std::uint64_t>(bytes, [](std::uint64_t v) { return __builtin_bswap64(v); });
    default:
      ORGANON_CHECK(false && "element of 1, 2, 4 or 8 bytes");
  }
}

}  // namespace organon::storage
