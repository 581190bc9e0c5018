#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace organon {

/// The ten voxel types of the formats that organon reads and writes.
enum class DataType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kUint64, kInt64, kFloat32, kFloat64 };

inline constexpr DataType kDataTypes[] = {
    DataType::kUint8, DataType::kInt8,   DataType::kUint16, DataType::kInt16,   DataType::kUint32,
    DataType::kInt32, DataType::kUint64, DataType::kInt64,  DataType::kFloat32, DataType::kFloat64};

/// Calls the macro `INSTANTIATE` with the C++ type of each: for the explicit instantiation of templates over
/// all ten.
#define ORGANON_FOR_EACH_VOXEL_TYPE(INSTANTIATE) \
  INSTANTIATE(std::uint8_t)                      \
  INSTANTIATE(std::int8_t)                       \
  INSTANTIATE(std::uint16_t)                     \
  INSTANTIATE(std::int16_t)                      \
  INSTANTIATE(std::uint32_t)                     \
  INSTANTIATE(std::int32_t)                      \
  INSTANTIATE(std::uint64_t)                     \
  INSTANTIATE(std::int64_t)                      \
  INSTANTIATE(float)                             \
  INSTANTIATE(double)

/// Bytes of one voxel.
std::size_t size_of(DataType type);
/// "uint8", "float32", ...: the names of N5 and of NumPy.
std::string_view to_string(DataType type);
std::optional<DataType> data_type_from_string(std::string_view name);
bool is_floating(DataType type);
/// The smallest unsigned type that holds `largest`.
DataType smallest_unsigned_type(std::uint64_t largest);

/// DataType of the C++ type `T`.
template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>)
    return DataType::kUint8;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return DataType::kInt8;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return DataType::kUint16;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return DataType::kInt16;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return DataType::kUint32;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return DataType::kInt32;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return DataType::kUint64;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DataType::kInt64;
  else if constexpr (std::is_same_v<T, float>)
    return DataType::kFloat32;
  else {
    static_assert(std::is_same_v<T, double>);
    return DataType::kFloat64;
  }
}

/// Calls `function(T{})` with the C++ type of `type`: the one switch over voxel types.
template <class Function>
decltype(auto) dispatch(DataType type, Function&& function) {
  switch (type) {
    case DataType::kUint8:
      return function(std::uint8_t{});
    case DataType::kInt8:
      return function(std::int8_t{});
    case DataType::kUint16:
      return function(std::uint16_t{});
    case DataType::kInt16:
      return function(std::int16_t{});
    case DataType::kUint32:
      return function(std::uint32_t{});
    case DataType::kInt32:
      return function(std::int32_t{});
    case DataType::kUint64:
      return function(std::uint64_t{});
    case DataType::kInt64:
      return function(std::int64_t{});
    case DataType::kFloat32:
      return function(float{});
    case DataType::kFloat64:
      break;
  }
  return function(double{});
}

}  // namespace organon
