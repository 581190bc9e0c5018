#include "organon/app/server/byte_range.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace organon::server {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value < 0 || text.front() == '-')
    return std::nullopt;
  return value;
}

}  // namespace

RequestedBytes parse_range(std::string_view header, std::int64_t size_bytes) {
  header = trim(header);
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return WholeFile{};
  const std::string_view range = trim(header.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return WholeFile{};
  const std::string_view first = trim(range.substr(0, dash));
  const std::string_view last = trim(range.substr(dash + 1));
  if (first.empty()) {
    // The last bytes of the file.
    const std::optional<std::int64_t> count = last.empty() ? std::nullopt : parse_count(last);
    if (!count) return WholeFile{};
    if (*count == 0 || size_bytes == 0) return OutsideFile{};
    return ByteRange{std::max<std::int64_t>(0, size_bytes - *count), size_bytes};
  }
  const std::optional<std::int64_t> begin = parse_count(first);
  if (!begin) return WholeFile{};
  std::int64_t end = size_bytes;
  if (!last.empty()) {
    const std::optional<std::int64_t> inclusive = parse_count(last);
    if (!inclusive || *inclusive < *begin) return WholeFile{};
    if (*inclusive < size_bytes) end = *inclusive + 1;
  }
  if (*begin >= size_bytes) return OutsideFile{};
  return ByteRange{*begin, end};
}

}  // namespace organon::server
