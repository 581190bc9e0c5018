#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace organon {

/// Name of an object in a labels dataset; 0 is background. Unique within a dataset, never across.
using ObjectId = std::uint64_t;

/// One value per row. Doubles may be NaN: the value is missing there.
using ColumnValues = std::variant<std::vector<std::int64_t>, std::vector<std::uint64_t>, std::vector<double>,
                                  std::vector<std::string>>;

/// "int64", "uint64", "double" or "string".
std::string_view type_name(const ColumnValues& values);

/// A column of an ObjectTable. The name carries the unit, as everywhere in organon: `volume_nm3` has unit
/// `nm3`.
struct Column {
  std::string name;
  std::string unit;  ///< empty: none
  ColumnValues values;
};

/// The unit that a column name ends in ("nm3" of "volume_nm3"); empty where it ends in none of organon's
/// units.
std::string_view unit_of_name(std::string_view name);

/// Columns of measurements, one row per object, keyed by object id. Tables of pairs (contact sites) are keyed
/// by the id of the pair and hold both objects as uint64 columns.
class ObjectTable {
 public:
  ObjectTable() = default;
  /// Errors: kInvalidArgument where an id stands twice or `key_name` is empty.
  explicit ObjectTable(std::vector<ObjectId> ids, std::string key_name = "id");

  const std::vector<ObjectId>& ids() const { return ids_; }
  const std::string& key_name() const { return key_name_; }
  std::size_t num_rows() const { return ids_.size(); }
  const std::vector<Column>& columns() const { return columns_; }
  bool has_column(std::string_view name) const;

  /// Adds `values`, one per row, T among int64, uint64, double, string. The unit is taken from the name.
  /// Requires: as many values as rows. Errors: kInvalidArgument for an empty name, kAlreadyExists for one
  /// there already.
  template <class T>
  ObjectTable& add_column(std::string name, std::vector<T> values) {
    return add_values(std::move(name), ColumnValues(std::move(values)));
  }
  ObjectTable& add_values(std::string name, ColumnValues values);

  /// Errors: kNotFound naming the nearest column, kInvalidArgument where the column is of another type.
  template <class T>
  const std::vector<T>& column(std::string_view name) const;
  /// As T (int64, uint64 or double) where every value fits exactly, whatever number type the column has.
  /// Errors: kNotFound; kInvalidArgument naming the value that does not fit.
  template <class T>
  std::vector<T> values_as(std::string_view name) const;

  /// The same rows in ascending order of id: the order in which all files are written.
  ObjectTable sorted_by_id() const;
  /// Itself where its ids ascend, else the same rows in `sorted`, which holds them: no copy of what is large.
  const ObjectTable& in_order(std::optional<ObjectTable>& sorted) const;
  /// Row of `id`; nothing where it is not there. Requires: ids in ascending order.
  std::optional<std::size_t> row_of(ObjectId id) const;

 private:
  const Column& find(std::string_view name) const;

  std::vector<ObjectId> ids_;
  std::string key_name_ = "id";
  std::vector<Column> columns_;
};

}  // namespace organon
