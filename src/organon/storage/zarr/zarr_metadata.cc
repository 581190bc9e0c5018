#include "organon/storage/zarr/zarr_metadata.h"

#include <fmt/format.h>

#include <charconv>

#include "organon/base/error.h"
#include "organon/storage/codecs/codec.h"
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
  const std::string id = string_field(*compressor, "id", fmt::format("{}: 'compressor'", where));
  if (id == "gzip") {
    spec.codec = Codec::kGzip;
  } else if (id == "zlib") {
    spec.codec = Codec::kZlib;
  } else if (id == "zstd") {
    spec.codec = Codec::kZstd;
  } else if (id == "blosc") {
    spec.codec = Codec::kBlosc;
  } else {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: codec '{}' is not supported", where, id));
  }
  const Json* level = optional_field(*compressor, id == "blosc" ? "clevel" : "level");
  if (level == nullptr || !level->is_number_integer()) return;
  const auto value = level->get<std::int64_t>();
  // A level only steers writing: one that this codec cannot have becomes the default.
  if (value >= 0 && value <= 22 && find_level_problem(spec.codec, static_cast<int>(value)).empty()) {
    spec.level = static_cast<int>(value);
  }
}

void read_fill_value(const Json* fill, std::string_view where, DatasetSpec& spec) {
  if (fill == nullptr) return;
  const auto refuse = [&] {
    return Error(ErrorKind::kUnsupported,
                 fmt::format("{}: fill value {} is not supported", where, fill->dump()));
  };
  Json value = *fill;
  if (value.is_boolean()) value = value.get<bool>() ? 1 : 0;
  if (value.is_string()) {
    // n5-zarr writes numbers as texts.
    const auto text = value.get<std::string>();
    std::int64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) throw refuse();
    value = number;
  }
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (is_floating(spec.data_type)) {
      if (number != 0) throw refuse();
      return;
    }
    if (!(number >= -9e15 && number <= 9e15) ||
        number != static_cast<double>(static_cast<std::int64_t>(number))) {
      throw refuse();
    }
    value = static_cast<std::int64_t>(number);
  }
  if (value.is_number_unsigned()) {
    spec.fill_value = value.get<std::uint64_t>();
  } else if (value.is_number_integer()) {
    spec.fill_value = static_cast<std::uint64_t>(value.get<std::int64_t>());
  } else {
    throw refuse();
  }
  if (is_floating(spec.data_type) && spec.fill_value != 0) throw refuse();
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
      const SizeNm f = size_of_voxel(field(transform, "scale", where), AxisOrder::kZyx, where);
      size = {size.z * f.z, size.y * f.y, size.x * f.x};
      offset = {offset.z * f.z, offset.y * f.y, offset.x * f.x};
    } else if (type == "translation") {
      const SizeNm t = size_of_voxel(field(transform, "translation", where), AxisOrder::kZyx, where);
      offset = {offset.z + t.z, offset.y + t.y, offset.x + t.x};
    } else if (type != "identity") {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: transformation '{}' is not supported", where, type));
    }
  }
}

// Nanometres per unit of each axis, which must be z, y, x.
SizeNm read_axes(const Json& axes, std::string_view where) {
  if (!axes.is_array() || axes.size() != 3) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {} axes, only datasets of 3 are supported", where, axes.size()));
  }
  double nm[3] = {1, 1, 1};
  constexpr std::string_view kNames[] = {"z", "y", "x"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name =
        axes[i].is_string() ? axes[i].get<std::string>() : string_field(axes[i], "name", where);
    if (name != kNames[i]) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: axis {} is '{}', expected '{}' of z, y, x", where, i, name, kNames[i]));
    }
    const Json* unit = optional_field(axes[i], "unit");
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
  spec.shape = shape_of(field(json, "shape", where), AxisOrder::kZyx, fmt::format("{}: 'shape'", where));
  spec.chunk_shape =
      shape_of(field(json, "chunks", where), AxisOrder::kZyx, fmt::format("{}: 'chunks'", where));
  read_data_type(field(json, "dtype", where), where, array);
  read_compressor(optional_field(json, "compressor"), where, spec);
  read_fill_value(optional_field(json, "fill_value"), where, spec);
  if (const Json* filters = optional_field(json, "filters"); filters != nullptr && !filters->empty()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: filters are not supported: {}", where, filters->dump()));
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
  Json json;
  json["zarr_format"] = 2;
  json["shape"] = to_json(spec.shape, AxisOrder::kZyx);
  json["chunks"] = to_json(spec.chunk_shape, AxisOrder::kZyx);
  for (const TypeName& known : kTypeNames) {
    if (known.type != spec.data_type) continue;
    json["dtype"] = fmt::format("{}{}", size_of(known.type) == 1 ? '|' : '<', known.code);
    break;
  }
  const int level = spec.level == -1 ? default_level(spec.codec) : spec.level;
  if (spec.codec == Codec::kRaw) {
    json["compressor"] = nullptr;
  } else if (spec.codec == Codec::kBlosc) {
    json["compressor"] = {
        {"id", "blosc"}, {"cname", "zstd"}, {"clevel", level}, {"shuffle", 1}, {"blocksize", 0}};
  } else {
    json["compressor"] = {{"id", to_string(spec.codec)}, {"level", level}};
  }
  const bool is_negative = dispatch(spec.data_type, [&](auto zero) {
    return std::is_signed_v<decltype(zero)> && static_cast<std::int64_t>(spec.fill_value) < 0;
  });
  if (is_negative) {
    json["fill_value"] = static_cast<std::int64_t>(spec.fill_value);
  } else {
    json["fill_value"] = spec.fill_value;
  }
  json["filters"] = nullptr;
  json["order"] = "C";
  json["dimension_separator"] = "/";
  return json;
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

Json ngff_multiscales_of(const std::string& name, const std::vector<NgffLevel>& levels) {
  Json multiscale;
  multiscale["version"] = "0.4";
  multiscale["name"] = name;
  multiscale["axes"] = Json::array();
  for (const char* axis : {"z", "y", "x"}) {
    multiscale["axes"].push_back({{"name", axis}, {"type", "space"}, {"unit", "nanometer"}});
  }
  multiscale["datasets"] = Json::array();
  for (const NgffLevel& level : levels) {
    Json scale;
    scale["type"] = "scale";
    scale["scale"] = to_json(level.grid.voxel_size_nm, AxisOrder::kZyx);
    Json translation;
    translation["type"] = "translation";
    translation["translation"] = to_json(level.grid.offset_nm, AxisOrder::kZyx);
    Json dataset;
    dataset["path"] = level.path;
    dataset["coordinateTransformations"] = Json::array({scale, translation});
    multiscale["datasets"].push_back(dataset);
  }
  return Json::array({multiscale});
}

}  // namespace organon::storage
