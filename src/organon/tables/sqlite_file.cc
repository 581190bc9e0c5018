#include "organon/tables/sqlite_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::tables {
namespace {

constexpr std::string_view kUnitsTable = "column_units";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct CloseStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, CloseStatement>;

std::string quote_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

class Database {
 public:
  Database(const std::filesystem::path& file, std::string shown_as, int flags)
      : shown_as_(std::move(shown_as)) {
    sqlite3* raw = nullptr;
    const int result = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
    handle_.reset(raw);
    check(result);
    // A table needs no schema code; foreign files shall run none.
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  }

  void run(const std::string& sql) {
    check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
  }

  StatementHandle prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(handle_.get(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr));
    return StatementHandle(statement);
  }

  /// True while there is a row.
  bool step(const StatementHandle& statement) {
    const int result = sqlite3_step(statement.get());
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) check(result);
    return false;
  }

  void check(int result) const {
    if (result == SQLITE_OK) return;
    const char* reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(result);
    const int primary = result & 0xff;
    const ErrorKind kind = primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT ? ErrorKind::kCorruptData
                           : primary == SQLITE_FULL || primary == SQLITE_NOMEM ? ErrorKind::kResourceExhausted
                                                                               : ErrorKind::kIo;
    throw Error(kind, fmt::format("{}: SQLite: {}", shown_as_, reason));
  }

  const std::string& shown_as() const { return shown_as_; }

 private:
  std::unique_ptr<sqlite3, CloseDatabase> handle_;
  std::string shown_as_;
};

std::string_view sql_type(const ColumnValues& values) {
  if (std::holds_alternative<std::vector<double>>(values)) return "REAL";
  return std::holds_alternative<std::vector<std::string>>(values) ? "TEXT" : "INTEGER";
}

int bind(sqlite3_stmt* statement, int place, std::int64_t value) {
  return sqlite3_bind_int64(statement, place, value);
}

int bind(sqlite3_stmt* statement, int place, double value) {
  return std::isnan(value) ? sqlite3_bind_null(statement, place)
                           : sqlite3_bind_double(statement, place, value);
}

int bind(sqlite3_stmt* statement, int place, const std::string& value) {
  return sqlite3_bind_text64(statement, place, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int bind(sqlite3_stmt* statement, int place, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{} does not fit a SQLite integer (below 2^63)", value));
  }
  return sqlite3_bind_int64(statement, place, static_cast<std::int64_t>(value));
}

void write_table(Database& database, const std::string& name, const ObjectTable& unsorted) {
  std::optional<ObjectTable> sorted;
  const ObjectTable& table = unsorted.in_order(sorted);
  database.run("DROP TABLE IF EXISTS " + quote_name(name));
  std::string create =
      fmt::format("CREATE TABLE {} ({} INTEGER PRIMARY KEY", quote_name(name), quote_name(table.key_name()));
  std::string insert = fmt::format("INSERT INTO {} VALUES (?", quote_name(name));
  for (const Column& column : table.columns()) {
    create += fmt::format(", {} {}", quote_name(column.name), sql_type(column.values));
    insert += ", ?";
  }
  database.run(create + ")");
  const StatementHandle statement = database.prepare(insert + ")");
  for (std::size_t row = 0; row < table.num_rows(); ++row) {
    int place = 1;
    database.check(bind(statement.get(), place++, table.ids()[row]));
    for (const Column& column : table.columns()) {
      database.check(std::visit(
          [&](const auto& values) { return bind(statement.get(), place++, values[row]); }, column.values));
    }
    database.step(statement);
    sqlite3_reset(statement.get());
  }

  const StatementHandle remove =
      database.prepare(fmt::format("DELETE FROM {} WHERE table_name = ?", kUnitsTable));
  database.check(bind(remove.get(), 1, name));
  database.step(remove);
  const StatementHandle add = database.prepare(fmt::format("INSERT INTO {} VALUES (?, ?, ?)", kUnitsTable));
  for (const Column& column : table.columns()) {
    if (column.unit.empty()) continue;
    database.check(bind(add.get(), 1, name));
    database.check(bind(add.get(), 2, column.name));
    database.check(bind(add.get(), 3, column.unit));
    database.step(add);
    sqlite3_reset(add.get());
  }
}

void check_table_name(const std::string& name) {
  if (!name.empty() && name != kUnitsTable && !name.starts_with("sqlite_")) return;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("'{}' cannot be the name of a table", name));
}

// SQLite compares names without case.
std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

void check_column_names(const std::string& name, const ObjectTable& table) {
  std::vector<std::string> names = {lower_case(table.key_name())};
  for (const Column& column : table.columns()) names.push_back(lower_case(column.name));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return;
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("table {}: two columns are named '{}' but for upper case, which SQLite does not tell apart",
                  name, *twice));
}

void change_database(const std::filesystem::path& file, const std::filesystem::path& path,
                     const std::vector<NamedTable>& tables) {
  Database database(file, path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  // The file is a private copy until renamed, so it needs no journal; the last COMMIT still waits for the
  // disk.
  database.run("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL");
  database.run("BEGIN");
  database.run(fmt::format("CREATE TABLE IF NOT EXISTS {} (table_name TEXT, column_name TEXT, unit TEXT)",
                           kUnitsTable));
  for (const NamedTable& named : tables) {
    try {
      write_table(database, named.name, named.table);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kUnsupported)
        throw error.within(fmt::format("{}, table {}", path.string(), named.name));
      throw;
    }
  }
  database.run("COMMIT");
}

Database open_to_read(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file", path.string()));
  return Database(path, path.string(), SQLITE_OPEN_READONLY);
}

}  // namespace

void write_sqlite(const std::filesystem::path& path, const std::vector<NamedTable>& tables) {
  for (const NamedTable& named : tables) {
    check_table_name(named.name);
    check_column_names(named.name, named.table);
  }
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::filesystem::path temporary =
      folder / fmt::format(".{}.{}.partial", path.filename().string(), ::getpid());
  try {
    const auto old = read_file_if_exists(path);
    write_file_atomically(temporary, old ? std::span<const std::byte>(*old) : std::span<const std::byte>(),
                          Fsync::kNo);
    change_database(temporary, path, tables);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_system_error("cannot rename to", path.string());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder);
}

std::vector<std::string> list_sqlite_tables(const std::filesystem::path& path) {
  Database database = open_to_read(path);
  const StatementHandle statement = database.prepare(fmt::format(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> '{}' ORDER BY name", kUnitsTable));
  std::vector<std::string> names;
  while (database.step(statement))
    names.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0)));
  return names;
}

ObjectTable read_sqlite(const std::filesystem::path& path, const std::string& table_name) {
  const std::vector<std::string> names = list_sqlite_tables(path);
  if (std::find(names.begin(), names.end(), table_name) == names.end()) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no table '{}'; there are {}", path.string(),
                                                  table_name, fmt::join(names, ", ")));
  }
  Database database = open_to_read(path);
  const StatementHandle statement =
      database.prepare(fmt::format("SELECT * FROM {} ORDER BY 1", quote_name(table_name)));
  sqlite3_stmt* raw = statement.get();
  const int num_columns = sqlite3_column_count(raw);
  const std::string key_name = sqlite3_column_name(raw, 0);
  std::vector<ObjectId> ids;
  std::vector<Column> columns;
  for (int column = 1; column < num_columns; ++column) {
    const char* declared = sqlite3_column_decltype(raw, column);
    const std::string_view type = declared != nullptr ? declared : "TEXT";
    ColumnValues values = std::vector<std::string>();
    if (type == "INTEGER") values = std::vector<std::int64_t>();
    if (type == "REAL") values = std::vector<double>();
    columns.push_back({sqlite3_column_name(raw, column), "", std::move(values)});
  }
  while (database.step(statement)) {
    const std::int64_t id = sqlite3_column_int64(raw, 0);
    if (id < 0)
      throw Error(ErrorKind::kCorruptData, fmt::format("{}, table {}: id {}", path.string(), table_name, id));
    ids.push_back(static_cast<ObjectId>(id));
    for (int column = 1; column < num_columns; ++column) {
      ColumnValues& values = columns[static_cast<std::size_t>(column) - 1].values;
      if (auto* integers = std::get_if<std::vector<std::int64_t>>(&values)) {
        integers->push_back(sqlite3_column_int64(raw, column));
      } else if (auto* numbers = std::get_if<std::vector<double>>(&values)) {
        const bool is_null = sqlite3_column_type(raw, column) == SQLITE_NULL;
        numbers->push_back(is_null ? std::numeric_limits<double>::quiet_NaN()
                                   : sqlite3_column_double(raw, column));
      } else {
        const void* text = sqlite3_column_blob(raw, column);
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(raw, column));
        std::get<std::vector<std::string>>(values).emplace_back(static_cast<const char*>(text),
                                                                text ? size : 0);
      }
    }
  }
  try {
    ObjectTable table(std::move(ids), key_name);
    for (Column& column : columns) table.add_values(std::move(column.name), std::move(column.values));
    return table;
  } catch (const Error& error) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}, table {}: {}", path.string(), table_name, error.message()));
  }
}

}  // namespace organon::tables
