#include "organon/voxel/distance_passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/voxel/distance_kernels.h"

namespace organon::voxel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// End of the run of voxels from `begin` on that are the same as the first.
template <class Id, class IsSame>
std::int64_t end_of_run(const Id* ids, std::int64_t stride, std::int64_t begin, std::int64_t count,
                        IsSame is_same) {
  const Id id = ids[begin * stride];
  std::int64_t x = begin + 1;
  if (stride == 1) {
    while (x + 32 <= count) {
      std::uint8_t differs = 0;
      for (std::int64_t i = 0; i < 32; ++i) differs |= static_cast<std::uint8_t>(!is_same(ids[x + i], id));
      if (differs != 0) break;
      x += 32;
    }
  }
  while (x < count && is_same(ids[x * stride], id)) ++x;
  return x;
}

}  // namespace

void check_distance_arguments(const SizeNm& voxel_size_nm, double bound_nm) {
  if (voxel_size_nm.smallest() > 0 && std::isfinite(voxel_size_nm.product()) && bound_nm >= 0) return;
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("distance transform needs positive voxel sizes and a bound >= 0, found {} and {} nm",
                  to_string(voxel_size_nm), bound_nm));
}

DistancePass::DistancePass(std::int64_t length, double step_nm, double bound_nm, DistanceBorder border)
    : length_(length), border_(border) {
  // A little more than the bound's square, so that a distance equal to the bound is not lost to rounding.
  const double bound_nm2 = bound_nm * bound_nm * (1 + 1e-6);
  const auto rounded = [limit = std::min(bound_nm2, double{std::numeric_limits<float>::max()})](
                           double square) { return square > limit ? kInfinity : static_cast<float>(square); };
  bound_nm2_ =
      bound_nm2 > double{std::numeric_limits<float>::max()} ? kInfinity : static_cast<float>(bound_nm2);
  const std::int64_t rows = length + 2 * margin();
  squares_.reserve(static_cast<std::size_t>(rows + 2));
  for (std::int64_t k = 0; k <= rows; ++k) {
    const double distance_nm = static_cast<double>(k) * step_nm;
    squares_.push_back(rounded(distance_nm * distance_nm));
  }
  squares_.push_back(kInfinity);
  descending_.assign(squares_.begin() + 1, squares_.begin() + 1 + length);
  std::reverse(descending_.begin(), descending_.end());
}

Shape3 occupancy_shape(const Shape3& shape) { return {shape.z, shape.y, ceil_divide(shape.x, kBundleWidth)}; }

template <class Id, class IsZero, class IsSame>
void DistancePass::start_row(const Id* ids, std::int64_t id_stride, IsZero is_zero, IsSame is_same,
                             float* squared_nm2, std::int64_t stride, std::uint8_t* occupied) {
  const std::int64_t count = length_;
  float* row = squared_nm2;
  if (stride != 1) {
    result_.resize(static_cast<std::size_t>(count));
    row = result_.data();
  }
  const bool is_closed = border_ == DistanceBorder::kBackground;
  const float* const up = squares_.data() + 1;
  for (std::int64_t begin = 0; begin < count;) {
    const std::int64_t end = end_of_run(ids, id_stride, begin, count, is_same);
    const std::int64_t size = end - begin;
    const bool has_begin = begin > 0 || is_closed;
    const bool has_end = end < count || is_closed;
    float* const to = row + begin;
    if (is_zero(ids[begin * id_stride])) {
      std::fill_n(to, size, 0.0F);
      begin = end;
      continue;
    }
    if (!has_begin && !has_end) {
      std::fill_n(to, size, kInfinity);
    } else {
      // Steps count up from an end of the run and down to the other: 1 2 3 2 1.
      const std::int64_t rising = !has_begin ? 0 : !has_end ? size : (size + 1) / 2;
      std::copy_n(up, rising, to);
      std::copy_n(descending_.data() + count - (size - rising), size - rising, to + rising);
    }
    if (occupied != nullptr)
      std::fill(occupied + begin / kBundleWidth, occupied + ceil_divide(end, kBundleWidth), std::uint8_t{1});
    begin = end;
  }
  if (stride != 1)
    for (std::int64_t x = 0; x < count; ++x) squared_nm2[x * stride] = row[x];
}

template <class Id, class IsZero, class IsSame>
void DistancePass::start_rows(ArrayView<const Id> ids, IsZero is_zero, IsSame is_same,
                              ArrayView<float> squared, ArrayView<std::uint8_t> occupancy) {
  for (std::int64_t z = 0; z < ids.shape().z; ++z)
    for (std::int64_t y = 0; y < ids.shape().y; ++y)
      start_row(ids.row(z, y), ids.stride().x, is_zero, is_same, squared.row(z, y), squared.stride().x,
                occupancy.data() == nullptr ? nullptr : occupancy.row(z, y));
}

template <class Id>
void DistancePass::start(ArrayView<const Id> labels, ArrayView<float> squared,
                         ArrayView<std::uint8_t> occupancy) {
  start_rows(
      labels, [](Id id) { return id == 0; }, [](Id a, Id b) { return a == b; }, squared, occupancy);
}

void DistancePass::start_mask(ArrayView<const std::uint8_t> mask, DistanceTo to, ArrayView<float> squared,
                              ArrayView<std::uint8_t> occupancy) {
  start_rows(
      mask, [is_set = to == DistanceTo::kForeground](std::uint8_t value) { return (value != 0) == is_set; },
      [](std::uint8_t a, std::uint8_t b) { return (a != 0) == (b != 0); }, squared, occupancy);
}

// Lines that lie side by side, `width` of them.
struct DistancePass::Lines {
  float* first;
  std::int64_t width;
  std::int64_t across;           // elements from line to line
  std::int64_t along;            // elements from voxel to voxel
  const std::uint8_t* occupied;  // of the first voxels; or null
  std::int64_t occupied_along;
};

// find_meetings(row, flags) notes the lines where an object of this row meets another of the row before, and
// says whether there are any.
template <class FindMeetings>
void DistancePass::search_bundle(const Lines& lines, DistanceValue value, FindMeetings find_meetings) {
  const std::int64_t margin = this->margin();
  const std::int64_t rows = length_ + 2 * margin;
  const auto row_of = [](auto& voxels, std::int64_t row) { return voxels.data() + row * kBundleWidth; };
  if (values_.empty()) {
    values_.resize(static_cast<std::size_t>(rows * kBundleWidth));
    result_.resize(values_.size());
    meets_.resize(values_.size());
    minima_.resize(static_cast<std::size_t>((rows / kRowsPerMinimum + 1) * kBundleWidth));
    is_row_zero_.assign(static_cast<std::size_t>(rows), 1);
  }
  const std::int64_t width = lines.width;
  std::int64_t num_filled = 0;
  std::uint32_t least = std::bit_cast<std::uint32_t>(kInfinity);
  for (std::int64_t i = 0; i < length_; ++i) {
    float* const to = row_of(values_, i + margin);
    std::uint8_t& is_zero = is_row_zero_[static_cast<std::size_t>(i + margin)];
    if (lines.occupied != nullptr && lines.occupied[i * lines.occupied_along] == 0) {
      if (is_zero == 0) std::fill_n(to, kBundleWidth, 0.0F);
      is_zero = 1;
      continue;
    }
    const float* const from = lines.first + i * lines.along;
    if (lines.across == 1 && width == kBundleWidth) {
      std::memcpy(to, from, kBundleWidth * sizeof(float));
    } else {
      std::fill(to + width, to + kBundleWidth, 0.0F);
      for (std::int64_t c = 0; c < width; ++c) to[c] = from[c * lines.across];
    }
    std::uint32_t bits = 0;
    for (std::int64_t c = 0; c < kBundleWidth; ++c) {
      const auto own = std::bit_cast<std::uint32_t>(to[c]);
      bits |= own;
      least = std::min(least, own);  // the order of floats, as none is negative
    }
    is_zero = bits == 0;
    num_filled += bits != 0;
  }
  // Most of most volumes is background.
  if (num_filled == 0) return;
  const auto is_zero = [&](std::int64_t i) {
    return is_row_zero_[static_cast<std::size_t>(i + margin)] != 0;
  };
  bool any_meetings = false;
  for (std::int64_t i = 0; i < length_; ++i) {
    std::uint8_t* const flags = row_of(meets_, i + margin);
    std::memset(flags, 0, static_cast<std::size_t>(kBundleWidth));
    // To background the search finds its way by itself.
    if (i > 0 && !is_zero(i) && !is_zero(i - 1)) any_meetings |= find_meetings(i, flags);
  }
  const bool all_infinite = num_filled == length_ && least == std::bit_cast<std::uint32_t>(kInfinity);
  if (all_infinite && !any_meetings && margin == 0) return;
  LineBundle bundle;
  bundle.length = rows;
  bundle.squared_nm2 = values_.data();
  bundle.meets = any_meetings ? meets_.data() : nullptr;
  bundle.step_squares = squares_.data();
  bundle.bound_nm2 = bound_nm2_;
  bundle.take_root = value == DistanceValue::kRoot;
  bundle.minima = minima_.data();
  bundle.result = result_.data();
  search_along_lines(bundle);
  for (std::int64_t i = 0; i < length_; ++i) {
    if (is_zero(i)) continue;
    const float* const from = row_of(result_, i + margin);
    float* const to = lines.first + i * lines.along;
    if (lines.across == 1 && width == kBundleWidth) {
      std::memcpy(to, from, kBundleWidth * sizeof(float));
    } else {
      for (std::int64_t c = 0; c < width; ++c) to[c * lines.across] = from[c];
    }
  }
}

template <class MakeFinder>
void DistancePass::search_all(Axis axis, DistanceValue value, ArrayView<float> squared,
                              ArrayView<const std::uint8_t> occupancy, MakeFinder make_finder) {
  const Shape3 shape = squared.shape();
  const bool is_z = axis == Axis::kZ;
  Lines lines;
  lines.across = squared.stride().x;
  lines.along = is_z ? squared.stride().z : squared.stride().y;
  const std::int64_t parts = ceil_divide(shape.x, kBundleWidth);
  lines.occupied_along = is_z ? occupancy.stride().z : occupancy.stride().y;
  const std::int64_t num_planes = is_z ? shape.y : shape.z;
  for (std::int64_t plane = 0; plane < num_planes; ++plane) {
    const std::int64_t z = is_z ? 0 : plane;
    const std::int64_t y = is_z ? plane : 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t x = part * kBundleWidth;
      lines.width = std::min(kBundleWidth, shape.x - x);
      lines.first = squared.row(z, y) + x * lines.across;
      lines.occupied = occupancy.data() == nullptr ? nullptr : occupancy.row(z, y) + part;
      search_bundle(lines, value, make_finder(z, y, x, lines.width));
    }
  }
}

template <class Id>
void DistancePass::go_on(ArrayView<const Id> labels, Axis axis, DistanceValue value, ArrayView<float> squared,
                         ArrayView<const std::uint8_t> occupancy) {
  const std::int64_t across = labels.stride().x;
  const std::int64_t along = axis == Axis::kZ ? labels.stride().z : labels.stride().y;
  const auto make_finder = [&](std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t width) {
    return [=, first = labels.row(z, y) + x * across](std::int64_t row, std::uint8_t* flags) {
      const Id* const here = first + row * along;
      const Id* const before = here - along;
      const auto meet = [](Id a, Id b) {
        return static_cast<std::uint8_t>(static_cast<int>(a != b) & static_cast<int>(a != 0) &
                                         static_cast<int>(b != 0));
      };
      std::uint8_t any = 0;
      if (across == 1 && width == kBundleWidth) {
        for (std::int64_t c = 0; c < kBundleWidth; ++c) any |= flags[c] = meet(here[c], before[c]);
      } else {
        for (std::int64_t c = 0; c < width; ++c) any |= flags[c] = meet(here[c * across], before[c * across]);
      }
      return any != 0;
    };
  };
  search_all(axis, value, squared, occupancy, make_finder);
}

void DistancePass::go_on(Axis axis, DistanceValue value, ArrayView<float> squared,
                         ArrayView<const std::uint8_t> occupancy) {
  search_all(axis, value, squared, occupancy, [](std::int64_t, std::int64_t, std::int64_t, std::int64_t) {
    return [](std::int64_t, std::uint8_t*) { return false; };
  });
}

#define ORGANON_INSTANTIATE(Id)                                                                          \
  template void DistancePass::start<Id>(ArrayView<const Id>, ArrayView<float>, ArrayView<std::uint8_t>); \
  template void DistancePass::go_on<Id>(ArrayView<const Id>, Axis, DistanceValue, ArrayView<float>,      \
                                        ArrayView<const std::uint8_t>);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::voxel
