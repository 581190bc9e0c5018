#include "organon/storage/zarr/zarr_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/codec_options.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

struct TypeName {
  std::string_view code;  // of NumPy, after the letter for the order of bytes
  DataType type;
};
constexpr TypeName kTypeNames[] = {
    {"u1", DataType::kUint8},   {"i1", DataType::kInt8},   {"u2", DataType::kUint16},
    {"i2", DataType::kInt16},   {"u4", DataType::kUint32}, {"i4", DataType::kInt32},
    {"u8", DataType::kUint64},  {"i8", DataType::kInt64},  {"f4", DataType::kFloat32},
    {"f8", DataType::kFloat64}, {"b1", DataType::kUint8}};

struct Compressor {
  std::string_view id;  // of numcodecs
  Codec codec;
  std::string_view level_key;  // of the option that holds the level; empty: none
};
constexpr Compressor kCompressors[] = {{"gzip", Codec::kGzip, "level"}, {"zlib", Codec::kZlib, "level"},
                                       {"zstd", Codec::kZstd, "level"}, {"blosc", Codec::kBlosc, "clevel"},
                                       {"bz2", Codec::kBzip2, "level"}, {"lzma", Codec::kXz, "preset"},
                                       {"lz4", Codec::kLz4, ""}};
constexpr int kXzFormat = 1;

void read_data_type(const Json& dtype, std::string_view where, ZarrArray& array) {
  if (!dtype.is_string()) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: structured data types are not supported", where));
  }
  const auto name = dtype.get<std::string>();
  for (const TypeName& known : kTypeNames) {
    if (name.size() != 3 || std::string_view(name).substr(1) != known.code) continue;
    const bool has_order = size_of(known.type) > 1;
    if (name[0] != '<' && name[0] != '>' && (has_order || name[0] != '|')) break;
    array.is_big_endian = name[0] == '>';
    array.spec.data_type = known.type;
    return;
  }
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: data type '{}' is not supported", where, name));
}

void read_compressor(const Json* compressor, std::string_view where, DatasetSpec& spec) {
  if (compressor == nullptr) {
    spec.codec = Codec::kRaw;
    return;
  }
  const std::string place = fmt::format("{}: 'compressor'", where);
  const std::string id = string_field(*compressor, "id", place);
  const auto found = std::ranges::find(kCompressors, id, &Compressor::id);
  if (found == std::end(kCompressors))
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: codec '{}' is not supported", where, id));
  spec.codec = found->codec;
  if (!found->level_key.empty())
    spec.level = level_of(optional_field(*compressor, found->level_key), spec.codec);
  if (spec.codec == Codec::kBlosc)
    spec.blosc_inner = blosc_inner_of(optional_field(*compressor, "cname"), place);
  // The module lzma of Python has other forms of streams too; their numbers are its own.
  const Json* form = optional_field(*compressor, "format");
  if (spec.codec == Codec::kXz && form != nullptr && *form != kXzFormat) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: lzma in format {} is not supported, only {} (xz) is", place, form->dump(),
                            kXzFormat));
  }
}

Json compressor_of(const DatasetSpec& spec) {
  if (spec.codec == Codec::kRaw) return nullptr;
  const auto compressor = std::ranges::find(kCompressors, spec.codec, &Compressor::codec);
  ORGANON_CHECK(compressor != std::end(kCompressors));
  const int level = spec.level == -1 ? default_level(spec.codec) : spec.level;
  Json json;
  json["id"] = compressor->id;
  if (spec.codec == Codec::kBlosc) {
    json["cname"] = to_string(spec.blosc_inner);
    json["clevel"] = level;
    json["shuffle"] = 1;
    json["blocksize"] = 0;
  } else if (spec.codec == Codec::kLz4) {
    json["acceleration"] = 1;
  } else if (spec.codec == Codec::kXz) {
    json["format"] = kXzFormat;
    json["check"] = -1;
    json["preset"] = level;
    json["filters"] = nullptr;
  } else {
    json["level"] = level;
  }
  return json;
}

// The ids of `filters`, for the message.
std::string names_of(const Json& filters) {
  if (!filters.is_array()) return filters.dump();
  std::vector<std::string> names;
  for (const Json& filter : filters) {
    const Json* id = optional_field(filter, "id");
    names.push_back(id != nullptr && id->is_string() ? id->get<std::string>() : filter.dump());
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void apply_transforms(const Json* transforms, std::string_view where, VoxelGrid& grid) {
  if (transforms == nullptr) return;
  if (!transforms->is_array()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a list of transformations", where));
  }
  for (const Json& transform : *transforms) {
    const std::string type = string_field(transform, "type", where);
    SizeNm& size = grid.voxel_size_nm;
    PointNm& offset = grid.offset_nm;
    if (type == "scale") {
      const SizeNm f = spatial_size_of_voxel(field(transform, "scale", where), AxisOrder::kZyx, where);
      size = {size.z * f.z, size.y * f.y, size.x * f.x};
      offset = {offset.z * f.z, offset.y * f.y, offset.x * f.x};
    } else if (type == "translation") {
      const SizeNm t = spatial_size_of_voxel(field(transform, "translation", where), AxisOrder::kZyx, where);
      offset = {offset.z + t.z, offset.y + t.y, offset.x + t.x};
    } else if (type != "identity") {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: transformation '{}' is not supported", where, type));
    }
  }
}

// Nanometres per unit of each axis of space. The last must be z, y, x.
SizeNm read_axes(const Json& axes, std::string_view where) {
  if (!axes.is_array() || axes.size() < 3) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {} axes, only datasets of 3 and more are supported", where, axes.size()));
  }
  const std::size_t first = axes.size() - 3;
  double nm[3] = {1, 1, 1};
  constexpr std::string_view kNames[] = {"z", "y", "x"};
  for (std::size_t i = 0; i < 3; ++i) {
    const Json& axis = axes[first + i];
    const std::string name = axis.is_string() ? axis.get<std::string>() : string_field(axis, "name", where);
    if (name != kNames[i]) {
      throw Error(ErrorKind::kUnsupported, fmt::format("{}: axis {} is '{}', expected '{}' of z, y, x", where,
                                                       first + i, name, kNames[i]));
    }
    const Json* unit = optional_field(axis, "unit");
    if (unit != nullptr && unit->is_string()) nm[i] = nm_per_unit(unit->get<std::string>(), where);
  }
  return {nm[0], nm[1], nm[2]};
}

}  // namespace

ZarrArray parse_zarray(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  const std::int64_t version = integer_field(json, "zarr_format", where);
  if (version != 2) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: Zarr version {}, only 2 is supported", where, version));
  }
  ZarrArray array;
  DatasetSpec& spec = array.spec;
  Extents shape = extents_field(json, "shape", AxisOrder::kZyx, where);
  Extents chunk = extents_field(json, "chunks", AxisOrder::kZyx, where);
  spec.shape = shape.space;
  spec.chunk_shape = chunk.space;
  spec.channels = {std::move(shape.channels), std::move(chunk.channels), std::nullopt};
  read_data_type(field(json, "dtype", where), where, array);
  read_compressor(optional_field(json, "compressor"), where, spec);
  if (const Json* fill = optional_field(json, "fill_value"))
    spec.fill_value = parse_fill_value(*fill, spec.data_type, where);
  if (const Json* filters = optional_field(json, "filters"); filters != nullptr && !filters->empty()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: filters are not supported: {}", where, names_of(*filters)));
  }
  const std::string order = string_field(json, "order", where);
  if (order != "C" && order != "F") {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: order '{}', expected C or F", where, order));
  }
  array.is_fortran_order = order == "F";
  if (optional_field(json, "dimension_separator") != nullptr) {
    const std::string separator = string_field(json, "dimension_separator", where);
    if (separator != "." && separator != "/") {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: separator '{}', expected . or /", where, separator));
    }
    array.separator = separator[0];
  }
  if (const std::string problem = find_spec_problem(spec); !problem.empty()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, problem));
  }
  return array;
}

Json zarray_of(const DatasetSpec& spec) {
  refuse_shards(spec, "Zarr 2");
  Json json;
  json["zarr_format"] = 2;
  json["shape"] = to_json(Extents{spec.shape, spec.channels.shape}, AxisOrder::kZyx);
  json["chunks"] = to_json(Extents{spec.chunk_shape, spec.channels.chunk}, AxisOrder::kZyx);
  for (const TypeName& known : kTypeNames) {
    if (known.type != spec.data_type) continue;
    json["dtype"] = fmt::format("{}{}", size_of(known.type) == 1 ? '|' : '<', known.code);
    break;
  }
  json["compressor"] = compressor_of(spec);
  json["fill_value"] = fill_value_json(spec.fill_value, spec.data_type);
  json["filters"] = nullptr;
  json["order"] = "C";
  json["dimension_separator"] = "/";
  return json;
}

std::vector<std::string> axis_names(std::size_t num_channel_axes) {
  std::vector<std::string> names;
  for (std::size_t axis = 0; axis + 2 < num_channel_axes; ++axis)
    names.push_back(fmt::format("axis{}", axis));
  if (num_channel_axes > 1) names.emplace_back("t");
  if (num_channel_axes > 0) names.emplace_back("c");
  names.insert(names.end(), {"z", "y", "x"});
  return names;
}

void refuse_other_axes(const std::vector<std::string>& names, std::string_view where) {
  constexpr std::string_view kSpace[] = {"z", "y", "x"};
  for (std::size_t axis = 0; axis < names.size(); ++axis) {
    const auto found = std::ranges::find(kSpace, names[axis]);
    const auto place = static_cast<std::size_t>(found - std::begin(kSpace)) + names.size() - 3;
    if (found == std::end(kSpace) || place == axis) continue;
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: the order of axes {} is not supported, only ... z, y, x is", where,
                            fmt::join(names, ", ")));
  }
}

std::vector<NgffLevel> ngff_levels_of(const Json& zattrs, std::string_view where) {
  const Json* multiscales = optional_field(zattrs, "multiscales");
  if (multiscales == nullptr || !multiscales->is_array() || multiscales->empty()) return {};
  const Json& multiscale = multiscales->front();
  const std::string place = fmt::format("{}: 'multiscales'", where);
  // Before version 0.3 there were no axes; such groups have no places in nm either.
  const Json* axes = optional_field(multiscale, "axes");
  const SizeNm nm = axes != nullptr ? read_axes(*axes, place) : SizeNm{1, 1, 1};
  const Json& datasets = field(multiscale, "datasets", place);
  if (!datasets.is_array())
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected a list of datasets", place));
  std::vector<NgffLevel> levels;
  for (const Json& dataset : datasets) {
    NgffLevel level;
    level.path = string_field(dataset, "path", place);
    if (!is_safe_node_path(level.path))
      throw Error(ErrorKind::kCorruptData, fmt::format("{}: a level at '{}'", place, level.path));
    apply_transforms(optional_field(dataset, "coordinateTransformations"), place, level.grid);
    apply_transforms(optional_field(multiscale, "coordinateTransformations"), place, level.grid);
    SizeNm& size = level.grid.voxel_size_nm;
    PointNm& offset = level.grid.offset_nm;
    size = {size.z * nm.z, size.y * nm.y, size.x * nm.x};
    offset = {offset.z * nm.z, offset.y * nm.y, offset.x * nm.x};
    levels.push_back(std::move(level));
  }
  return levels;
}

Json ngff_multiscales_of(const std::string& name, const std::vector<NgffLevel>& levels,
                         std::size_t num_channel_axes) {
  Json multiscale;
  multiscale["version"] = "0.4";
  multiscale["name"] = name;
  multiscale["axes"] = Json::array();
  for (const std::string& axis : axis_names(num_channel_axes)) {
    if (multiscale["axes"].size() >= num_channel_axes) {
      multiscale["axes"].push_back({{"name", axis}, {"type", "space"}, {"unit", "nanometer"}});
    } else {
      multiscale["axes"].push_back({{"name", axis}, {"type", axis == "t" ? "time" : "channel"}});
    }
  }
  // Channels lie at their own number.
  const auto with_channels = [&](double of_channel, Json list) {
    list.insert(list.begin(), num_channel_axes, of_channel);
    return list;
  };
  multiscale["datasets"] = Json::array();
  for (const NgffLevel& level : levels) {
    Json scale;
    scale["type"] = "scale";
    scale["scale"] = with_channels(1, to_json(level.grid.voxel_size_nm, AxisOrder::kZyx));
    Json translation;
    translation["type"] = "translation";
    translation["translation"] = with_channels(0, to_json(level.grid.offset_nm, AxisOrder::kZyx));
    Json dataset;
    dataset["path"] = level.path;
    dataset["coordinateTransformations"] = Json::array({scale, translation});
    multiscale["datasets"].push_back(dataset);
  }
  return Json::array({multiscale});
}

}  // namespace organon::storage
