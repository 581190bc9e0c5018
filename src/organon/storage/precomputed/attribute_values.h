#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "organon/array/data_type.h"

namespace organon::storage {

// Numbers and names that Neuroglancer shows with skeletons, annotations and segments.

/// Types that they have: uint8, int8, uint16, int16, uint32, int32, float32.
bool is_attribute_type(DataType type);
/// Names as its shaders can use them: a small letter, then letters, digits and underscores.
bool is_attribute_name(std::string_view name);

/// Errors: kInvalidArgument naming `what` where `type` cannot hold `value`: whole numbers are not rounded,
/// float32 is; no number may be infinite or none. Requires: is_attribute_type(type).
void require_attribute_value(double value, DataType type, std::string_view what);
/// Appends its little-endian bytes. Requires, Errors: as above.
void append_attribute(double value, DataType type, std::string_view what, std::vector<std::byte>& output);
void append_u32(std::uint32_t value, std::vector<std::byte>& output);
void append_u64(std::uint64_t value, std::vector<std::byte>& output);

}  // namespace organon::storage
