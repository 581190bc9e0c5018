#include "organon/storage/zarr/ngff_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "organon/base/error.h"
#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

[[noreturn]] void throw_corrupt(std::string_view where, std::string_view expected) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: 'image-label': expected {}", where, expected));
}

std::int64_t label_value_of(const Json& entry, std::string_view where) {
  const Json* value = optional_field(entry, "label-value");
  if (value == nullptr || !value->is_number_integer()) throw_corrupt(where, "a whole number 'label-value'");
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: 'image-label': label-value {} is beyond int64", where, value->dump()));
  }
  return value->get<std::int64_t>();
}

const Json* entries_of(const Json& image_label, const char* key, std::string_view where) {
  const Json* entries = optional_field(image_label, key);
  if (entries != nullptr && !entries->is_array()) throw_corrupt(where, fmt::format("a list in '{}'", key));
  return entries;
}

std::array<std::uint8_t, 4> rgba_of(const Json& rgba, std::string_view where) {
  std::array<std::uint8_t, 4> bytes{};
  const auto is_byte = [](const Json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() <= 255;
  };
  if (!rgba.is_array() || rgba.size() != bytes.size() || !std::all_of(rgba.begin(), rgba.end(), is_byte))
    throw_corrupt(where, "'rgba' of four numbers 0 to 255");
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = rgba[i].get<std::uint8_t>();
  return bytes;
}

bool is_control_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string name_in(const Json& property) {
  for (const char* key : {"name", "class"}) {
    const Json* name = optional_field(property, key);
    if (name == nullptr || !name->is_string()) continue;
    auto text = name->get<std::string>();
    if (std::ranges::none_of(text, is_control_character)) return text;
  }
  return {};
}

// What is stated of each label, by its value; the first entry of a value counts.
std::map<std::int64_t, Json> properties_in(const Json& image_label, std::string_view where) {
  std::map<std::int64_t, Json> found;
  const Json* properties = entries_of(image_label, "properties", where);
  if (properties == nullptr) return found;
  for (const Json& property : *properties) found.try_emplace(label_value_of(property, where), property);
  return found;
}

[[noreturn]] void refuse_color(const std::string& text) {
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("label colour '{}': expected value=#rrggbb, #rrggbbaa for opacity, and =name if it has one",
                  text));
}

}  // namespace

std::vector<LabelColor> label_colors_of(const Json& image_label, std::string_view where) {
  if (!image_label.is_object()) throw_corrupt(where, "an object");
  const std::map<std::int64_t, Json> properties = properties_in(image_label, where);
  std::vector<LabelColor> colors;
  const Json* entries = entries_of(image_label, "colors", where);
  if (entries == nullptr) return colors;
  std::set<std::int64_t> seen;
  for (const Json& entry : *entries) {
    LabelColor color;
    color.value = label_value_of(entry, where);
    if (!seen.insert(color.value).second)
      throw_corrupt(where,
                    fmt::format("each label-value once among the colours, found {} twice", color.value));
    const Json* rgba = optional_field(entry, "rgba");
    if (rgba == nullptr) continue;
    color.rgba = rgba_of(*rgba, where);
    if (const auto property = properties.find(color.value); property != properties.end())
      color.name = name_in(property->second);
    colors.push_back(std::move(color));
  }
  return colors;
}

void set_label_colors(Json& image_label, std::span<const LabelColor> colors) {
  std::vector<LabelColor> sorted(colors.begin(), colors.end());
  std::ranges::sort(sorted, {}, &LabelColor::value);
  const auto twice = std::ranges::adjacent_find(sorted, {}, &LabelColor::value);
  if (twice != sorted.end())
    throw Error(ErrorKind::kInvalidArgument, fmt::format("label {} has two colours", twice->value));
  std::map<std::int64_t, Json> known = properties_in(image_label, "image-label");
  Json written = Json::array();
  Json properties = Json::array();
  bool has_properties = !known.empty();
  for (const LabelColor& color : sorted) {
    written.push_back({{"label-value", color.value}, {"rgba", color.rgba}});
    Json property = known.contains(color.value) ? known[color.value] : Json{{"label-value", color.value}};
    if (!color.name.empty()) property["name"] = color.name;
    has_properties = has_properties || !color.name.empty();
    properties.push_back(std::move(property));
  }
  image_label["colors"] = std::move(written);
  image_label.erase("properties");
  if (has_properties) image_label["properties"] = std::move(properties);
}

LabelColor parse_label_color(const std::string& text) {
  LabelColor color;
  const char* const end = text.data() + text.size();
  const auto [digits_end, error] = std::from_chars(text.data(), end, color.value);
  if (error != std::errc() || end - digits_end < 8 || digits_end[0] != '=' || digits_end[1] != '#')
    refuse_color(text);
  const std::string_view rest(digits_end + 2, end);
  const std::size_t equals = rest.find('=');
  const std::string_view hex = rest.substr(0, equals);
  if (hex.size() != 6 && hex.size() != 8) refuse_color(text);
  color.rgba[3] = 255;
  for (std::size_t i = 0; i < hex.size() / 2; ++i) {
    const char* const two = hex.data() + 2 * i;
    const auto [stop, problem] = std::from_chars(two, two + 2, color.rgba[i], 16);
    if (problem != std::errc() || stop != two + 2) refuse_color(text);
  }
  if (equals != std::string_view::npos) {
    color.name = rest.substr(equals + 1);
    if (color.name.empty()) refuse_color(text);
  }
  return color;
}

std::vector<std::string> label_paths_of(const Json& ngff) {
  std::vector<std::string> paths;
  const Json* list = optional_field(ngff, "labels");
  if (list == nullptr || !list->is_array()) return paths;
  for (const Json& entry : *list) {
    if (entry.is_string() && is_safe_node_path(entry.get_ref<const std::string&>()))
      paths.push_back(entry.get<std::string>());
  }
  return paths;
}

void add_label_path(Json& ngff, const std::string& path) {
  // Entries as they stand, so that what organon does not understand is not lost.
  std::vector<Json> entries;
  if (const Json* list = optional_field(ngff, "labels"); list != nullptr && list->is_array())
    entries.assign(list->begin(), list->end());
  entries.emplace_back(path);
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  ngff["labels"] = entries;
}

}  // namespace organon::storage
