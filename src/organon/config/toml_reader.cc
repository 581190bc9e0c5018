#include "organon/config/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "organon/base/error.h"
#include "organon/base/options.h"

namespace organon::config {

toml::table TomlReader::parse(std::string_view text) const {
  try {
    return toml::parse(text, path_.string());
  } catch (const toml::parse_error& error) {
    fail_at(error.source(), std::string(error.description()));
  }
}

void TomlReader::fail(const toml::node& node, const std::string& message) const {
  fail_at(node.source(), message);
}
void TomlReader::fail_at(const toml::source_region& place, const std::string& message) const {
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}:{}: {}", path_.string(), place.begin.line, message));
}
std::string TomlReader::place(const toml::node& node) const {
  return fmt::format("{}:{}", path_.filename().string(), node.source().begin.line);
}

void TomlReader::check_keys(const toml::table& table, const std::vector<std::string>& known) const {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = nearest_word(name, known);
    fail_at(key.source(),
            fmt::format("unknown key '{}'{}", name,
                        nearest.empty() ? fmt::format("; known here are {}", fmt::join(known, ", "))
                                        : fmt::format("; did you mean '{}'?", nearest)));
  }
}

std::string TomlReader::text(const toml::table& table, const std::string& key,
                             const std::string& standard) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return standard;
  if (!node->is_string()) fail(*node, fmt::format("{}: expected text in quotes", key));
  return node->value<std::string>().value();
}

std::vector<std::string> TomlReader::texts(const toml::table& table, const std::string& key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  if (node->is_string()) return {node->value<std::string>().value()};
  std::vector<std::string> values;
  if (!node->is_array()) fail(*node, fmt::format("{}: expected names in quotes", key));
  for (const toml::node& value : *node->as_array()) {
    if (!value.is_string()) fail(value, fmt::format("{}: expected names in quotes", key));
    values.push_back(value.value<std::string>().value());
  }
  return values;
}

bool TomlReader::flag(const toml::table& table, const std::string& key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  if (!node->is_boolean()) fail(*node, fmt::format("{}: expected true or false", key));
  return node->value<bool>().value();
}

std::vector<double> TomlReader::numbers(const toml::table& table, const std::string& key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  std::vector<double> values;
  const auto take = [&](const toml::node& value) {
    if (!value.is_number()) fail(value, fmt::format("{}: expected numbers", key));
    // A whole number that no double holds exactly has no value as one.
    const double number = value.is_integer() ? static_cast<double>(value.value<std::int64_t>().value())
                                             : value.value<double>().value();
    if (!std::isfinite(number)) fail(value, fmt::format("{}: expected finite numbers", key));
    values.push_back(number);
  };
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& value : *array) take(value);
  } else {
    take(*node);
  }
  return values;
}

std::vector<std::int64_t> TomlReader::whole_numbers(const toml::table& table, const std::string& key) const {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  std::vector<std::int64_t> values;
  const auto take = [&](const toml::node& value) {
    if (!value.is_integer()) fail(value, fmt::format("{}: expected whole numbers", key));
    values.push_back(value.value<std::int64_t>().value());
  };
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& value : *array) take(value);
  } else {
    take(*node);
  }
  return values;
}

std::vector<double> TomlReader::voxel_size(const toml::table& table, const std::string& key) const {
  std::vector<double> values = numbers(table, key);
  if (values.empty()) return values;
  if (values.size() == 1) values.resize(3, values[0]);
  if (values.size() != 3) fail(*table.get(key), fmt::format("{}: expected one number or z,y,x in nm", key));
  for (const double value : values) {
    if (!(value > 0)) fail(*table.get(key), fmt::format("{}: expected nm above 0, found {}", key, value));
  }
  return values;
}

std::string TomlReader::box(const toml::table& table, const std::string& key) const {
  const std::vector<double> values = numbers(table, key);
  if (values.empty()) return "";
  if (values.size() != 6) fail(*table.get(key), fmt::format("{}: expected z0,y0,x0,z1,y1,x1 in nm", key));
  return fmt::format("{}", fmt::join(values, ","));
}

const toml::table* TomlReader::table(const toml::table& parent, const std::string& key) const {
  const toml::node* node = parent.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) fail(*node, fmt::format("{}: expected a table [{}]", key, key));
  return node->as_table();
}

void TomlReader::check_name(const toml::node& node, const std::string& what, const std::string& name) const {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-' || letter == '.';
  });
  if (name.empty() || !is_plain || name.front() == '.')
    fail(node,
         fmt::format("{}: expected a name of letters, digits, '_', '-' and '.', found '{}'", what, name));
}

void TomlReader::setting(StageSettings& settings, const std::string& name, const toml::node& node) const {
  settings.values[name] = setting_text(node);
  settings.places[name] = place(node);
}

StageSettings TomlReader::settings(const toml::table& table) const {
  StageSettings settings;
  for (const auto& [key, node] : table) setting(settings, std::string(key.str()), node);
  return settings;
}

std::string TomlReader::setting_text(const toml::node& node) const {
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const toml::array* array = node.as_array()) {
    std::vector<std::string> parts;
    for (const toml::node& part : *array) parts.push_back(setting_text(part));
    return fmt::format("{}", fmt::join(parts, ","));
  }
  fail(node, "expected a number, text, true, false or a list of them");
}

std::string TomlReader::color(const toml::table& table, const std::string& key,
                              const std::string& standard) const {
  const std::string color = text(table, key, standard);
  const bool is_color = color.size() == 7 && color[0] == '#' &&
                        color.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
  if (!is_color) fail(*table.get(key), fmt::format("{}: expected #rrggbb, found '{}'", key, color));
  return color;
}

double TomlReader::number(const toml::table& table, const std::string& key, double standard) const {
  const std::vector<double> values = numbers(table, key);
  if (values.empty()) return standard;
  if (values.size() != 1) fail(*table.get(key), fmt::format("{}: expected one number", key));
  return values[0];
}

}  // namespace organon::config
