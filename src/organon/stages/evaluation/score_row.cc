#include "organon/stages/evaluation/score_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "organon/base/check.h"

namespace organon::stages {
namespace {

constexpr double kRounding = 1e6;

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string value_text(const ScoreValue& value, const std::string& nothing) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* count = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *count);
  return nothing;
}

}  // namespace

void put_number(ScoreRow& row, const std::string& name, double value) {
  if (std::isfinite(value)) {
    row.emplace_back(name, std::round(value * kRounding) / kRounding);
  } else {
    row.emplace_back(name, std::monostate());
  }
}

Json row_json(const ScoreRow& row) {
  Json object = Json::object();
  for (const auto& [name, value] : row) {
    Json& place = object[name];
    if (const auto* text = std::get_if<std::string>(&value)) place = *text;
    if (const auto* number = std::get_if<double>(&value)) place = *number;
    if (const auto* count = std::get_if<std::uint64_t>(&value)) place = *count;
  }
  return object;
}

std::string rows_csv(std::span<const ScoreRow> rows) {
  std::string text;
  const auto add_line = [&](const ScoreRow& row, auto field_of) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(field_of(row[i]));
    text += "\r\n";
  };
  if (!rows.empty()) add_line(rows.front(), [](const auto& field) { return field.first; });
  for (const ScoreRow& row : rows) {
    ORGANON_CHECK(row.size() == rows.front().size());
    add_line(row, [](const auto& field) { return value_text(field.second, ""); });
  }
  return text;
}

std::string shown(const ScoreValue& value) {
  const auto* number = std::get_if<double>(&value);
  return number != nullptr ? fmt::format("{:.4g}", *number) : value_text(value, "-");
}

std::string rows_text(std::span<const ScoreRow> rows) {
  if (rows.empty()) return "";
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < rows.front().size(); ++i) {
    std::size_t width = rows.front()[i].first.size();
    for (const ScoreRow& row : rows) width = std::max(width, shown(row[i].second).size());
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const ScoreRow& row, auto field_of) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", field_of(row[i]), widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line(rows.front(), [](const auto& field) { return field.first; });
  for (const ScoreRow& row : rows) add_line(row, [](const auto& field) { return shown(field.second); });
  return text;
}

}  // namespace organon::stages
