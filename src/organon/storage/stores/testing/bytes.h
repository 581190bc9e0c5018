#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace organon::storage::testing {

/// The bytes of `text`, as values of stores are given.
inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace organon::storage::testing
