#include "organon/voxel/downsample.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/voxel/downsample_kernels.h"

namespace organon::voxel {
namespace {

bool is_allowed(std::int64_t factor) { return factor >= 1 && factor <= 32 && (factor & (factor - 1)) == 0; }

/// Holds 32^3 values.
template <class T>
using Sum = std::conditional_t<
    std::is_floating_point_v<T>, double,
    std::conditional_t<sizeof(T) <= 2, std::uint32_t,
                       std::conditional_t<sizeof(T) == 4, std::uint64_t, unsigned __int128>>>;

template <class T, class S>
T mean_of(S sum, std::int64_t count) {
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(sum / static_cast<double>(count));
  else
    return static_cast<T>((sum + static_cast<S>(count / 2)) / static_cast<S>(count));
}

template <class T>
void add_row(const T* row, std::int64_t count, Sum<T>* sums) {
  for (std::int64_t x = 0; x < count; ++x) sums[x] += static_cast<Sum<T>>(row[x]);
}

/// Counts values in a short list; what was counted last is looked at first.
template <class T>
class ModeCounter {
 public:
  void clear() { counts_.clear(); }
  void add(T value) {
    if (last_ < counts_.size() && counts_[last_].value == value) {
      ++counts_[last_].count;
      return;
    }
    for (last_ = 0; last_ < counts_.size(); ++last_) {
      if (counts_[last_].value == value) {
        ++counts_[last_].count;
        return;
      }
    }
    counts_.push_back({value, 1});
  }
  bool is_crowded() const { return counts_.size() > 64; }
  T mode() const {
    const auto better = [](const Count& a, const Count& b) {
      return a.count != b.count ? a.count < b.count : a.value > b.value;
    };
    return std::max_element(counts_.begin(), counts_.end(), better)->value;
  }

 private:
  struct Count {
    T value;
    std::int64_t count;
  };
  std::vector<Count> counts_;
  std::size_t last_ = 0;
};

/// For cells of very many values.
template <class T>
T mode_by_sorting(ArrayView<const T> cell, std::vector<T>& values) {
  values.clear();
  const Shape3 shape = cell.shape();
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x) values.push_back(cell(z, y, x));
  std::sort(values.begin(), values.end());
  T best = values[0];
  std::size_t most = 0;
  for (std::size_t i = 0; i < values.size();) {
    std::size_t end = i;
    while (end < values.size() && values[end] == values[i]) ++end;
    if (end - i > most) {
      most = end - i;
      best = values[i];
    }
    i = end;
  }
  return best;
}

template <class T>
T mode_of(ArrayView<const T> cell, ModeCounter<T>& counter, std::vector<T>& values) {
  counter.clear();
  const Shape3 shape = cell.shape();
  const std::int64_t step = cell.stride().x;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const T* const row = cell.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) counter.add(row[x * step]);
      if (counter.is_crowded()) return mode_by_sorting(cell, values);
    }
  }
  return counter.mode();
}

template <class T>
void check(ArrayView<const T> input, const Shape3& factor, const Shape3& output) {
  ORGANON_CHECK(output == downsampled_shape(input.shape(), factor));
}

}  // namespace

Shape3 downsampled_shape(const Shape3& shape, const Shape3& factor) {
  if (!is_allowed(factor.z) || !is_allowed(factor.y) || !is_allowed(factor.x)) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("downsampling factors must be 1, 2, 4, 8, 16 or 32, found {}", to_string(factor)));
  }
  return {ceil_divide(shape.z, factor.z), ceil_divide(shape.y, factor.y), ceil_divide(shape.x, factor.x)};
}

template <class T>
void downsample_mean(ArrayView<const T> input, const Shape3& factor, ArrayView<T> output) {
  check(input, factor, output.shape());
  const Shape3 shape = input.shape();
  std::vector<Sum<T>> sums(static_cast<std::size_t>(shape.x));
  const bool in_pairs = std::is_same_v<T, std::uint8_t> && factor == Shape3{2, 2, 2} &&
                        input.stride().x == 1 && output.stride().x == 1;
  for (std::int64_t z = 0; z < output.shape().z; ++z) {
    const std::int64_t end_z = std::min((z + 1) * factor.z, shape.z);
    for (std::int64_t y = 0; y < output.shape().y; ++y) {
      const std::int64_t end_y = std::min((y + 1) * factor.y, shape.y);
      const std::int64_t num_rows = (end_z - z * factor.z) * (end_y - y * factor.y);
      T* const to = output.row(z, y);
      std::int64_t x = 0;
      if constexpr (std::is_same_v<T, std::uint8_t>) {
        if (in_pairs && num_rows == 4) {
          const std::uint8_t* const rows[4] = {input.row(2 * z, 2 * y), input.row(2 * z, 2 * y + 1),
                                               input.row(2 * z + 1, 2 * y), input.row(2 * z + 1, 2 * y + 1)};
          x = shape.x / 2;
          mean_of_pairs(rows, x, to);
        }
      }
      if (x == output.shape().x) continue;
      std::fill(sums.begin(), sums.end(), Sum<T>{0});
      for (std::int64_t iz = z * factor.z; iz < end_z; ++iz) {
        for (std::int64_t iy = y * factor.y; iy < end_y; ++iy) {
          const T* const row = input.row(iz, iy);
          if (input.stride().x == 1) {
            add_row(row, shape.x, sums.data());
          } else {
            for (std::int64_t i = 0; i < shape.x; ++i)
              sums[static_cast<std::size_t>(i)] += static_cast<Sum<T>>(row[i * input.stride().x]);
          }
        }
      }
      for (; x < output.shape().x; ++x) {
        const std::int64_t begin = x * factor.x, end = std::min(begin + factor.x, shape.x);
        Sum<T> sum = 0;
        for (std::int64_t i = begin; i < end; ++i) sum += sums[static_cast<std::size_t>(i)];
        to[x * output.stride().x] = mean_of<T>(sum, num_rows * (end - begin));
      }
    }
  }
}

template <class T>
void downsample_mode(ArrayView<const T> input, const Shape3& factor, ArrayView<T> output) {
  check(input, factor, output.shape());
  const Shape3 shape = input.shape();
  ModeCounter<T> counter;
  std::vector<T> values;
  // Not 0 where a column of a cell differs from its first row, or a voxel from the one before in the cell.
  std::vector<T> differs(static_cast<std::size_t>(shape.x));
  const std::int64_t step = input.stride().x;
  const bool in_pairs = factor == Shape3{2, 2, 2} && step == 1 && output.stride().x == 1;
  for (std::int64_t z = 0; z < output.shape().z; ++z) {
    const std::int64_t end_z = std::min((z + 1) * factor.z, shape.z);
    for (std::int64_t y = 0; y < output.shape().y; ++y) {
      const std::int64_t end_y = std::min((y + 1) * factor.y, shape.y);
      std::int64_t x = 0;
      if constexpr (std::is_same_v<T, std::uint32_t> || std::is_same_v<T, std::uint64_t>) {
        if (in_pairs && end_z - 2 * z == 2 && end_y - 2 * y == 2) {
          const T* const rows[4] = {input.row(2 * z, 2 * y), input.row(2 * z, 2 * y + 1),
                                    input.row(2 * z + 1, 2 * y), input.row(2 * z + 1, 2 * y + 1)};
          x = shape.x / 2;
          mode_of_pairs(rows, x, output.row(z, y));
          if (x == output.shape().x) continue;
        }
      }
      const T* const first = input.row(z * factor.z, y * factor.y);
      std::fill(differs.begin(), differs.end(), T{0});
      for (std::int64_t iz = z * factor.z; iz < end_z; ++iz) {
        for (std::int64_t iy = y * factor.y; iy < end_y; ++iy) {
          const T* const row = input.row(iz, iy);
          T* const to = differs.data();
          if (step == 1) {
            for (std::int64_t i = 0; i < shape.x; ++i) to[i] = static_cast<T>(to[i] | T(row[i] != first[i]));
          } else {
            for (std::int64_t i = 0; i < shape.x; ++i)
              to[i] = static_cast<T>(to[i] | T(row[i * step] != first[i * step]));
          }
        }
      }
      T* const to = output.row(z, y);
      for (; x < output.shape().x; ++x) {
        const std::int64_t begin = x * factor.x, end = std::min(begin + factor.x, shape.x);
        bool is_uniform = true;
        for (std::int64_t i = begin; i < end; ++i) {
          is_uniform &=
              differs[static_cast<std::size_t>(i)] == T{0} && first[i * step] == first[begin * step];
        }
        const Box cell{{z * factor.z, y * factor.y, begin}, {end_z, end_y, end}};
        to[x * output.stride().x] =
            is_uniform ? first[begin * step] : mode_of(input.part(cell), counter, values);
      }
    }
  }
}

#define ORGANON_INSTANTIATE(T)                                                       \
  template void downsample_mean<T>(ArrayView<const T>, const Shape3&, ArrayView<T>); \
  template void downsample_mode<T>(ArrayView<const T>, const Shape3&, ArrayView<T>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE
template void downsample_mean<float>(ArrayView<const float>, const Shape3&, ArrayView<float>);

}  // namespace organon::voxel
