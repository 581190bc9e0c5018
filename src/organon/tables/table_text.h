#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "organon/tables/object_table.h"

namespace organon::tables {

/// RFC 4180 text: a header of names (units in the names: `volume_nm3`), rows in ascending order of id, lines
/// ended by CR LF as the RFC says. Doubles in the shortest form that reads back equal, always with a point or
/// exponent; a missing double is an empty field; texts that could pass for a number or for a missing value
/// are quoted. So to_csv(from_csv(text)) == text for every text written here.
std::string to_csv(const ObjectTable& table);

/// Reads a CSV written here or elsewhere (LF or CR LF, quoted or not); the first column is the key. A column
/// is uint64 where all its fields are whole numbers >= 0, int64 where they are whole numbers, double where
/// they are numbers or empty, else text; a quoted field is text. `where` is for messages. Errors:
/// kCorruptData naming line and column; kResourceExhausted beyond 2^31 bytes.
ObjectTable from_csv(std::string_view text, std::string_view where);

/// For the page: {"columns": [{"name", "unit", "type"}], "rows": [[...], ...]}, the key first. Missing
/// doubles are null; integers beyond 2^53 - 1, which JavaScript cannot hold, are strings.
std::string to_json(const ObjectTable& table);

/// The files of the above, written whole or not at all.
void write_csv(const std::filesystem::path& path, const ObjectTable& table);
ObjectTable read_csv(const std::filesystem::path& path);
void write_json(const std::filesystem::path& path, const ObjectTable& table);

}  // namespace organon::tables
