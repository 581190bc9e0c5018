#include "organon/base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "organon/base/error.h"
#include "organon/base/json.h"

namespace organon {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
// Clang before 17 needs the guide said.
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

[[noreturn]] void refuse(std::string_view name, std::string_view expected, std::string_view found) {
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("option {}: expected {}, found '{}'", name, expected, found));
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = text.find(',', begin);
    std::string part = text.substr(begin, comma == std::string::npos ? comma : comma - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    parts.push_back(std::move(part));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

void check_range(std::string_view name, double value, const OptionInfo& info, std::string_view text) {
  if (std::isfinite(value) && value >= info.min && value <= info.max) return;
  std::string expected = "a number";
  if (info.min > -1e300) expected += fmt::format(" from {}", info.min);
  if (info.max < 1e300) expected += fmt::format(" to {}", info.max);
  refuse(name, expected + (info.unit.empty() ? "" : " (" + info.unit + ")"), text);
}

double parse_double(std::string_view name, const std::string& text, const OptionInfo& info) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size())
    refuse(name, "a number", text);
  check_range(name, value, info, text);
  return value;
}

std::int64_t parse_integer(std::string_view name, const std::string& text, const OptionInfo& info) {
  const double value = parse_double(name, text, info);
  if (value != std::floor(value) || std::abs(value) > 9e15) refuse(name, "a whole number", text);
  return static_cast<std::int64_t>(value);
}

void check_choice(std::string_view name, const std::string& word, const OptionInfo& info) {
  if (info.choices.empty()) return;
  if (std::find(info.choices.begin(), info.choices.end(), word) != info.choices.end()) return;
  refuse(name, fmt::format("one of {}", fmt::join(info.choices, ", ")), word);
}

Json value_json(const OptionTable::Target& target) {
  return std::visit([](const auto* field) { return Json(*field); }, target);
}

// JSON scalars as the text that set() takes.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Json& part : value) parts.push_back(text_of(part));
    return fmt::format("{}", fmt::join(parts, ","));
  }
  return value.dump();
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(3, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

OptionTable& OptionTable::add_target(std::string name, Target target, OptionInfo info) {
  Option option{std::move(name), target, std::move(info), ""};
  option.default_text = value_text(option);
  options_.push_back(std::move(option));
  return *this;
}

std::string OptionTable::value_text(const Option& option) const { return text_of(value_json(option.target)); }

void OptionTable::set(std::string_view name, const std::string& text) {
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.name == name; });
  if (found == options_.end()) {
    std::vector<std::string> names;
    for (const Option& option : options_) names.push_back(option.name);
    const std::string nearest = nearest_word(name, names);
    throw Error(ErrorKind::kInvalidArgument,
                nearest.empty()
                    ? fmt::format("unknown option '{}'; known are {}", name, fmt::join(names, ", "))
                    : fmt::format("unknown option '{}'; did you mean '{}'?", name, nearest));
  }
  const OptionInfo& info = found->info;
  std::visit(Overloaded{
                 [&](bool* field) {
                   if (text != "true" && text != "false") refuse(name, "true or false", text);
                   *field = text == "true";
                 },
                 [&](std::int64_t* field) { *field = parse_integer(name, text, info); },
                 [&](double* field) { *field = parse_double(name, text, info); },
                 [&](std::string* field) {
                   check_choice(name, text, info);
                   *field = text;
                 },
                 [&](std::vector<double>* field) {
                   std::vector<double> values;
                   for (const auto& part : split_list(text)) values.push_back(parse_double(name, part, info));
                   *field = std::move(values);
                 },
                 [&](std::vector<std::int64_t>* field) {
                   std::vector<std::int64_t> values;
                   for (const auto& part : split_list(text))
                     values.push_back(parse_integer(name, part, info));
                   *field = std::move(values);
                 },
                 [&](std::vector<std::string>* field) {
                   auto words = split_list(text);
                   for (const auto& word : words) check_choice(name, word, info);
                   *field = std::move(words);
                 },
             },
             found->target);
}

void OptionTable::set_from_json(std::string_view json_text) {
  const Json json = parse_json(json_text, "options");
  if (!json.is_object()) throw Error(ErrorKind::kInvalidArgument, "options: expected a JSON object");
  for (const auto& [name, value] : json.items()) set(name, text_of(value));
}

std::string OptionTable::to_json() const {
  Json json = Json::object();
  for (const Option& option : options_) json[option.name] = value_json(option.target);
  return json.dump();
}

}  // namespace organon
