#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "organon/base/json.h"

namespace organon::stages {

/// One value of a row; nothing where it is undefined or was not asked for.
using ScoreValue = std::variant<std::monostate, std::string, double, std::uint64_t>;

/// A row of scores: name and value in the order in which they are shown.
using ScoreRow = std::vector<std::pair<std::string, ScoreValue>>;

/// Adds a number rounded to millionths: enough to tell any two runs apart, few enough to read, the same on
/// every machine. Not finite: nothing.
void put_number(ScoreRow& row, const std::string& name, double value);

/// An object; nothing becomes null.
Json row_json(const ScoreRow& row);
/// A line of names and a line per row, RFC 4180; nothing becomes an empty field. Requires: rows have one list
/// of names. No rows: empty.
std::string rows_csv(std::span<const ScoreRow> rows);
/// The same in aligned columns, for people: numbers with four digits, nothing as "-".
std::string rows_text(std::span<const ScoreRow> rows);
/// A value as rows_text() shows it.
std::string shown(const ScoreValue& value);

}  // namespace organon::stages
