#include "organon/voxel/smooth_kernels.h"

#include <algorithm>
#include <cstring>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "organon/voxel/smooth_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

// One tile column of the output at a time, from the lowest z to the highest:
//
//     input rows --x--> pairs of rows (2 planes) --y--> ring of plane pairs --z--> output rows
//
// Values between passes are signed 8.8 numbers, grey level - 128. Two values that are neighbours along the
// axis of the next pass share a 32-bit lane, so that one multiply-add instruction takes two taps; one pair
// serves the two outputs that are neighbours along that axis, at weights shifted by one. Within a row the
// even x of a run of 2 N voxels (N lanes a vector) come first, then the odd ones; only the last pass puts
// them in order.

#ifndef ORGANON_VOXEL_SMOOTH_KERNELS_ONCE
#define ORGANON_VOXEL_SMOOTH_KERNELS_ONCE
namespace organon::voxel {

// Tiles: the ring (kTileRows x kTileWidth x (radius + 1) pairs) should stay in the second-level cache.
constexpr std::int64_t kTileRows = 64;
constexpr std::int64_t kTileWidth = 128;

// Least and greatest grey level of some voxels.
struct GreyRange {
  int low = 255;
  int high = 0;
  bool is_constant() const { return low == high; }
  void unite(const GreyRange& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
  }
};

// Two 16-bit weights in one 32-bit number, the first one low.
inline std::int32_t packed(std::int32_t first, std::int32_t second) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(first) & 0xFFFFu) |
                                   (static_cast<std::uint32_t>(second) << 16));
}

// Weights of one axis for the pairs j = 0 .. radius: `first` for the output under tap `radius` of the pairs'
// values, `second` for the next output.
struct PairWeights {
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  explicit PairWeights(const GaussianKernel& kernel) {
    const auto weight = [&](int i) {
      return i < 0 || i > 2 * kernel.radius ? 0 : kernel.weights[static_cast<std::size_t>(i)];
    };
    for (int j = 0; j <= kernel.radius; ++j) {
      first.push_back(packed(weight(2 * j), weight(2 * j + 1)));
      second.push_back(packed(weight(2 * j - 1), weight(2 * j)));
    }
  }
};

}  // namespace organon::voxel
#endif  // ORGANON_VOXEL_SMOOTH_KERNELS_ONCE

HWY_BEFORE_NAMESPACE();
namespace organon::voxel {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D32 = hn::ScalableTag<std::int32_t>;
using V32 = hn::Vec<D32>;

// Per 32-bit lane: sum + low half of a * low half of b + high half of a * high half of b.
HWY_INLINE V32 add_products(D32 d32, V32 a, V32 b, V32 sum) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  // On x86 this instruction adds neighbours, and leaves the second sum alone.
  const hn::Repartition<std::int16_t, D32> d16;
  V32 unused = hn::Zero(d32);
  return hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, a), hn::BitCast(d16, b), sum, unused);
#else
  const auto low = [](V32 v) { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
  const auto high = [](V32 v) { return hn::ShiftRight<16>(v); };
  (void)d32;
  return hn::Add(sum, hn::Add(hn::Mul(low(a), low(b)), hn::Mul(high(a), high(b))));
#endif
}

// Lanes of 16 bits each in one: `first` low, `second` high.
HWY_INLINE V32 join(D32 d32, V32 first, V32 second) {
  return hn::Or(hn::And(first, hn::Set(d32, 0xFFFF)), hn::ShiftLeft<16>(second));
}

// Two neighbouring 16-bit values per lane, from any address.
HWY_INLINE V32 load_pairs(D32 d32, const std::int16_t* from) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d32, packed(from[0], from[1]));
#else
  const hn::Repartition<std::int16_t, D32> d16;
  return hn::BitCast(d32, hn::LoadU(d16, from));
#endif
}

// The 16-bit halves of the lanes one after the other; for bytes only their low 8 bits, which must be all.
HWY_INLINE void store_halves(V32 lanes, std::uint16_t* to) {
#if HWY_TARGET == HWY_SCALAR
  const auto both = static_cast<std::uint32_t>(hn::GetLane(lanes));
  to[0] = static_cast<std::uint16_t>(both);
  to[1] = static_cast<std::uint16_t>(both >> 16);
#else
  const hn::Repartition<std::uint16_t, D32> d16;
  hn::StoreU(hn::BitCast(d16, lanes), d16, to);
#endif
}

HWY_INLINE void store_halves(V32 lanes, std::uint8_t* to) {
#if HWY_TARGET == HWY_SCALAR
  const auto both = static_cast<std::uint32_t>(hn::GetLane(lanes));
  to[0] = static_cast<std::uint8_t>(both);
  to[1] = static_cast<std::uint8_t>(both >> 16);
#else
  const hn::Repartition<std::int16_t, D32> d16;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  hn::StoreU(hn::DemoteTo(d8, hn::BitCast(d16, lanes)), d8, to);
#endif
}

GreyRange range_of_row(const std::uint8_t* row, std::int64_t size) {
  const hn::ScalableTag<std::uint8_t> d8;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d8));
  GreyRange range;
  std::int64_t i = 0;
  if (size >= lanes) {
    auto low = hn::LoadU(d8, row);
    auto high = low;
    for (i = lanes; i + lanes <= size; i += lanes) {
      const auto v = hn::LoadU(d8, row + i);
      low = hn::Min(low, v);
      high = hn::Max(high, v);
    }
    // The last vector may overlap the one before.
    const auto v = hn::LoadU(d8, row + size - lanes);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
    HWY_ALIGN std::uint8_t lows[HWY_MAX_BYTES];
    HWY_ALIGN std::uint8_t highs[HWY_MAX_BYTES];
    hn::Store(low, d8, lows);
    hn::Store(high, d8, highs);
    std::uint8_t least = 255;
    std::uint8_t greatest = 0;
    for (std::int64_t k = 0; k < lanes; ++k) {
      least = std::min(least, lows[k]);
      greatest = std::max(greatest, highs[k]);
    }
    return {least, greatest};
  }
  for (; i < size; ++i) range.unite({row[i], row[i]});
  return range;
}

class ColumnSmoother {
 public:
  explicit ColumnSmoother(const SmoothJob& job)
      : job_(job),
        rz_(job.kernels->z.radius),
        ry_(job.kernels->y.radius),
        rx_(job.kernels->x.radius),
        wz_(job.kernels->z),
        wy_(job.kernels->y),
        wx_(job.kernels->x),
        // A tile of kTileRows needs this many row pairs, and the input of its last vector this many voxels.
        row_pairs_((kTileRows + 2 * ry_ + 1) / 2),
        wide_size_(kTileWidth + 2 * rx_ + 2 + static_cast<std::int64_t>(hn::Lanes(D32())) * 8),
        wide_(hwy::AllocateAligned<std::int16_t>(static_cast<std::size_t>(2 * wide_size_))),
        rows_(hwy::AllocateAligned<std::int32_t>(static_cast<std::size_t>(2 * row_pairs_ * kTileWidth))),
        ring_(
            hwy::AllocateAligned<std::int32_t>(static_cast<std::size_t>((rz_ + 1) * kTileRows * kTileWidth))),
        ring_rows_(static_cast<std::size_t>(rz_ + 1)) {
    std::fill_n(wide_.get(), 2 * wide_size_, std::int16_t{0});
    to_mask_ = job.mask.data() != nullptr;
    shape_ = to_mask_ ? job.mask.shape() : job.values.shape();
  }

  void run() {
    for (std::int64_t y = 0; y < shape_.y; y += kTileRows) {
      for (std::int64_t x = 0; x < shape_.x; x += kTileWidth) {
        run_column(y, std::min(kTileRows, shape_.y - y), x, std::min(kTileWidth, shape_.x - x));
      }
    }
  }

 private:
  // The answer is known from the range of the input alone.
  bool is_decided(const GreyRange& range) const {
    return range.is_constant() ||
           (to_mask_ && (range.high < job_.threshold_level || range.low >= job_.threshold_level));
  }

  void run_column(std::int64_t y0, std::int64_t height, std::int64_t x0, std::int64_t width) {
    const std::int64_t planes = shape_.z + 2 * rz_;
    const std::int64_t in_rows = height + 2 * ry_;
    const std::int64_t pairs = (shape_.z + 1) / 2 + rz_;
    y0_ = y0;
    x0_ = x0;
    height_ = height;
    width_ = width;

    find_ranges(planes, in_rows, pairs);
    decide_rows(pairs - rz_);
    needed_rows_.resize(static_cast<std::size_t>(height));
    needed_in_rows_.resize(static_cast<std::size_t>(in_rows));
    for (std::int64_t p = 0; p < pairs; ++p) {
      if (find_needed_rows(p, pairs - rz_)) {
        smooth_x(std::min(2 * p, planes - 1), 0, in_rows);
        smooth_x(std::min(2 * p + 1, planes - 1), 1, in_rows);
        smooth_y(ring_row(p, 0));
      }
      if (p >= rz_) smooth_z(p - rz_);
    }
  }

  // Fills lows_ and highs_, per plane pair 2p, 2p + 1 and output row: the range of what the row depends on
  // within those planes.
  void find_ranges(std::int64_t planes, std::int64_t in_rows, std::int64_t pairs) {
    lows_.assign(static_cast<std::size_t>(pairs * height_), 255);
    highs_.assign(static_cast<std::size_t>(pairs * height_), 0);
    std::vector<std::uint8_t> in_lows(static_cast<std::size_t>(in_rows));
    std::vector<std::uint8_t> in_highs(static_cast<std::size_t>(in_rows));
    for (std::int64_t p = 0; p < pairs; ++p) {
      for (std::int64_t r = 0; r < in_rows; ++r) {
        GreyRange range = range_of_row(job_.input.row(2 * p, y0_ + r) + x0_, width_ + 2 * rx_);
        if (2 * p + 1 < planes) {
          range.unite(range_of_row(job_.input.row(2 * p + 1, y0_ + r) + x0_, width_ + 2 * rx_));
        }
        in_lows[static_cast<std::size_t>(r)] = static_cast<std::uint8_t>(range.low);
        in_highs[static_cast<std::size_t>(r)] = static_cast<std::uint8_t>(range.high);
      }
      for (std::int64_t k = 0; k <= 2 * ry_; ++k) {
        unite_ranges(in_lows.data() + k, in_highs.data() + k, lows_.data() + p * height_,
                     highs_.data() + p * height_);
      }
    }
  }

  // For each output row of the tile, widens the range [lows, highs] by [from_lows, from_highs].
  void unite_ranges(const std::uint8_t* from_lows, const std::uint8_t* from_highs, std::uint8_t* lows,
                    std::uint8_t* highs) const {
    for (std::int64_t y = 0; y < height_; ++y) {
      lows[y] = std::min(lows[y], from_lows[y]);
      highs[y] = std::max(highs[y], from_highs[y]);
    }
  }

  // Fills undecided_ and turns lows_ of pair q into those of the output rows of planes 2q, 2q + 1.
  void decide_rows(std::int64_t out_pairs) {
    undecided_.resize(static_cast<std::size_t>(out_pairs * height_));
    for (std::int64_t q = 0; q < out_pairs; ++q) {
      std::uint8_t* lows = lows_.data() + q * height_;
      std::uint8_t* highs = highs_.data() + q * height_;
      for (std::int64_t j = 1; j <= rz_; ++j)
        unite_ranges(lows + j * height_, highs + j * height_, lows, highs);
      for (std::int64_t y = 0; y < height_; ++y) {
        undecided_[static_cast<std::size_t>(q * height_ + y)] = is_decided({lows[y], highs[y]}) ? 0 : 1;
      }
    }
  }

  // Fills needed_rows_ (after the y pass) and needed_in_rows_ (after the x pass) of a plane pair: what
  // undecided outputs read. False where nothing is.
  bool find_needed_rows(std::int64_t p, std::int64_t out_pairs) {
    std::fill(needed_rows_.begin(), needed_rows_.end(), std::uint8_t{0});
    std::fill(needed_in_rows_.begin(), needed_in_rows_.end(), std::uint8_t{0});
    const auto include = [&](const std::uint8_t* from, std::uint8_t* to) {
      for (std::int64_t y = 0; y < height_; ++y) to[y] |= from[y];
    };
    for (std::int64_t q = std::max<std::int64_t>(0, p - rz_); q <= std::min(p, out_pairs - 1); ++q) {
      include(undecided_.data() + q * height_, needed_rows_.data());
    }
    for (std::int64_t k = 0; k <= 2 * ry_; ++k) include(needed_rows_.data(), needed_in_rows_.data() + k);
    return std::find(needed_rows_.begin(), needed_rows_.end(), 1) != needed_rows_.end();
  }

  std::int32_t* ring_row(std::int64_t pair, std::int64_t y) {
    return ring_.get() + ((pair % (rz_ + 1)) * kTileRows + y) * kTileWidth;
  }

  // Signed, 16 bits, with zeros behind the end of the last vector.
  void widen(const std::uint8_t* from, std::int16_t* to) {
    const hn::ScalableTag<std::int16_t> d16;
    const hn::Rebind<std::uint8_t, hn::ScalableTag<std::int16_t>> d8;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d16));
    const auto middle = hn::Set(d16, 128);
    const std::int64_t size = width_ + 2 * rx_;
    std::int64_t i = 0;
    for (; i + lanes <= size; i += lanes) {
      hn::StoreU(hn::Sub(hn::PromoteTo(d16, hn::LoadU(d8, from + i)), middle), d16, to + i);
    }
    for (; i < size; ++i) to[i] = static_cast<std::int16_t>(from[i] - 128);
    std::fill(to + size, to + wide_size_, std::int16_t{0});
  }

  // The x pass of one plane's rows, into pairs of rows.
  void smooth_x(std::int64_t plane, int which, std::int64_t in_rows) {
    const D32 d32;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d32));
    const int shift = job_.kernels->x.bits - 8;
    const auto half = hn::Set(d32, 1 << (shift - 1));
    for (std::int64_t j = 0; 2 * j < in_rows; ++j) {
      const auto second_row = static_cast<std::size_t>(std::min(2 * j + 1, in_rows - 1));
      if ((needed_in_rows_[static_cast<std::size_t>(2 * j)] | needed_in_rows_[second_row]) == 0) continue;
      widen(job_.input.row(plane, y0_ + 2 * j) + x0_, wide_.get());
      // An odd last row stands in for the row it lacks; the output that would use it is not stored.
      widen(job_.input.row(plane, y0_ + static_cast<std::int64_t>(second_row)) + x0_,
            wide_.get() + wide_size_);
      std::int32_t* to = rows_.get() + (which * row_pairs_ + j) * kTileWidth;
      for (std::int64_t x = 0; x < width_; x += 4 * lanes) {
        const std::int16_t* a = wide_.get() + x;
        const std::int16_t* b = a + wide_size_;
        auto even_a0 = half, odd_a0 = half, even_b0 = half, odd_b0 = half;
        auto even_a1 = half, odd_a1 = half, even_b1 = half, odd_b1 = half;
        for (std::int64_t k = 0; k <= rx_; ++k) {
          const auto first = hn::Set(d32, wx_.first[static_cast<std::size_t>(k)]);
          const auto second = hn::Set(d32, wx_.second[static_cast<std::size_t>(k)]);
          const auto a0 = load_pairs(d32, a + 2 * k);
          const auto a1 = load_pairs(d32, a + 2 * k + 2 * lanes);
          const auto b0 = load_pairs(d32, b + 2 * k);
          const auto b1 = load_pairs(d32, b + 2 * k + 2 * lanes);
          even_a0 = add_products(d32, a0, first, even_a0);
          odd_a0 = add_products(d32, a0, second, odd_a0);
          even_a1 = add_products(d32, a1, first, even_a1);
          odd_a1 = add_products(d32, a1, second, odd_a1);
          even_b0 = add_products(d32, b0, first, even_b0);
          odd_b0 = add_products(d32, b0, second, odd_b0);
          even_b1 = add_products(d32, b1, first, even_b1);
          odd_b1 = add_products(d32, b1, second, odd_b1);
        }
        const auto store = [&](V32 of_a, V32 of_b, std::int32_t* target) {
          hn::Store(join(d32, hn::ShiftRightSame(of_a, shift), hn::ShiftRightSame(of_b, shift)), d32, target);
        };
        store(even_a0, even_b0, to + x);
        store(odd_a0, odd_b0, to + x + lanes);
        store(even_a1, even_b1, to + x + 2 * lanes);
        store(odd_a1, odd_b1, to + x + 3 * lanes);
      }
    }
  }

  // The y pass of both planes, into one slot of the ring.
  void smooth_y(std::int32_t* to) {
    const D32 d32;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d32));
    const int shift = job_.kernels->y.bits;
    const auto half = hn::Set(d32, 1 << (shift - 1));
    const std::int32_t* rows = rows_.get();
    const std::int64_t plane_step = row_pairs_ * kTileWidth;
    for (std::int64_t y = 0; y < height_; y += 2) {
      const bool two = y + 1 < height_;
      const auto row = static_cast<std::size_t>(y);
      if (needed_rows_[row] == 0 && (!two || needed_rows_[row + 1] == 0)) continue;
      for (std::int64_t x = 0; x < width_; x += 2 * lanes) {
        auto first_a0 = half, second_a0 = half, first_b0 = half, second_b0 = half;
        auto first_a1 = half, second_a1 = half, first_b1 = half, second_b1 = half;
        const std::int32_t* from = rows + (y / 2) * kTileWidth + x;
        for (std::int64_t j = 0; j <= ry_; ++j, from += kTileWidth) {
          const auto first = hn::Set(d32, wy_.first[static_cast<std::size_t>(j)]);
          const auto second = hn::Set(d32, wy_.second[static_cast<std::size_t>(j)]);
          const auto a0 = hn::Load(d32, from);
          const auto a1 = hn::Load(d32, from + lanes);
          const auto b0 = hn::Load(d32, from + plane_step);
          const auto b1 = hn::Load(d32, from + plane_step + lanes);
          first_a0 = add_products(d32, a0, first, first_a0);
          second_a0 = add_products(d32, a0, second, second_a0);
          first_a1 = add_products(d32, a1, first, first_a1);
          second_a1 = add_products(d32, a1, second, second_a1);
          first_b0 = add_products(d32, b0, first, first_b0);
          second_b0 = add_products(d32, b0, second, second_b0);
          first_b1 = add_products(d32, b1, first, first_b1);
          second_b1 = add_products(d32, b1, second, second_b1);
        }
        const auto store = [&](V32 of_a, V32 of_b, std::int32_t* target) {
          hn::Store(join(d32, hn::ShiftRightSame(of_a, shift), hn::ShiftRightSame(of_b, shift)), d32, target);
        };
        std::int32_t* target = to + y * kTileWidth + x;
        store(first_a0, first_b0, target);
        store(first_a1, first_b1, target + lanes);
        if (two) {
          store(second_a0, second_b0, target + kTileWidth);
          store(second_a1, second_b1, target + kTileWidth + lanes);
        }
      }
    }
  }

  // The z pass for output planes 2q and 2q + 1.
  void smooth_z(std::int64_t q) {
    const bool two = 2 * q + 1 < shape_.z;
    for (std::int64_t j = 0; j <= rz_; ++j) ring_rows_[static_cast<std::size_t>(j)] = ring_row(q + j, 0);
    for (std::int64_t y = 0; y < height_; ++y) {
      if (undecided_[static_cast<std::size_t>(q * height_ + y)] == 0) {
        const int low = lows_[static_cast<std::size_t>(q * height_ + y)];
        fill_row(2 * q, y, low);
        if (two) fill_row(2 * q + 1, y, low);
      } else if (to_mask_) {
        smooth_z_row<true>(q, y, two);
      } else {
        smooth_z_row<false>(q, y, two);
      }
    }
  }

  // A decided row; `low` is the least grey level it depends on.
  void fill_row(std::int64_t z, std::int64_t y, int low) {
    if (to_mask_) {
      std::memset(job_.mask.row(z, y0_ + y) + x0_, low >= job_.threshold_level ? 1 : 0,
                  static_cast<std::size_t>(width_));
    } else {
      std::fill_n(job_.values.row(z, y0_ + y) + x0_, width_, static_cast<std::uint16_t>(low * 256));
    }
  }

  template <bool kToMask>
  void smooth_z_row(std::int64_t q, std::int64_t y, bool two) {
    const D32 d32;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d32));
    const int shift = job_.kernels->z.bits;
    const auto start = hn::Set(d32, kToMask ? 0 : 1 << (shift - 1));
    // is_decided() has dealt with thresholds that no grey level reaches, so this one fits.
    const auto below = hn::Set(d32, kToMask ? static_cast<std::int32_t>(job_.threshold_sum - 1) : 0);
    using Out = std::conditional_t<kToMask, std::uint8_t, std::uint16_t>;
    HWY_ALIGN Out line_a[kTileWidth];
    HWY_ALIGN Out line_b[kTileWidth];
    const auto store = [&](V32 even, V32 odd, Out* to) {
      if constexpr (kToMask) {
        const auto one = hn::Set(d32, 1);
        const auto e = hn::And(hn::VecFromMask(d32, hn::Gt(even, below)), one);
        const auto o = hn::And(hn::VecFromMask(d32, hn::Gt(odd, below)), one);
        store_halves(hn::Or(e, hn::ShiftLeft<16>(o)), to);
      } else {
        const auto both = join(d32, hn::ShiftRightSame(even, shift), hn::ShiftRightSame(odd, shift));
        store_halves(hn::Xor(both, hn::Set(d32, packed(0x8000, 0x8000))), to);
      }
    };
    for (std::int64_t x = 0; x < width_; x += 4 * lanes) {
      auto even_a0 = start, odd_a0 = start, even_b0 = start, odd_b0 = start;
      auto even_a1 = start, odd_a1 = start, even_b1 = start, odd_b1 = start;
      for (std::int64_t j = 0; j <= rz_; ++j) {
        const std::int32_t* from = ring_rows_[static_cast<std::size_t>(j)] + y * kTileWidth + x;
        const auto first = hn::Set(d32, wz_.first[static_cast<std::size_t>(j)]);
        const auto second = hn::Set(d32, wz_.second[static_cast<std::size_t>(j)]);
        const auto even0 = hn::Load(d32, from);
        const auto odd0 = hn::Load(d32, from + lanes);
        const auto even1 = hn::Load(d32, from + 2 * lanes);
        const auto odd1 = hn::Load(d32, from + 3 * lanes);
        even_a0 = add_products(d32, even0, first, even_a0);
        even_b0 = add_products(d32, even0, second, even_b0);
        odd_a0 = add_products(d32, odd0, first, odd_a0);
        odd_b0 = add_products(d32, odd0, second, odd_b0);
        even_a1 = add_products(d32, even1, first, even_a1);
        even_b1 = add_products(d32, even1, second, even_b1);
        odd_a1 = add_products(d32, odd1, first, odd_a1);
        odd_b1 = add_products(d32, odd1, second, odd_b1);
      }
      store(even_a0, odd_a0, line_a + x);
      store(even_b0, odd_b0, line_b + x);
      store(even_a1, odd_a1, line_a + x + 2 * lanes);
      store(even_b1, odd_b1, line_b + x + 2 * lanes);
    }
    const auto copy = [&](std::int64_t z, const Out* line) {
      const auto bytes = static_cast<std::size_t>(width_) * sizeof(Out);
      if constexpr (kToMask) {
        std::memcpy(job_.mask.row(z, y0_ + y) + x0_, line, bytes);
      } else {
        std::memcpy(job_.values.row(z, y0_ + y) + x0_, line, bytes);
      }
    };
    copy(2 * q, line_a);
    if (two) copy(2 * q + 1, line_b);
  }

  const SmoothJob& job_;
  const std::int64_t rz_;
  const std::int64_t ry_;
  const std::int64_t rx_;
  const PairWeights wz_;
  const PairWeights wy_;
  const PairWeights wx_;
  const std::int64_t row_pairs_;
  const std::int64_t wide_size_;
  hwy::AlignedFreeUniquePtr<std::int16_t[]> wide_;
  hwy::AlignedFreeUniquePtr<std::int32_t[]> rows_;
  hwy::AlignedFreeUniquePtr<std::int32_t[]> ring_;
  std::vector<const std::int32_t*> ring_rows_;
  std::vector<std::uint8_t> lows_;
  std::vector<std::uint8_t> highs_;
  std::vector<std::uint8_t> undecided_;
  std::vector<std::uint8_t> needed_rows_;
  std::vector<std::uint8_t> needed_in_rows_;
  bool to_mask_ = false;
  Shape3 shape_;
  std::int64_t y0_ = 0;
  std::int64_t x0_ = 0;
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
};

void smooth_all(const SmoothJob& job) { ColumnSmoother(job).run(); }

}  // namespace HWY_NAMESPACE
}  // namespace organon::voxel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace organon::voxel {

HWY_EXPORT(smooth_all);

void run_smooth_job(const SmoothJob& job) { HWY_DYNAMIC_DISPATCH(smooth_all)(job); }

}  // namespace organon::voxel
#endif  // HWY_ONCE
