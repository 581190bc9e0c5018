#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "organon/array/any_array.h"
#include "organon/array/data_type.h"
#include "organon/base/json.h"

namespace organon::storage {

// DatasetSpec::fill_value holds any voxel: whole numbers in two's complement, sign extended; floats by their
// bits.

/// The voxel of type `T` that `fill_value` stands for.
template <class T>
T fill_voxel(std::uint64_t fill_value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(fill_value));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(fill_value);
  } else {
    return static_cast<T>(fill_value);
  }
}

/// Inverse of fill_voxel().
template <class T>
std::uint64_t fill_value_of(T voxel) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(voxel);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(voxel);
  } else {
    return static_cast<std::uint64_t>(voxel);
  }
}

/// True where every voxel is the fill value. Bytes are compared, so that -0.0 is not taken for 0.0: digests
/// would change. Requires: at least one voxel.
bool is_all_fill(const AnyArray& voxels, std::uint64_t fill_value);

/// The fill value as Zarr states it: a number, true or false; for floats also "NaN", "Infinity", "-Infinity"
/// and their bits in hexadecimal, such as "0x7fc00000". n5-zarr writes numbers as texts. Source:
/// [zarr2023core]. Errors: kUnsupported naming the value. Whether it fits the type is for find_spec_problem()
/// to say.
std::uint64_t parse_fill_value(const Json& value, DataType type, std::string_view where);
/// Inverse of parse_fill_value().
Json fill_value_json(std::uint64_t fill_value, DataType type);
/// "0", "-2", "0.5", "NaN".
std::string fill_value_text(std::uint64_t fill_value, DataType type);

}  // namespace organon::storage
