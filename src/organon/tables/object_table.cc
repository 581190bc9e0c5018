#include "organon/tables/object_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/base/options.h"

namespace organon {
namespace {

constexpr std::array<std::string_view, 13> kUnits = {"nm",       "nm2",     "nm3",    "um",      "um2",
                                                     "um3",      "per_nm",  "per_um", "degrees", "bytes",
                                                     "fraction", "seconds", "voxels"};

std::size_t size_of_values(const ColumnValues& values) {
  return std::visit([](const auto& list) { return list.size(); }, values);
}

// The value as T, if T holds it exactly.
template <class T, class U>
bool convert_exactly(U value, T& out) {
  if constexpr (std::is_same_v<T, U>) {
    out = value;
    return true;
  } else if constexpr (std::is_floating_point_v<T>) {
    // 2^53: up to here every integer is a double.
    constexpr U kLargest = U{1} << 53;
    if (value > kLargest) return false;
    if constexpr (std::is_signed_v<U>) {
      if (value < -kLargest) return false;
    }
    out = static_cast<T>(value);
    return true;
  } else if constexpr (std::is_floating_point_v<U>) {
    if (!(std::abs(value) <= 0x1p53) || value != std::floor(value)) return false;
    if (std::is_unsigned_v<T> && value < 0) return false;
    out = static_cast<T>(value);
    return true;
  } else {
    if (!std::in_range<T>(value)) return false;
    out = static_cast<T>(value);
    return true;
  }
}

}  // namespace

std::string_view type_name(const ColumnValues& values) {
  constexpr std::array<std::string_view, 4> kNames = {"int64", "uint64", "double", "string"};
  return kNames[values.index()];
}

std::string_view unit_of_name(std::string_view name) {
  std::string_view best;
  for (const std::string_view unit : kUnits) {
    if (unit.size() > best.size() && name.size() > unit.size() + 1 && name.ends_with(unit) &&
        name[name.size() - unit.size() - 1] == '_') {
      best = unit;
    }
  }
  return best;
}

ObjectTable::ObjectTable(std::vector<ObjectId> ids, std::string key_name)
    : ids_(std::move(ids)), key_name_(std::move(key_name)) {
  if (key_name_.empty()) throw Error(ErrorKind::kInvalidArgument, "table: the key column has no name");
  std::vector<ObjectId> sorted = ids_;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("table: {} {} stands twice", key_name_, *twice));
  }
}

bool ObjectTable::has_column(std::string_view name) const {
  return std::any_of(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
}

ObjectTable& ObjectTable::add_values(std::string name, ColumnValues values) {
  if (name.empty()) throw Error(ErrorKind::kInvalidArgument, "table: a column has no name");
  if (name == key_name_ || has_column(name)) {
    throw Error(ErrorKind::kAlreadyExists, fmt::format("table: column '{}' stands twice", name));
  }
  ORGANON_CHECK(size_of_values(values) == ids_.size());
  std::string unit(unit_of_name(name));
  columns_.push_back({std::move(name), std::move(unit), std::move(values)});
  return *this;
}

const Column& ObjectTable::find(std::string_view name) const {
  for (const Column& column : columns_) {
    if (column.name == name) return column;
  }
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  const std::string nearest = nearest_word(name, names);
  throw Error(ErrorKind::kNotFound,
              nearest.empty()
                  ? fmt::format("table: no column '{}'; there are {}", name, fmt::join(names, ", "))
                  : fmt::format("table: no column '{}'; did you mean '{}'?", name, nearest));
}

template <class T>
const std::vector<T>& ObjectTable::column(std::string_view name) const {
  const Column& found = find(name);
  if (const auto* values = std::get_if<std::vector<T>>(&found.values)) return *values;
  throw Error(ErrorKind::kInvalidArgument, fmt::format("table: column '{}' is of type {}, expected {}", name,
                                                       type_name(found.values), type_name(std::vector<T>())));
}

template <class T>
std::vector<T> ObjectTable::values_as(std::string_view name) const {
  return std::visit(
      [&](const auto& values) -> std::vector<T> {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_same_v<Value, std::string>) {
          throw Error(ErrorKind::kInvalidArgument,
                      fmt::format("table: column '{}' holds text, expected numbers", name));
        } else {
          std::vector<T> converted(values.size());
          for (std::size_t row = 0; row < values.size(); ++row) {
            if (!convert_exactly(values[row], converted[row])) {
              throw Error(ErrorKind::kInvalidArgument,
                          fmt::format("table: column '{}', {} {}: {} is not of type {}", name, key_name_,
                                      ids_[row], values[row], type_name(converted)));
            }
          }
          return converted;
        }
      },
      find(name).values);
}

const ObjectTable& ObjectTable::in_order(std::optional<ObjectTable>& sorted) const {
  if (std::is_sorted(ids_.begin(), ids_.end())) return *this;
  sorted = sorted_by_id();
  return *sorted;
}

ObjectTable ObjectTable::sorted_by_id() const {
  std::vector<std::size_t> order(ids_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ids_[a] < ids_[b]; });
  const auto reorder = [&](const auto& values) {
    std::decay_t<decltype(values)> result;
    result.reserve(values.size());
    for (const std::size_t row : order) result.push_back(values[row]);
    return result;
  };
  ObjectTable table;
  table.ids_ = reorder(ids_);
  table.key_name_ = key_name_;
  for (const Column& column : columns_) {
    table.columns_.push_back(
        {column.name, column.unit,
         std::visit([&](const auto& v) { return ColumnValues(reorder(v)); }, column.values)});
  }
  return table;
}

std::optional<std::size_t> ObjectTable::row_of(ObjectId id) const {
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (found == ids_.end() || *found != id) return std::nullopt;
  return static_cast<std::size_t>(found - ids_.begin());
}

template const std::vector<std::int64_t>& ObjectTable::column(std::string_view) const;
template const std::vector<std::uint64_t>& ObjectTable::column(std::string_view) const;
template const std::vector<double>& ObjectTable::column(std::string_view) const;
template const std::vector<std::string>& ObjectTable::column(std::string_view) const;
template std::vector<std::int64_t> ObjectTable::values_as(std::string_view) const;
template std::vector<std::uint64_t> ObjectTable::values_as(std::string_view) const;
template std::vector<double> ObjectTable::values_as(std::string_view) const;

}  // namespace organon
