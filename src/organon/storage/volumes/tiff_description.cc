#include "organon/storage/volumes/tiff_description.h"

#include <fmt/format.h>

#include <string_view>

#include "organon/base/error.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/volumes/header_text.h"

namespace organon::storage {
namespace {

// The value of a line "name=value"; empty where there is none.
std::string_view line_value(std::string_view text, std::string_view name) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=')
      return trimmed(line.substr(name.size() + 1));
    begin = end + 1;
  }
  return {};
}

std::optional<double> nm_of_unit(std::string_view unit) {
  // ImageJ writes µ as an escape of Java.
  if (unit == "\\u00B5m" || unit == "\\u00b5m" || unit == "\xb5m") return 1e3;
  if (unit.empty() || unit == "pixel" || unit == "pixels" || unit == "px") return std::nullopt;
  try {
    return nm_per_unit(lower_case(unit), "");
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Lengths> three_of(std::string_view text) {
  std::string blanks(text);
  for (char& c : blanks)
    if (c == ',') c = ' ';
  const auto words = words_of(blanks);
  if (words.size() != 3) return std::nullopt;
  const auto z = number_of(words[0]), y = number_of(words[1]), x = number_of(words[2]);
  if (!z || !y || !x) return std::nullopt;
  return Lengths(*z, *y, *x);
}

std::optional<StatedGrid> parse_own(std::string_view text) {
  const auto size = three_of(line_value(text, "organon_voxel_size_nm"));
  if (!size || !(size->smallest() > 0)) return std::nullopt;
  StatedGrid stated;
  stated.voxel_size = size;
  stated.offset = three_of(line_value(text, "organon_offset_nm"));
  stated.nm_per_unit = 1;
  stated.source = "organon's lines in its description";
  return stated;
}

std::optional<StatedGrid> parse_imagej(std::string_view text, const TiffTags& tags) {
  if (!text.starts_with("ImageJ=")) return std::nullopt;
  StatedGrid stated;
  stated.source = "ImageJ's lines in its description";
  stated.nm_per_unit = nm_of_unit(line_value(text, "unit"));
  // A spacing of 1 is not written.
  const double spacing = number_of(line_value(text, "spacing")).value_or(1);
  const double y = tags.y_pixels_per_unit, x = tags.x_pixels_per_unit;
  if (stated.nm_per_unit && spacing > 0 && y > 0 && x > 0) stated.voxel_size = Lengths(spacing, 1 / y, 1 / x);
  return stated;
}

// name="value" of the element Pixels.
std::string_view xml_value(std::string_view element, std::string_view name) {
  for (std::size_t at = element.find(name); at != std::string_view::npos; at = element.find(name, at + 1)) {
    const std::size_t quote = at + name.size() + 1;
    if (at == 0 || element[at - 1] != ' ' || quote >= element.size() || element[quote - 1] != '=') continue;
    const char mark = element[quote];
    if (mark != '"' && mark != '\'') continue;
    const std::size_t end = element.find(mark, quote + 1);
    if (end == std::string_view::npos) return {};
    return element.substr(quote + 1, end - quote - 1);
  }
  return {};
}

std::optional<StatedGrid> parse_ome(std::string_view text) {
  const std::size_t begin = text.find("<Pixels ");
  if (begin == std::string_view::npos || text.find("OME") == std::string_view::npos) return std::nullopt;
  const std::string_view element = text.substr(begin, text.find('>', begin) - begin);
  StatedGrid stated;
  stated.source = "OME's PhysicalSizeX, Y, Z in its description";
  const auto along = [&](const std::string& name) -> std::optional<double> {
    const auto value = number_of(xml_value(element, name));
    const std::string_view unit = xml_value(element, name + "Unit");
    const auto nm = unit.empty() ? std::optional(1e3) : nm_of_unit(unit);
    if (!value || !nm || !(*value > 0)) return std::nullopt;
    return *value * *nm;
  };
  const auto z = along("PhysicalSizeZ"), y = along("PhysicalSizeY"), x = along("PhysicalSizeX");
  stated.nm_per_unit = 1;
  if (z && y && x) stated.voxel_size = Lengths(*z, *y, *x);
  return stated;
}

}  // namespace

StatedGrid parse_tiff_description(const TiffTags& tags) {
  if (const auto own = parse_own(tags.description)) return *own;
  if (const auto imagej = parse_imagej(tags.description, tags)) return *imagej;
  return parse_ome(tags.description).value_or(StatedGrid{});
}

std::string tiff_description(const VoxelGrid& grid, std::int64_t num_pages) {
  const SizeNm& size = grid.voxel_size_nm;
  const PointNm& offset = grid.offset_nm;
  // ImageJ takes `images` for the number of pages; of one it must not be there.
  const std::string pages =
      num_pages > 1 ? fmt::format("images={}\nslices={}\n", num_pages, num_pages) : std::string();
  return fmt::format(
      "ImageJ=1.53t\n{}unit=nm\nspacing={}\norganon_voxel_size_nm={},{},{}\norganon_offset_nm={},{},{}\n",
      pages, size.z, size.z, size.y, size.x, offset.z, offset.y, offset.x);
}

}  // namespace organon::storage
