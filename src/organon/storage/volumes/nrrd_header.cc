#include "organon/storage/volumes/nrrd_header.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/volumes/header_text.h"

namespace organon::storage {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

Error corrupt(std::string_view where, const std::string& reason) {
  return Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, reason));
}
Error unsupported(std::string_view where, const std::string& reason) {
  return Error(ErrorKind::kUnsupported, fmt::format("{}: NRRD with {}", where, reason));
}

// The fields before the first empty line, or, of a detached header, before its end.
Fields read_fields(HeaderLines& lines, std::string_view where) {
  const auto magic = lines.next();
  if (!magic || !magic->starts_with("NRRD000")) throw corrupt(where, "does not begin as a NRRD file");
  Fields fields;
  while (const auto line = lines.next()) {
    if (line->empty()) {
      fields["end"] = "";
      break;
    }
    if (line->starts_with('#')) continue;
    const std::size_t colon = line->find(':');
    if (colon == std::string_view::npos)
      throw corrupt(where, fmt::format("a line of its header is no field: '{}'", line->substr(0, 80)));
    if (line->substr(colon).starts_with(":=")) continue;  // a key of other programs
    std::string name = lower_case(line->substr(0, colon));
    // The standard has some names in two spellings.
    if (name == "datafile") name = "data file";
    if (name == "byteskip") name = "byte skip";
    if (name == "lineskip") name = "line skip";
    fields[name] = trimmed(line->substr(colon + 1));
  }
  return fields;
}

const std::string& needed(const Fields& fields, std::string_view name, std::string_view where) {
  const auto found = fields.find(name);
  if (found == fields.end()) throw corrupt(where, fmt::format("its header has no field '{}'", name));
  return found->second;
}

const std::string* optional(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? nullptr : &found->second;
}

DataType type_of(const std::string& text, std::string_view where) {
  static constexpr std::pair<std::string_view, DataType> kNames[] = {
      {"signed char", DataType::kInt8},
      {"int8", DataType::kInt8},
      {"int8_t", DataType::kInt8},
      {"uchar", DataType::kUint8},
      {"unsigned char", DataType::kUint8},
      {"uint8", DataType::kUint8},
      {"uint8_t", DataType::kUint8},
      {"short", DataType::kInt16},
      {"short int", DataType::kInt16},
      {"signed short", DataType::kInt16},
      {"signed short int", DataType::kInt16},
      {"int16", DataType::kInt16},
      {"int16_t", DataType::kInt16},
      {"ushort", DataType::kUint16},
      {"unsigned short", DataType::kUint16},
      {"unsigned short int", DataType::kUint16},
      {"uint16", DataType::kUint16},
      {"uint16_t", DataType::kUint16},
      {"int", DataType::kInt32},
      {"signed int", DataType::kInt32},
      {"int32", DataType::kInt32},
      {"int32_t", DataType::kInt32},
      {"uint", DataType::kUint32},
      {"unsigned int", DataType::kUint32},
      {"uint32", DataType::kUint32},
      {"uint32_t", DataType::kUint32},
      {"longlong", DataType::kInt64},
      {"long long", DataType::kInt64},
      {"long long int", DataType::kInt64},
      {"signed long long", DataType::kInt64},
      {"signed long long int", DataType::kInt64},
      {"int64", DataType::kInt64},
      {"int64_t", DataType::kInt64},
      {"ulonglong", DataType::kUint64},
      {"unsigned long long", DataType::kUint64},
      {"unsigned long long int", DataType::kUint64},
      {"uint64", DataType::kUint64},
      {"uint64_t", DataType::kUint64},
      {"float", DataType::kFloat32},
      {"double", DataType::kFloat64}};
  for (const auto& [name, type] : kNames)
    if (text == name) return type;
  throw unsupported(where, fmt::format("type '{}'", text));
}

// "(1,0,0) (0,1,0) (0,0,1)", one vector per axis, x first.
std::array<std::array<double, 3>, 3> vectors_of(const std::string& text, std::size_t count,
                                                std::string_view field) {
  std::array<std::array<double, 3>, 3> vectors{};
  std::string_view rest = text;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t open = rest.find('(');
    const std::size_t close = rest.find(')', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos)
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: expected {} vectors, found '{}'", field, count, text.substr(0, 80)));
    std::string numbers(rest.substr(open + 1, close - open - 1));
    for (char& c : numbers)
      if (c == ',') c = ' ';
    const auto values = numbers_of(numbers, 3, field);
    vectors[i] = {values[0], values[1], values[2]};
    rest.remove_prefix(close + 1);
  }
  return vectors;
}

// Units in quotes, one per axis; nothing where they are missing, empty or differ.
std::optional<double> nm_of_units(const std::string* text, std::string_view where) {
  if (text == nullptr) return std::nullopt;
  std::optional<std::string> common;
  std::string_view rest = *text;
  for (int axis = 0; axis < 3; ++axis) {
    const std::size_t open = rest.find('"');
    const std::size_t close = open == std::string_view::npos ? open : rest.find('"', open + 1);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string unit(trimmed(rest.substr(open + 1, close - open - 1)));
    if (unit.empty() || unit == "???" || (common && *common != unit)) return std::nullopt;
    common = unit;
    rest.remove_prefix(close + 1);
  }
  return nm_per_unit(*common, where);
}

StatedGrid grid_of(const Fields& fields, std::string_view where) {
  StatedGrid stated;
  if (const std::string* directions = optional(fields, "space directions")) {
    if (lower_case(*directions).find("none") != std::string::npos) return stated;
    const auto vectors = vectors_of(*directions, 3, fmt::format("{}: 'space directions'", where));
    const auto length = [&](std::size_t axis) {
      return std::hypot(vectors[axis][0], vectors[axis][1], vectors[axis][2]);
    };
    stated.voxel_size = Lengths(length(2), length(1), length(0));
    stated.nm_per_unit = nm_of_units(optional(fields, "space units"), where);
    stated.source = "the 'space directions' of its header";
    bool is_straight = true;
    for (std::size_t axis = 0; axis < 3; ++axis)
      for (std::size_t k = 0; k < 3; ++k)
        is_straight = is_straight && (axis == k ? vectors[axis][k] > 0 : vectors[axis][k] == 0);
    const std::string* origin = optional(fields, "space origin");
    if (is_straight && origin != nullptr) {
      const auto place = vectors_of(*origin, 1, fmt::format("{}: 'space origin'", where))[0];
      stated.offset = Lengths(place[2], place[1], place[0]);
    }
  } else if (const std::string* spacings = optional(fields, "spacings")) {
    const auto words = words_of(*spacings);
    // NaN is how the standard says that an axis has none.
    for (const std::string_view word : words)
      if (lower_case(word) == "nan") return stated;
    const auto values = numbers_of(*spacings, 3, fmt::format("{}: 'spacings'", where));
    stated.voxel_size = Lengths(std::abs(values[2]), std::abs(values[1]), std::abs(values[0]));
    stated.nm_per_unit = nm_of_units(optional(fields, "units"), where);
    stated.source = "the 'spacings' of its header";
  }
  if (stated.voxel_size && !(stated.voxel_size->product() > 0)) stated.voxel_size.reset();
  return stated;
}

void find_data(const Fields& fields, const HeaderLines& lines, RawLayout& layout, std::string_view where) {
  const std::string encoding = lower_case(needed(fields, "encoding", where));
  layout.is_deflated = encoding == "gzip" || encoding == "gz";
  if (!layout.is_deflated && encoding != "raw")
    throw unsupported(where, fmt::format("encoding '{}', understood: raw, gzip", encoding));
  if (const std::string* file = optional(fields, "data file")) {
    if (words_of(*file).empty()) throw corrupt(where, "its 'data file' is empty");
    if (words_of(*file)[0] == "LIST" || file->find('%') != std::string::npos)
      throw unsupported(where, "its voxels in several files, expected one");
    layout.data_file = *file;
    layout.begin_bytes = 0;
  } else {
    if (!fields.contains("end")) throw corrupt(where, "its header does not end");
    layout.begin_bytes = lines.position();
  }
  const std::string* line_skip = optional(fields, "line skip");
  if (line_skip != nullptr && integers_of(*line_skip, 1, fmt::format("{}: 'line skip'", where))[0] != 0)
    throw unsupported(where, "lines to skip before its voxels");
  const std::string* byte_skip = optional(fields, "byte skip");
  if (byte_skip == nullptr) return;
  const std::int64_t skip = integers_of(*byte_skip, 1, fmt::format("{}: 'byte skip'", where))[0];
  if (skip >= 0) {
    layout.skip_bytes = static_cast<std::uint64_t>(skip);
  } else if (skip == -1 && !layout.is_deflated) {
    layout.begin_bytes.reset();
  } else {
    throw corrupt(where, fmt::format("'byte skip: {}'", skip));
  }
}

}  // namespace

RawLayout parse_nrrd_header(std::span<const std::byte> bytes, std::string_view where) {
  HeaderLines lines(bytes);
  const Fields fields = read_fields(lines, where);
  RawLayout layout;
  layout.info.format = "NRRD";
  const auto dimension =
      integers_of(needed(fields, "dimension", where), 1, fmt::format("{}: 'dimension'", where))[0];
  if (dimension != 3) throw unsupported(where, fmt::format("{} axes, expected 3", dimension));
  const auto sizes = integers_of(needed(fields, "sizes", where), 3, fmt::format("{}: 'sizes'", where));
  layout.info.shape = {sizes[2], sizes[1], sizes[0]};
  layout.info.type = type_of(lower_case(needed(fields, "type", where)), where);
  check_volume_shape(layout.info.shape, layout.info.type, where);
  find_data(fields, lines, layout, where);
  if (size_of(layout.info.type) > 1) {
    const std::string endian = lower_case(needed(fields, "endian", where));
    if (endian != "little" && endian != "big") throw corrupt(where, fmt::format("'endian: {}'", endian));
    layout.is_big_endian = endian == "big";
  }
  layout.info.stated = grid_of(fields, where);
  return layout;
}

}  // namespace organon::storage
