#include "organon/storage/volumes/metaimage_header.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>

#include "organon/base/error.h"
#include "organon/storage/volumes/header_text.h"

namespace organon::storage {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

Error corrupt(std::string_view where, const std::string& reason) {
  return Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, reason));
}
Error unsupported(std::string_view where, const std::string& reason) {
  return Error(ErrorKind::kUnsupported, fmt::format("{}: MetaImage with {}", where, reason));
}

// ElementDataFile is the last field; voxels may follow it.
Fields read_fields(HeaderLines& lines, std::string_view where) {
  Fields fields;
  while (const auto line = lines.next()) {
    const std::size_t equals = line->find('=');
    if (equals == std::string_view::npos) {
      if (trimmed(*line).empty()) continue;
      throw corrupt(where, fields.empty()
                               ? "does not begin as a MetaImage file"
                               : fmt::format("a line of its header is no field: '{}'", line->substr(0, 80)));
    }
    const std::string name(trimmed(line->substr(0, equals)));
    fields[name] = trimmed(line->substr(equals + 1));
    if (name == "ElementDataFile") return fields;
  }
  throw corrupt(where, "its header does not end with ElementDataFile");
}

const std::string* first_of(const Fields& fields, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const auto found = fields.find(name); found != fields.end()) return &found->second;
  return nullptr;
}

const std::string& needed(const Fields& fields, std::string_view name, std::string_view where) {
  const std::string* text = first_of(fields, {name});
  if (text == nullptr) throw corrupt(where, fmt::format("its header has no field '{}'", name));
  return *text;
}

bool is_true(const Fields& fields, std::initializer_list<std::string_view> names) {
  const std::string* text = first_of(fields, names);
  return text != nullptr && !text->empty() &&
         (text->front() == 'T' || text->front() == 't' || text->front() == '1' || *text == "yes");
}

DataType type_of(const std::string& text, std::string_view where) {
  static constexpr std::pair<std::string_view, DataType> kNames[] = {
      {"MET_CHAR", DataType::kInt8},       {"MET_UCHAR", DataType::kUint8},
      {"MET_SHORT", DataType::kInt16},     {"MET_USHORT", DataType::kUint16},
      {"MET_INT", DataType::kInt32},       {"MET_UINT", DataType::kUint32},
      {"MET_LONG", DataType::kInt32},      {"MET_ULONG", DataType::kUint32},
      {"MET_LONG_LONG", DataType::kInt64}, {"MET_ULONG_LONG", DataType::kUint64},
      {"MET_FLOAT", DataType::kFloat32},   {"MET_DOUBLE", DataType::kFloat64}};
  for (const auto& [name, type] : kNames)
    if (text == name) return type;
  throw unsupported(where, fmt::format("ElementType '{}'", text));
}

StatedGrid grid_of(const Fields& fields, std::string_view where) {
  StatedGrid stated;
  stated.source = "ElementSpacing of its header";
  if (const std::string* text = first_of(fields, {"ElementSpacing", "ElementSize"})) {
    const auto values = numbers_of(*text, 3, fmt::format("{}: ElementSpacing", where));
    const Lengths size(std::abs(values[2]), std::abs(values[1]), std::abs(values[0]));
    if (size.product() > 0) stated.voxel_size = size;
  }
  bool is_straight = true;
  if (const std::string* text = first_of(fields, {"TransformMatrix", "Rotation", "Orientation"})) {
    const auto matrix = numbers_of(*text, 9, fmt::format("{}: TransformMatrix", where));
    for (std::size_t i = 0; i < 9; ++i) is_straight = is_straight && matrix[i] == (i % 4 == 0 ? 1 : 0);
  }
  const std::string* offset = first_of(fields, {"Offset", "Position", "Origin"});
  if (is_straight && offset != nullptr) {
    const auto values = numbers_of(*offset, 3, fmt::format("{}: Offset", where));
    stated.offset = Lengths(values[2], values[1], values[0]);
  }
  return stated;
}

void find_data(const Fields& fields, const HeaderLines& lines, RawLayout& layout, std::string_view where) {
  const std::string& file = needed(fields, "ElementDataFile", where);
  if (file.empty()) throw corrupt(where, "its ElementDataFile is empty");
  if (words_of(file)[0] == "LIST" || file.find('%') != std::string::npos)
    throw unsupported(where, "its voxels in several files, expected one");
  layout.is_deflated = is_true(fields, {"CompressedData"});
  if (file == "LOCAL" || file == "Local" || file == "local") {
    layout.begin_bytes = lines.position();
    return;
  }
  layout.data_file = file;
  layout.begin_bytes = 0;
  if (const std::string* text = first_of(fields, {"HeaderSize"})) {
    const std::int64_t size = integers_of(*text, 1, fmt::format("{}: HeaderSize", where))[0];
    if (size >= 0) {
      layout.begin_bytes = static_cast<std::uint64_t>(size);
    } else if (!layout.is_deflated) {
      layout.begin_bytes.reset();
    }
  }
}

}  // namespace

RawLayout parse_metaimage_header(std::span<const std::byte> bytes, std::string_view where) {
  HeaderLines lines(bytes);
  const Fields fields = read_fields(lines, where);
  RawLayout layout;
  layout.info.format = "MetaImage";
  const auto rank = integers_of(needed(fields, "NDims", where), 1, fmt::format("{}: NDims", where))[0];
  if (rank != 3) throw unsupported(where, fmt::format("{} axes, expected 3", rank));
  const auto sizes = integers_of(needed(fields, "DimSize", where), 3, fmt::format("{}: DimSize", where));
  layout.info.shape = {sizes[2], sizes[1], sizes[0]};
  layout.info.type = type_of(needed(fields, "ElementType", where), where);
  check_volume_shape(layout.info.shape, layout.info.type, where);
  if (const std::string* channels = first_of(fields, {"ElementNumberOfChannels"})) {
    if (*channels != "1") throw unsupported(where, fmt::format("{} values a voxel, expected 1", *channels));
  }
  if (const std::string* binary = first_of(fields, {"BinaryData"});
      binary != nullptr && !is_true(fields, {"BinaryData"})) {
    throw unsupported(where, "its voxels as text");
  }
  layout.is_big_endian = is_true(fields, {"BinaryDataByteOrderMSB", "ElementByteOrderMSB"});
  find_data(fields, lines, layout, where);
  layout.info.stated = grid_of(fields, where);
  return layout;
}

}  // namespace organon::storage
