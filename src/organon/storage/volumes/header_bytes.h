#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "organon/base/check.h"
#include "organon/storage/byte_order.h"

namespace organon::storage {

/// Numbers at fixed places of a binary header, in either byte order.
class HeaderBytes {
 public:
  HeaderBytes(std::span<const std::byte> bytes, bool is_big_endian)
      : bytes_(bytes), is_big_endian_(is_big_endian) {}

  /// Requires: at + sizeof(T) <= the header's size.
  template <class T>
  T get(std::size_t at) const {
    ORGANON_CHECK(at + sizeof(T) <= bytes_.size());
    std::byte value_bytes[sizeof(T)];
    std::memcpy(value_bytes, bytes_.data() + at, sizeof(T));
    if (is_big_endian_) swap_byte_order(value_bytes, sizeof(T));
    T value;
    std::memcpy(&value, value_bytes, sizeof(T));
    return value;
  }
  std::int16_t int16(std::size_t at) const { return get<std::int16_t>(at); }
  std::int32_t int32(std::size_t at) const { return get<std::int32_t>(at); }
  std::int64_t int64(std::size_t at) const { return get<std::int64_t>(at); }
  float float32(std::size_t at) const { return get<float>(at); }
  double float64(std::size_t at) const { return get<double>(at); }
  /// `count` characters.
  std::string_view text(std::size_t at, std::size_t count) const {
    ORGANON_CHECK(at + count <= bytes_.size());
    return {reinterpret_cast<const char*>(bytes_.data()) + at, count};
  }

 private:
  std::span<const std::byte> bytes_;
  bool is_big_endian_;
};

/// The decimal number that a single-precision value was meant to be: 5.24, not 5.2399997711.
double meant_by(float value);

}  // namespace organon::storage
