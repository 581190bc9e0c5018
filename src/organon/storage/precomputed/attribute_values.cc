#include "organon/storage/precomputed/attribute_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "organon/base/check.h"
#include "organon/base/error.h"

namespace organon::storage {
namespace {

template <class T>
bool holds(double value) {
  constexpr auto kLeast = static_cast<double>(std::numeric_limits<T>::lowest());
  constexpr auto kMost = static_cast<double>(std::numeric_limits<T>::max());
  if (!(value >= kLeast && value <= kMost)) return false;
  return std::is_floating_point_v<T> || value == std::floor(value);
}

template <class T>
void append_bytes(T value, std::vector<std::byte>& output) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);  // little-endian machines only
  output.insert(output.end(), first, first + sizeof(value));
}

}  // namespace

bool is_attribute_type(DataType type) {
  return type != DataType::kFloat64 && type != DataType::kInt64 && type != DataType::kUint64;
}

bool is_attribute_name(std::string_view name) {
  const auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && is_small(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_small(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void require_attribute_value(double value, DataType type, std::string_view what) {
  ORGANON_CHECK(is_attribute_type(type));
  if (dispatch(type, [&](auto zero) { return holds<decltype(zero)>(value); })) return;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {} is no {}", what, value, to_string(type)));
}

void append_attribute(double value, DataType type, std::string_view what, std::vector<std::byte>& output) {
  require_attribute_value(value, type, what);
  dispatch(type, [&](auto zero) { append_bytes(static_cast<decltype(zero)>(value), output); });
}

void append_u32(std::uint32_t value, std::vector<std::byte>& output) { append_bytes(value, output); }
void append_u64(std::uint64_t value, std::vector<std::byte>& output) { append_bytes(value, output); }

}  // namespace organon::storage
