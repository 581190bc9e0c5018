#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace organon::tables {

static_assert(std::endian::native == std::endian::little, "encoded tables are little-endian");

/// Appends numbers as little-endian bytes.
class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(T));
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes numbers from little-endian bytes that may be hostile. Errors: kCorruptData naming `what`.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  template <class T>
  T take() {
    T value;
    if (bytes_.size() < sizeof(T)) fail("it ends too early");
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }
  /// Number of entries of `entry_bytes` each that must fill the rest exactly.
  std::size_t take_count(std::size_t entry_bytes);
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  std::span<const std::byte> bytes_;
  std::string what_;
};

}  // namespace organon::tables
