#include "organon/voxel/cell_levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::voxel {
namespace {

// Cells of 2 x 2 x 2 that `shape` has whole; none where the factor is another.
Shape3 whole_cells(const Shape3& shape, const Shape3& factor) {
  if (factor != Shape3::cube(2)) return {};
  return {shape.z / 2, shape.y / 2, shape.x / 2};
}

// Calls use(position of a coarse cell, box of the finer ones) for all coarse cells that `shape` makes, but
// those below `done`.
template <class Use>
void for_each_cell(const Shape3& shape, const Shape3& factor, const Shape3& done, const Use& use) {
  const Shape3 cells{ceil_divide(shape.z, factor.z), ceil_divide(shape.y, factor.y),
                     ceil_divide(shape.x, factor.x)};
  for (std::int64_t z = 0; z < cells.z; ++z) {
    for (std::int64_t y = 0; y < cells.y; ++y) {
      for (std::int64_t x = z < done.z && y < done.y ? done.x : 0; x < cells.x; ++x)
        use(Index3{z, y, x},
            Box{{z * factor.z, y * factor.y, x * factor.x},
                {std::min((z + 1) * factor.z, shape.z), std::min((y + 1) * factor.y, shape.y),
                 std::min((x + 1) * factor.x, shape.x)}});
    }
  }
}

void check_place(const Shape3& finer, const Shape3& factor, const Index3& at, const Shape3& cells) {
  ORGANON_CHECK(factor.smallest() >= 1 && factor.largest() <= 2);
  const Shape3 made{ceil_divide(finer.z, factor.z), ceil_divide(finer.y, factor.y),
                    ceil_divide(finer.x, factor.x)};
  ORGANON_CHECK(Box::of_shape(cells).contains(Box::at(at, made)));
}

// Adds rows of `finer`, pairs along x where the factor is 2, to the sums from `at` on.
template <class From, class Sum>
void add_rows(ArrayView<const From> finer, const Shape3& factor, const Index3& at, Array<Sum>& sums) {
  const Shape3 shape = finer.shape();
  const std::int64_t step = finer.stride().x;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const From* const from = finer.row(z, y);
      Sum* const to = sums.view().row(at.z + z / factor.z, at.y + y / factor.y) + at.x;
      if (factor.x == 2 && step == 1) {
        const std::int64_t pairs = shape.x / 2;
        for (std::int64_t x = 0; x < pairs; ++x)
          to[x] = static_cast<Sum>(to[x] + static_cast<Sum>(from[2 * x]) + static_cast<Sum>(from[2 * x + 1]));
        if (shape.x % 2 != 0) to[pairs] += static_cast<Sum>(from[shape.x - 1]);
      } else {
        for (std::int64_t x = 0; x < shape.x; ++x) to[x / factor.x] += static_cast<Sum>(from[x * step]);
      }
    }
  }
}

[[noreturn]] void refuse_bytes(std::size_t size, const Shape3& shape) {
  throw Error(ErrorKind::kCorruptData,
              fmt::format("{} bytes are no cells of shape {}", size, to_string(shape)));
}

}  // namespace

template <class T>
void MeanCells<T>::take_voxels(ArrayView<const T> voxels, const Shape3& factor, const Index3& at) {
  check_place(voxels.shape(), factor, at, shape());
  add_rows(voxels, factor, at, sums_);
}

template <class T>
void MeanCells<T>::take_cells(const MeanCells& finer, const Shape3& factor, const Index3& at) {
  check_place(finer.shape(), factor, at, shape());
  add_rows(std::as_const(finer.sums_).view(), factor, at, sums_);
}

template <class T>
void MeanCells<T>::reduce(const CellExtents& extents, ArrayView<T> reduced) const {
  const Shape3 size = shape();
  ORGANON_CHECK(reduced.shape() == size);
  for (std::int64_t z = 0; z < size.z; ++z) {
    const std::int64_t deep = CellExtents::along(extents.first.z + z, extents.cell.z, extents.volume.z);
    for (std::int64_t y = 0; y < size.y; ++y) {
      const std::int64_t high = CellExtents::along(extents.first.y + y, extents.cell.y, extents.volume.y);
      const Sum* const from = sums_.view().row(z, y);
      T* const to = reduced.row(z, y);
      for (std::int64_t x = 0; x < size.x; ++x) {
        const std::int64_t count =
            deep * high * CellExtents::along(extents.first.x + x, extents.cell.x, extents.volume.x);
        if constexpr (std::is_floating_point_v<T>)
          to[x * reduced.stride().x] = static_cast<T>(from[x] / static_cast<double>(count));
        else
          to[x * reduced.stride().x] =
              static_cast<T>((from[x] + static_cast<Sum>(count / 2)) / static_cast<Sum>(count));
      }
    }
  }
}

template <class T>
std::vector<std::byte> MeanCells<T>::to_bytes() const {
  const auto* first = reinterpret_cast<const std::byte*>(sums_.data());
  return {first, first + static_cast<std::size_t>(sums_.size()) * sizeof(Sum)};
}

template <class T>
MeanCells<T> MeanCells<T>::from_bytes(const Shape3& shape, std::span<const std::byte> bytes) {
  if (bytes.size() != static_cast<std::size_t>(shape.product()) * sizeof(Sum))
    refuse_bytes(bytes.size(), shape);
  MeanCells cells(shape);
  if (!bytes.empty()) std::memcpy(cells.sums_.data(), bytes.data(), bytes.size());
  return cells;
}

// Finds a value among the last few before it adds one: cells hold few different ones.
template <class T>
void ModeCells<T>::add(T value, std::uint32_t count, std::vector<Entry>& entries) {
  constexpr std::size_t kFew = 16;
  const std::size_t end = entries.size() > kFew ? entries.size() - kFew : 0;
  for (std::size_t i = entries.size(); i-- > end;) {
    if (entries[i].value == value) {
      entries[i].count += count;
      return;
    }
  }
  entries.push_back({value, count});
}

template <class T>
void ModeCells<T>::put_one(const Index3& cell, T value, std::uint32_t count) {
  first_(cell) = static_cast<std::uint32_t>(entries_.size());
  count_(cell) = 1;
  entries_.push_back({value, count});
}

// `entries` may name a value several times.
template <class T>
void ModeCells<T>::put(const Index3& cell, std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
  first_(cell) = static_cast<std::uint32_t>(entries_.size());
  for (const Entry& entry : entries) {
    if (entries_.size() > first_(cell) && entries_.back().value == entry.value)
      entries_.back().count += entry.count;
    else
      entries_.push_back(entry);
  }
  count_(cell) = static_cast<std::uint32_t>(entries_.size()) - first_(cell);
}

template <class T>
void ModeCells<T>::take_voxels(ArrayView<const T> voxels, const Shape3& factor, const Index3& at) {
  check_place(voxels.shape(), factor, at, shape());
  std::vector<Entry> found;
  const Shape3 whole = voxels.stride().x == 1 ? whole_cells(voxels.shape(), factor) : Shape3{};
  for (std::int64_t z = 0; z < whole.z; ++z) {
    for (std::int64_t y = 0; y < whole.y; ++y) {
      const T* const a = voxels.row(2 * z, 2 * y);
      const T* const b = voxels.row(2 * z, 2 * y + 1);
      const T* const c = voxels.row(2 * z + 1, 2 * y);
      const T* const d = voxels.row(2 * z + 1, 2 * y + 1);
      for (std::int64_t x = 0; x < whole.x; ++x) {
        const std::int64_t i = 2 * x;
        const T value = a[i];
        const Index3 cell = at + Index3{z, y, x};
        const bool is_uniform = (a[i + 1] == value) & (b[i] == value) & (b[i + 1] == value) &
                                (c[i] == value) & (c[i + 1] == value) & (d[i] == value) & (d[i + 1] == value);
        if (is_uniform) {
          put_one(cell, value, 8);
          continue;
        }
        found.clear();
        for (const T* const row : {a, b, c, d}) {
          add(row[i], 1, found);
          add(row[i + 1], 1, found);
        }
        put(cell, found);
      }
    }
  }
  for_each_cell(voxels.shape(), factor, whole, [&](const Index3& cell, const Box& box) {
    found.clear();
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) add(voxels(z, y, x), 1, found);
    put(at + cell, found);
  });
}

template <class T>
void ModeCells<T>::take_cells(const ModeCells& finer, const Shape3& factor, const Index3& at) {
  check_place(finer.shape(), factor, at, shape());
  std::vector<Entry> found;
  const auto take = [&](std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i)
      add(finer.entries_[i].value, finer.entries_[i].count, found);
  };
  const Shape3 whole = whole_cells(finer.shape(), factor);
  for (std::int64_t z = 0; z < whole.z; ++z) {
    for (std::int64_t y = 0; y < whole.y; ++y) {
      const std::uint32_t* first[4];
      const std::uint32_t* count[4];
      for (int row = 0; row < 4; ++row) {
        first[row] = finer.first_.view().row(2 * z + row / 2, 2 * y + row % 2);
        count[row] = finer.count_.view().row(2 * z + row / 2, 2 * y + row % 2);
      }
      for (std::int64_t x = 0; x < whole.x; ++x) {
        const std::int64_t i = 2 * x;
        const Index3 cell = at + Index3{z, y, x};
        const T value = finer.entries_[first[0][i]].value;
        bool is_uniform = true;
        std::uint32_t volume = 0;
        for (int row = 0; row < 4; ++row) {
          const Entry& left = finer.entries_[first[row][i]];
          const Entry& right = finer.entries_[first[row][i + 1]];
          is_uniform = is_uniform & (count[row][i] == 1) & (count[row][i + 1] == 1) & (left.value == value) &
                       (right.value == value);
          volume += left.count + right.count;
        }
        if (is_uniform) {
          put_one(cell, value, volume);
          continue;
        }
        found.clear();
        for (int row = 0; row < 4; ++row) {
          take(first[row][i], count[row][i]);
          take(first[row][i + 1], count[row][i + 1]);
        }
        put(cell, found);
      }
    }
  }
  for_each_cell(finer.shape(), factor, whole, [&](const Index3& cell, const Box& box) {
    found.clear();
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x)
          take(finer.first_(z, y, x), finer.count_(z, y, x));
    put(at + cell, found);
  });
}

template <class T>
void ModeCells<T>::reduce(const CellExtents&, ArrayView<T> reduced) const {
  const Shape3 size = shape();
  ORGANON_CHECK(reduced.shape() == size);
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        const Entry* const entry = entries_.data() + first_(z, y, x);
        const Entry* best = entry;
        for (std::uint32_t i = 1; i < count_(z, y, x); ++i)
          if (entry[i].count > best->count) best = entry + i;
        reduced(z, y, x) = best->value;
      }
    }
  }
}

// count of each cell, then values, then their counts, in raster order of the cells.
template <class T>
std::vector<std::byte> ModeCells<T>::to_bytes() const {
  std::vector<T> values;
  std::vector<std::uint32_t> counts;
  for (std::int64_t i = 0; i < first_.size(); ++i) {
    const Entry* const entry = entries_.data() + first_.data()[i];
    for (std::uint32_t k = 0; k < count_.data()[i]; ++k) {
      values.push_back(entry[k].value);
      counts.push_back(entry[k].count);
    }
  }
  std::vector<std::byte> bytes;
  const auto append = [&](const void* data, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), first, first + size);
  };
  append(count_.data(), static_cast<std::size_t>(count_.size()) * sizeof(std::uint32_t));
  append(values.data(), values.size() * sizeof(T));
  append(counts.data(), counts.size() * sizeof(std::uint32_t));
  return bytes;
}

template <class T>
ModeCells<T> ModeCells<T>::from_bytes(const Shape3& shape, std::span<const std::byte> bytes) {
  const auto head = static_cast<std::size_t>(shape.product()) * sizeof(std::uint32_t);
  if (bytes.size() < head || (bytes.size() - head) % (sizeof(T) + sizeof(std::uint32_t)) != 0)
    refuse_bytes(bytes.size(), shape);
  const std::size_t num_entries = (bytes.size() - head) / (sizeof(T) + sizeof(std::uint32_t));
  ModeCells cells(shape);
  if (head > 0) std::memcpy(cells.count_.data(), bytes.data(), head);
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < cells.count_.size(); ++i) {
    cells.first_.data()[i] = static_cast<std::uint32_t>(sum);
    sum += cells.count_.data()[i];
    if (cells.count_.data()[i] == 0) refuse_bytes(bytes.size(), shape);
  }
  if (sum != num_entries) refuse_bytes(bytes.size(), shape);
  cells.entries_.resize(num_entries);
  for (std::size_t i = 0; i < num_entries; ++i) {
    std::memcpy(&cells.entries_[i].value, bytes.data() + head + i * sizeof(T), sizeof(T));
    std::memcpy(&cells.entries_[i].count,
                bytes.data() + head + num_entries * sizeof(T) + i * sizeof(std::uint32_t),
                sizeof(std::uint32_t));
  }
  return cells;
}

template class MeanCells<std::uint8_t>;
template class MeanCells<std::uint16_t>;
template class MeanCells<std::uint32_t>;
template class MeanCells<std::uint64_t>;
template class MeanCells<float>;
template class ModeCells<std::uint8_t>;
template class ModeCells<std::uint16_t>;
template class ModeCells<std::uint32_t>;
template class ModeCells<std::uint64_t>;

}  // namespace organon::voxel
