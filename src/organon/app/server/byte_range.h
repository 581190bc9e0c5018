#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace organon::server {

/// The whole file is meant: no range was asked, or one that a server may ignore (several ranges, other units,
/// malformed).
struct WholeFile {};
/// Bytes [begin, end), not empty, inside the file.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
/// No byte of the range lies in the file: answer 416.
struct OutsideFile {};

using RequestedBytes = std::variant<WholeFile, ByteRange, OutsideFile>;

/// Reads the value of a Range header ("bytes=0-99", "bytes=100-", "bytes=-100") for a file of `size_bytes`;
/// an end beyond the file is clipped. Source: RFC 9110, section 14.
RequestedBytes parse_range(std::string_view header, std::int64_t size_bytes);

}  // namespace organon::server
