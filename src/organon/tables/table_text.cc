#include "organon/tables/table_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"

namespace organon::tables {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kMaxCsvBytes = std::size_t{1} << 31;
constexpr std::size_t kMaxColumns = 10'000;
constexpr std::uint64_t kLargestJavaScriptInteger = (std::uint64_t{1} << 53) - 1;

template <class T>
bool parses_as(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool is_number(std::string_view text) {
  double value = 0;
  return parses_as(text, value);
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

std::string field(const std::string& text) {
  // A leading byte order mark would be taken for the file's.
  const bool is_special =
      text.find_first_of("\",\r\n") != std::string::npos || text.starts_with(kByteOrderMark);
  return is_special || text.empty() || is_number(text) ? in_quotes(text) : text;
}

std::string field(double value) {
  if (std::isnan(value)) return "";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

template <class Integer>
std::string field(Integer value) {
  return fmt::format("{}", value);
}

struct Field {
  std::string text;
  bool is_quoted = false;
};

// Reads fields one by one; knows the line for messages.
class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  bool at_end() const { return position_ >= text_.size(); }
  std::size_t line() const { return line_; }

  std::vector<Field> read_row() {
    std::vector<Field> row;
    while (true) {
      row.push_back(read_field());
      if (row.size() > kMaxColumns) fail(fmt::format("more than {} columns", kMaxColumns));
      if (at_end()) return row;
      const char c = text_[position_++];
      if (c == ',') continue;
      if (c == '\r' && !at_end() && text_[position_] == '\n') ++position_;
      ++line_;
      return row;
    }
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}, line {}: {}", where_, line_, reason));
  }

 private:
  Field read_field() {
    Field result;
    if (at_end() || text_[position_] != '"') {
      const std::size_t end = std::min(text_.size(), text_.find_first_of(",\r\n", position_));
      result.text = text_.substr(position_, end - position_);
      if (result.text.find('"') != std::string::npos) fail("a quote inside an unquoted field");
      position_ = end;
      return result;
    }
    result.is_quoted = true;
    ++position_;
    while (true) {
      const std::size_t quote = text_.find('"', position_);
      if (quote == std::string_view::npos) fail("a quoted field without end");
      const std::string_view piece = text_.substr(position_, quote - position_);
      for (const char c : piece) line_ += c == '\n' ? 1 : 0;
      result.text += piece;
      position_ = quote + 1;
      if (at_end() || text_[position_] != '"') break;
      result.text += '"';
      ++position_;
    }
    if (!at_end() && text_.substr(position_, 1).find_first_of(",\r\n") == std::string_view::npos) {
      fail("text after a closing quote");
    }
    return result;
  }

  std::string_view text_;
  std::string_view where_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
};

template <class T>
std::optional<ColumnValues> all_as(const std::vector<std::vector<Field>>& rows, std::size_t column) {
  std::vector<T> values(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const Field& read = rows[row][column];
    if (read.is_quoted) return std::nullopt;
    if (std::is_same_v<T, double> && read.text.empty()) {
      values[row] = std::numeric_limits<T>::quiet_NaN();
    } else if (!parses_as(read.text, values[row])) {
      return std::nullopt;
    }
  }
  return ColumnValues(std::move(values));
}

ColumnValues infer_column(const std::vector<std::vector<Field>>& rows, std::size_t column) {
  if (auto values = all_as<std::uint64_t>(rows, column)) return *std::move(values);
  if (auto values = all_as<std::int64_t>(rows, column)) return *std::move(values);
  if (auto values = all_as<double>(rows, column)) return *std::move(values);
  std::vector<std::string> texts;
  texts.reserve(rows.size());
  for (const auto& row : rows) texts.push_back(row[column].text);
  return texts;
}

Json json_value(std::uint64_t value) {
  return value <= kLargestJavaScriptInteger ? Json(value) : Json(fmt::format("{}", value));
}

Json json_value(std::int64_t value) {
  const bool is_small = value >= -static_cast<std::int64_t>(kLargestJavaScriptInteger) &&
                        value <= static_cast<std::int64_t>(kLargestJavaScriptInteger);
  return is_small ? Json(value) : Json(fmt::format("{}", value));
}

// JSON has no infinity.
Json json_value(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json json_value(const std::string& value) { return value; }

}  // namespace

std::string to_csv(const ObjectTable& unsorted) {
  std::optional<ObjectTable> sorted;
  const ObjectTable& table = unsorted.in_order(sorted);
  std::string text = field(table.key_name());
  for (const Column& column : table.columns()) text += "," + field(column.name);
  text += "\r\n";
  for (std::size_t row = 0; row < table.num_rows(); ++row) {
    text += fmt::format("{}", table.ids()[row]);
    for (const Column& column : table.columns()) {
      text += ',';
      text += std::visit([&](const auto& values) { return field(values[row]); }, column.values);
    }
    text += "\r\n";
  }
  return text;
}

ObjectTable from_csv(std::string_view text, std::string_view where) {
  if (text.size() > kMaxCsvBytes) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: table of {} bytes, at most {}", where, text.size(), kMaxCsvBytes));
  }
  // Spreadsheets put a byte order mark first.
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  CsvParser parser(text, where);
  if (parser.at_end()) parser.fail("no header");
  const std::vector<Field> header = parser.read_row();
  std::vector<std::vector<Field>> rows;
  std::vector<ObjectId> ids;
  while (!parser.at_end()) {
    const std::size_t line = parser.line();
    std::vector<Field> row = parser.read_row();
    const auto fail = [&](const std::string& reason) {
      throw Error(ErrorKind::kCorruptData, fmt::format("{}, line {}: {}", where, line, reason));
    };
    if (row.size() != header.size())
      fail(fmt::format("{} fields, the header has {}", row.size(), header.size()));
    ObjectId id = 0;
    if (!parses_as(row[0].text, id))
      fail(fmt::format("column {}: '{}' is no object id", header[0].text, row[0].text));
    ids.push_back(id);
    rows.push_back(std::move(row));
  }
  try {
    ObjectTable table(std::move(ids), header[0].text);
    for (std::size_t column = 1; column < header.size(); ++column) {
      table.add_values(header[column].text, infer_column(rows, column));
    }
    return table;
  } catch (const Error& error) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, error.message()));
  }
}

std::string to_json(const ObjectTable& unsorted) {
  std::optional<ObjectTable> sorted;
  const ObjectTable& table = unsorted.in_order(sorted);
  Json columns = Json::array();
  columns.push_back({{"name", table.key_name()}, {"unit", ""}, {"type", "uint64"}});
  for (const Column& column : table.columns()) {
    columns.push_back({{"name", column.name}, {"unit", column.unit}, {"type", type_name(column.values)}});
  }
  // One row a line: readable, and diffs stay small.
  std::string text = "{\"columns\": " + columns.dump() + ",\n\"rows\": [";
  for (std::size_t row = 0; row < table.num_rows(); ++row) {
    Json values = Json::array({json_value(table.ids()[row])});
    for (const Column& column : table.columns()) {
      values.push_back(std::visit([&](const auto& list) { return json_value(list[row]); }, column.values));
    }
    text += row == 0 ? "\n" : ",\n";
    // Texts from foreign files need not be UTF-8.
    text += values.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text + "\n]}\n";
}

void write_csv(const std::filesystem::path& path, const ObjectTable& table) {
  write_text_atomically(path, to_csv(table));
}

ObjectTable read_csv(const std::filesystem::path& path) { return from_csv(read_text(path), path.string()); }

void write_json(const std::filesystem::path& path, const ObjectTable& table) {
  write_text_atomically(path, to_json(table));
}

}  // namespace organon::tables
