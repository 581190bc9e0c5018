#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/geometry/vec3.h"

namespace organon::storage {

/// Order in which a list of a file names the axes.
enum class AxisOrder { kXyz, kZyx };

// Fields of foreign JSON. `where` (file and place in it) begins every message.
// Errors: kCorruptData where a field is missing or of another type; kUnsupported where a list is not of
// rank 3.

/// The member `key`, which must be there.
const Json& field(const Json& json, std::string_view key, std::string_view where);
/// The member `key`, or nothing where it is missing or null.
const Json* optional_field(const Json& json, std::string_view key);
std::string string_field(const Json& json, std::string_view key, std::string_view where);
std::int64_t integer_field(const Json& json, std::string_view key, std::string_view where);

/// Whole numbers, also where they are written as 64.0.
std::vector<std::int64_t> integers_of(const Json& list, std::string_view where);
std::vector<double> numbers_of(const Json& list, std::string_view where);
std::vector<std::string> strings_of(const Json& list, std::string_view where);

/// Three numbers in zyx, whatever their order in the file.
Shape3 shape_of(const Json& list, AxisOrder order, std::string_view where);
SizeNm size_of_voxel(const Json& list, AxisOrder order, std::string_view where);
/// As these, of lists of arrays that may have more axes, before z y x and so behind x y z: without those.
/// Errors: also kUnsupported for less than three axes or more than eight.
Shape3 spatial_shape_of(const Json& list, AxisOrder order, std::string_view where);
SizeNm spatial_size_of_voxel(const Json& list, AxisOrder order, std::string_view where);

/// One list of extents: those of space, and of the axes before z, slowest first.
struct Extents {
  Shape3 space{};
  std::vector<std::int64_t> channels;  ///< none in a list of three
};
/// The member `key`. Errors: as spatial_shape_of().
Extents extents_field(const Json& json, std::string_view key, AxisOrder order, std::string_view where);
/// The list that extents_field() reads.
Json to_json(const Extents& extents, AxisOrder order);
Json to_json(const Shape3& shape, AxisOrder order);
Json to_json(const SizeNm& size, AxisOrder order);
Json to_json(const PointNm& point, AxisOrder order);

/// Nanometres per unit: "nm", "nanometer", "um", "µm", "micron", "angstrom", ... ; 1 for "pixel" and for no
/// unit. Errors: kUnsupported for any other word.
double nm_per_unit(std::string_view unit, std::string_view where);

/// Whether a path from foreign metadata stays below its folder and can be shown: relative, of named parts
/// only, none of them "." or "..", no backslash, no control characters.
bool is_safe_node_path(std::string_view path);

/// Sets each key of `changes` in `target`; null removes it.
/// Errors: kInvalidArgument where `changes` is no object or names a key of `reserved`.
void merge_attributes(Json& target, const Json& changes, std::span<const std::string_view> reserved,
                      std::string_view where);
/// `json` without the keys of `reserved`.
Json without_keys(Json json, std::span<const std::string_view> reserved);

}  // namespace organon::storage
