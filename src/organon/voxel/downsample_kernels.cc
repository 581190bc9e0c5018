#include "organon/voxel/downsample_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "organon/voxel/downsample_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#ifndef ORGANON_VOXEL_DOWNSAMPLE_KERNELS_ONCE
#define ORGANON_VOXEL_DOWNSAMPLE_KERNELS_ONCE
namespace organon::voxel {

// The cell of rows[...][x] and [x + 1], where not all values are equal. Counts each value once, the first
// time that it stands there; what has more than half of the voxels ends it.
template <class T>
T mode_of_cell(const T* const rows[4], std::int64_t x) {
  const T values[8] = {rows[0][x], rows[0][x + 1], rows[1][x], rows[1][x + 1],
                       rows[2][x], rows[2][x + 1], rows[3][x], rows[3][x + 1]};
  T best = values[0];
  int most = 0;
  for (int i = 0; i < 8; ++i) {
    // Later voxels alone are counted: a value counts in full where it stands first, and less afterwards.
    int count = 1;
    for (int k = i + 1; k < 8; ++k) count += values[k] == values[i] ? 1 : 0;
    if (count > most || (count == most && values[i] < best)) {
      // Where it stood before, it was counted with more.
      best = values[i];
      most = count;
      if (most > 4) return best;
    }
  }
  return best;
}

}  // namespace organon::voxel
#endif  // ORGANON_VOXEL_DOWNSAMPLE_KERNELS_ONCE

HWY_BEFORE_NAMESPACE();
namespace organon::voxel {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void mean_row(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t* to) {
  std::int64_t x = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<std::uint8_t> d8;
  const hn::Repartition<std::uint16_t, decltype(d8)> d16;
  const hn::Repartition<std::int16_t, decltype(d8)> signed16;
  const hn::Rebind<std::uint8_t, decltype(signed16)> half8;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d16));
  const auto low_bytes = hn::Set(d16, 0x00FF);
  const auto half = hn::Set(d16, 4);
  for (; x + lanes <= count; x += lanes) {
    auto sum = half;
    for (int row = 0; row < 4; ++row) {
      // Two neighbours along x are the halves of a lane.
      const auto pair = hn::BitCast(d16, hn::LoadU(d8, rows[row] + 2 * x));
      sum = hn::Add(sum, hn::Add(hn::And(pair, low_bytes), hn::ShiftRight<8>(pair)));
    }
    hn::StoreU(hn::DemoteTo(half8, hn::BitCast(signed16, hn::ShiftRight<3>(sum))), half8, to + x);
  }
#endif
  for (; x < count; ++x) {
    unsigned sum = 4;
    for (int row = 0; row < 4; ++row) sum += rows[row][2 * x] + 0U + rows[row][2 * x + 1];
    to[x] = static_cast<std::uint8_t>(sum >> 3);
  }
}

template <class T>
void mode_row(const T* const rows[4], std::int64_t count, T* to) {
  std::int64_t x = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; x + lanes <= count; x += lanes) {
    const T* const first = rows[0] + 2 * x;
    const auto low = hn::LoadU(d, first);
    const auto high = hn::LoadU(d, first + lanes);
    const auto differs = [&](hn::Vec<decltype(d)> here, std::int64_t offset) {
      auto found = hn::Xor(here, hn::LoadU(d, rows[1] + 2 * x + offset));
      found = hn::Or(found, hn::Xor(here, hn::LoadU(d, rows[2] + 2 * x + offset)));
      return hn::Or(found, hn::Xor(here, hn::LoadU(d, rows[3] + 2 * x + offset)));
    };
    const auto even = hn::ConcatEven(d, high, low);
    const auto odd = hn::ConcatOdd(d, high, low);
    const auto of_low = differs(low, 0);
    const auto of_high = differs(high, lanes);
    // Per cell: either of its columns, or one against the other.
    const auto any = hn::Or(hn::Or(hn::ConcatEven(d, of_high, of_low), hn::ConcatOdd(d, of_high, of_low)),
                            hn::Xor(even, odd));
    hn::StoreU(even, d, to + x);
    const auto is_uniform = hn::Eq(any, hn::Zero(d));
    if (hn::AllTrue(d, is_uniform)) continue;
    std::uint8_t bits[hn::MaxLanes(d) / 8 + 8] = {};
    hn::StoreMaskBits(d, is_uniform, bits);
    for (std::int64_t i = 0; i < lanes; ++i)
      if ((bits[i / 8] >> (i % 8) & 1) == 0) to[x + i] = mode_of_cell(rows, 2 * (x + i));
  }
#endif
  for (; x < count; ++x) to[x] = mode_of_cell(rows, 2 * x);
}

void mode_row_u32(const std::uint32_t* const rows[4], std::int64_t count, std::uint32_t* to) {
  mode_row(rows, count, to);
}
void mode_row_u64(const std::uint64_t* const rows[4], std::int64_t count, std::uint64_t* to) {
  mode_row(rows, count, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace organon::voxel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace organon::voxel {

HWY_EXPORT(mean_row);
HWY_EXPORT(mode_row_u32);
HWY_EXPORT(mode_row_u64);

void mean_of_pairs(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(mean_row)(rows, count, to);
}
void mode_of_pairs(const std::uint32_t* const rows[4], std::int64_t count, std::uint32_t* to) {
  HWY_DYNAMIC_DISPATCH(mode_row_u32)(rows, count, to);
}
void mode_of_pairs(const std::uint64_t* const rows[4], std::int64_t count, std::uint64_t* to) {
  HWY_DYNAMIC_DISPATCH(mode_row_u64)(rows, count, to);
}

}  // namespace organon::voxel
#endif  // HWY_ONCE
