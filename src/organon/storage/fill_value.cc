#include "organon/storage/fill_value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// The number that all of `text` is.
template <class T, class... Base>
std::optional<T> number_of(std::string_view text, Base... base) {
  T number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number, base...);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class T>
std::optional<std::uint64_t> parse_float(const Json& value) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const auto rounded = [](double number) -> std::optional<std::uint64_t> {
    if (!(std::abs(number) <= std::numeric_limits<T>::max())) return std::nullopt;
    return fill_value_of(static_cast<T>(number));
  };
  if (value.is_number()) return rounded(value.get<double>());
  if (value.is_boolean()) return rounded(value.get<bool>() ? 1 : 0);
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text == "NaN") return fill_value_of(std::numeric_limits<T>::quiet_NaN());
  if (text == "Infinity") return fill_value_of(kInfinity);
  if (text == "-Infinity") return fill_value_of(-kInfinity);
  if (text.starts_with("0x")) {
    const std::string_view digits = std::string_view(text).substr(2);
    return digits.size() == 2 * sizeof(T) ? number_of<std::uint64_t>(digits, 16) : std::nullopt;
  }
  const auto number = number_of<double>(text);
  return number ? rounded(*number) : std::nullopt;
}

std::optional<std::uint64_t> parse_integer(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer()) return static_cast<std::uint64_t>(value.get<std::int64_t>());
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number_float()) {
    const double number = value.get<double>();
    // Up to here doubles hold every whole number.
    constexpr double kMax = 9007199254740992.0;
    if (!(std::abs(number) <= kMax) || std::nearbyint(number) != number) return std::nullopt;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(number));
  }
  if (value.is_string()) {
    const auto number = number_of<std::int64_t>(value.get_ref<const std::string&>());
    if (number) return static_cast<std::uint64_t>(*number);
  }
  return std::nullopt;
}

template <class T>
Json json_of(T voxel) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isinf(voxel)) return voxel > 0 ? "Infinity" : "-Infinity";
    if (std::isnan(voxel)) {
      const std::uint64_t bits = fill_value_of(voxel);
      if (bits == fill_value_of(std::numeric_limits<T>::quiet_NaN())) return "NaN";
      return fmt::format("0x{:0{}x}", bits, 2 * sizeof(T));
    }
  }
  return voxel;
}

}  // namespace

bool is_all_fill(const AnyArray& voxels, std::uint64_t fill_value) {
  return dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    const T fill = fill_voxel<T>(fill_value);
    const std::span<const std::byte> bytes = voxels.bytes();
    // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    return std::memcmp(bytes.data(), &fill, sizeof(T)) == 0 &&
           std::memcmp(bytes.data(), bytes.data() + sizeof(T), bytes.size() - sizeof(T)) == 0;
  });
}

std::uint64_t parse_fill_value(const Json& value, DataType type, std::string_view where) {
  std::optional<std::uint64_t> parsed;
  if (type == DataType::kFloat32) {
    parsed = parse_float<float>(value);
  } else if (type == DataType::kFloat64) {
    parsed = parse_float<double>(value);
  } else {
    parsed = parse_integer(value);
  }
  if (!parsed) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: fill value {} is not supported for {}", where,
                                                     value.dump(), to_string(type)));
  }
  return *parsed;
}

Json fill_value_json(std::uint64_t fill_value, DataType type) {
  return dispatch(type, [&](auto zero) { return json_of(fill_voxel<decltype(zero)>(fill_value)); });
}

std::string fill_value_text(std::uint64_t fill_value, DataType type) {
  const Json json = fill_value_json(fill_value, type);
  if (json.is_string()) return json.get<std::string>();
  return json.is_number_float() ? fmt::format("{}", json.get<double>()) : json.dump();
}

}  // namespace organon::storage
