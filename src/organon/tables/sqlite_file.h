#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "organon/tables/object_table.h"

namespace organon::tables {

/// A table and its name in a database: one per organelle class.
struct NamedTable {
  std::string name;
  ObjectTable table;
};

/// Puts `tables` into the SQLite database at `path`. Tables of the same name are replaced, others are kept.
/// The key is the primary key; missing doubles are NULL; the table `column_units` holds (table_name,
/// column_name, unit). The file is old or new at every moment: a copy is changed, made durable and renamed.
/// Errors: kUnsupported for an integer >= 2^63, which SQLite cannot hold; kInvalidArgument for a table name
/// that is empty, `column_units`, or begins with `sqlite_`; kCorruptData where `path` is no database; kIo.
void write_sqlite(const std::filesystem::path& path, const std::vector<NamedTable>& tables);

/// Names of the tables of the database, ascending, without `column_units`.
std::vector<std::string> list_sqlite_tables(const std::filesystem::path& path);

/// Reads a table back; its first column is the key. Errors: kNotFound, kCorruptData.
ObjectTable read_sqlite(const std::filesystem::path& path, const std::string& table_name);

}  // namespace organon::tables
