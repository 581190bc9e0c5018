#include "organon/storage/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/error.h"
#include "organon/storage/channels.h"

namespace organon::storage {
namespace {

[[noreturn]] void throw_corrupt(std::string_view where, std::string_view expected) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected {}", where, expected));
}

std::int64_t integer_of(const Json& value, std::string_view where) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)
    throw_corrupt(where, "a smaller number");
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    // 2^53: beyond it doubles skip whole numbers.
    if (std::abs(number) <= 9007199254740992.0 && std::nearbyint(number) == number) {
      return static_cast<std::int64_t>(number);
    }
  }
  throw_corrupt(where, "a whole number");
}

void require_rank_3(const Json& list, std::string_view where) {
  if (!list.is_array()) throw_corrupt(where, "a list");
  if (list.size() != 3) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {} axes found, only datasets of 3 are supported", where, list.size()));
  }
}

// The three axes of space, in the order of the file.
Json spatial_part(const Json& list, AxisOrder order, std::string_view where) {
  if (!list.is_array()) throw_corrupt(where, "a list");
  if (list.size() < 3 || list.size() > 3 + kMaxChannelAxes) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {} axes found, only datasets of 3 to {} are supported", where, list.size(),
                            3 + kMaxChannelAxes));
  }
  const auto begin = order == AxisOrder::kXyz ? list.begin() : list.end() - 3;
  return Json(std::vector<Json>(begin, begin + 3));
}

template <class V>
Json list_of(const V& value, AxisOrder order) {
  if (order == AxisOrder::kXyz) return Json::array({value.x, value.y, value.z});
  return Json::array({value.z, value.y, value.x});
}

}  // namespace

const Json* optional_field(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(std::string(key));
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

const Json& field(const Json& json, std::string_view key, std::string_view where) {
  const Json* value = optional_field(json, key);
  if (value == nullptr) throw_corrupt(where, fmt::format("a field '{}'", key));
  return *value;
}

std::string string_field(const Json& json, std::string_view key, std::string_view where) {
  const Json& value = field(json, key, where);
  if (!value.is_string()) throw_corrupt(where, fmt::format("a text in '{}'", key));
  return value.get<std::string>();
}

std::int64_t integer_field(const Json& json, std::string_view key, std::string_view where) {
  return integer_of(field(json, key, where), fmt::format("{}: '{}'", where, key));
}

std::vector<std::int64_t> integers_of(const Json& list, std::string_view where) {
  if (!list.is_array()) throw_corrupt(where, "a list");
  std::vector<std::int64_t> values;
  for (const Json& value : list) values.push_back(integer_of(value, where));
  return values;
}

std::vector<double> numbers_of(const Json& list, std::string_view where) {
  if (!list.is_array()) throw_corrupt(where, "a list");
  std::vector<double> values;
  for (const Json& value : list) {
    if (!value.is_number()) throw_corrupt(where, "numbers");
    values.push_back(value.get<double>());
  }
  return values;
}

std::vector<std::string> strings_of(const Json& list, std::string_view where) {
  if (!list.is_array()) throw_corrupt(where, "a list");
  std::vector<std::string> values;
  for (const Json& value : list) {
    if (!value.is_string()) throw_corrupt(where, "texts");
    values.push_back(value.get<std::string>());
  }
  return values;
}

Shape3 shape_of(const Json& list, AxisOrder order, std::string_view where) {
  require_rank_3(list, where);
  const std::vector<std::int64_t> v = integers_of(list, where);
  return order == AxisOrder::kXyz ? Shape3{v[2], v[1], v[0]} : Shape3{v[0], v[1], v[2]};
}

SizeNm size_of_voxel(const Json& list, AxisOrder order, std::string_view where) {
  require_rank_3(list, where);
  const std::vector<double> v = numbers_of(list, where);
  return order == AxisOrder::kXyz ? SizeNm{v[2], v[1], v[0]} : SizeNm{v[0], v[1], v[2]};
}

Shape3 spatial_shape_of(const Json& list, AxisOrder order, std::string_view where) {
  return shape_of(spatial_part(list, order, where), order, where);
}

SizeNm spatial_size_of_voxel(const Json& list, AxisOrder order, std::string_view where) {
  return size_of_voxel(spatial_part(list, order, where), order, where);
}

Extents extents_field(const Json& json, std::string_view key, AxisOrder order, std::string_view where) {
  const Json& list = field(json, key, where);
  const std::string place = fmt::format("{}: '{}'", where, key);
  Extents extents{spatial_shape_of(list, order, place), integers_of(list, place)};
  if (order == AxisOrder::kXyz) std::reverse(extents.channels.begin(), extents.channels.end());
  extents.channels.resize(extents.channels.size() - 3);
  return extents;
}

Json to_json(const Extents& extents, AxisOrder order) {
  std::vector<std::int64_t> all = extents.channels;
  all.insert(all.end(), {extents.space.z, extents.space.y, extents.space.x});
  if (order == AxisOrder::kXyz) std::reverse(all.begin(), all.end());
  return all;
}

Json to_json(const Shape3& shape, AxisOrder order) { return list_of(shape, order); }
Json to_json(const SizeNm& size, AxisOrder order) { return list_of(size, order); }
Json to_json(const PointNm& point, AxisOrder order) { return list_of(point, order); }

double nm_per_unit(std::string_view unit, std::string_view where) {
  struct Unit {
    std::string_view name;
    double nm;
  };
  static constexpr Unit kUnits[] = {{"nm", 1},
                                    {"nanometer", 1},
                                    {"nanometers", 1},
                                    {"nanometre", 1},
                                    {"um", 1e3},
                                    {"\u00b5m", 1e3},
                                    {"\u03bcm", 1e3},
                                    {"micron", 1e3},
                                    {"microns", 1e3},
                                    {"micrometer", 1e3},
                                    {"micrometers", 1e3},
                                    {"micrometre", 1e3},
                                    {"mm", 1e6},
                                    {"millimeter", 1e6},
                                    {"m", 1e9},
                                    {"meter", 1e9},
                                    {"angstrom", 0.1},
                                    {"\u00c5", 0.1},
                                    {"pm", 1e-3},
                                    {"picometer", 1e-3},
                                    {"pixel", 1},
                                    {"pixels", 1},
                                    {"px", 1},
                                    {"", 1}};
  const auto found = std::ranges::find(kUnits, unit, &Unit::name);
  if (found == std::end(kUnits)) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: '{}' is not a unit of length", where, unit));
  }
  return found->nm;
}

bool is_safe_node_path(std::string_view path) {
  constexpr std::size_t kMaxPathBytes = 4096;
  const auto is_odd = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; };
  if (path.empty() || path.size() > kMaxPathBytes || std::ranges::any_of(path, is_odd)) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, slash - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = slash + 1;
  }
  return true;
}

void merge_attributes(Json& target, const Json& changes, std::span<const std::string_view> reserved,
                      std::string_view where) {
  if (!changes.is_object())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: attributes are no object", where));
  for (const auto& [key, value] : changes.items()) {
    if (std::ranges::find(reserved, key) != reserved.end()) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: '{}' belongs to the format", where, key));
    }
    if (value.is_null()) {
      target.erase(key);
    } else {
      target[key] = value;
    }
  }
}

Json without_keys(Json json, std::span<const std::string_view> reserved) {
  for (const std::string_view key : reserved) json.erase(std::string(key));
  return json;
}

}  // namespace organon::storage
