#include "organon/array/data_type.h"

#include <array>
#include <limits>

namespace organon {
namespace {

constexpr std::array<std::string_view, 10> kNames = {"uint8", "int8",   "uint16", "int16",   "uint32",
                                                     "int32", "uint64", "int64",  "float32", "float64"};

}  // namespace

std::size_t size_of(DataType type) {
  return dispatch(type, [](auto zero) { return sizeof(zero); });
}

std::string_view to_string(DataType type) { return kNames[static_cast<std::size_t>(type)]; }

std::optional<DataType> data_type_from_string(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

bool is_floating(DataType type) { return type == DataType::kFloat32 || type == DataType::kFloat64; }

DataType smallest_unsigned_type(std::uint64_t largest) {
  if (largest <= std::numeric_limits<std::uint8_t>::max()) return DataType::kUint8;
  if (largest <= std::numeric_limits<std::uint16_t>::max()) return DataType::kUint16;
  if (largest <= std::numeric_limits<std::uint32_t>::max()) return DataType::kUint32;
  return DataType::kUint64;
}

}  // namespace organon
