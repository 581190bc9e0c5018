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
constexpr std::int64_t kTileRows = 32;
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
        wide_size_(kTileWidth + 2 * rx_ + 2 + static_cast<std::int64_t>(hn::Lanes(D32())) * 4),
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

    // Ranges per output row and plane pair: what the row (y0 + y) of planes 2p, 2p + 1 depends on within
    // those planes.
    ranges_.assign(static_cast<std::size_t>(pairs * height), {});
    std::vector<GreyRange> plane_ranges(static_cast<std::size_t>(pairs));
    std::vector<GreyRange> in_ranges(static_cast<std::size_t>(in_rows));
    for (std::int64_t p = 0; p < pairs; ++p) {
      for (std::int64_t r = 0; r < in_rows; ++r) {
        GreyRange& range = in_ranges[static_cast<std::size_t>(r)];
        range = range_of_row(job_.input.row(2 * p, y0 + r) + x0, width + 2 * rx_);
        if (2 * p + 1 < planes) {
          range.unite(range_of_row(job_.input.row(2 * p + 1, y0 + r) + x0, width + 2 * rx_));
        }
        plane_ranges[static_cast<std::size_t>(p)].unite(range);
      }
      for (std::int64_t y = 0; y < height; ++y) {
        GreyRange& range = ranges_[static_cast<std::size_t>(p * height + y)];
        for (std::int64_t r = y; r <= y + 2 * ry_; ++r) range.unite(in_ranges[static_cast<std::size_t>(r)]);
      }
    }
    // A plane pair needs its x and y passes where any of the outputs that use it is not decided for the whole
    // tile.
    std::vector<char> undecided(static_cast<std::size_t>(pairs - rz_));
    std::vector<char> needed(static_cast<std::size_t>(pairs));
    for (std::int64_t q = 0; q < pairs - rz_; ++q) {
      GreyRange range;
      for (std::int64_t p = q; p <= q + rz_; ++p) range.unite(plane_ranges[static_cast<std::size_t>(p)]);
      if (is_decided(range)) continue;
      undecided[static_cast<std::size_t>(q)] = 1;
      std::fill_n(needed.begin() + q, rz_ + 1, char{1});
    }
    for (std::int64_t p = 0; p < pairs; ++p) {
      if (needed[static_cast<std::size_t>(p)]) {
        smooth_x(std::min(2 * p, planes - 1), 0, in_rows);
        smooth_x(std::min(2 * p + 1, planes - 1), 1, in_rows);
        smooth_y(ring_row(p, 0));
      }
      const std::int64_t q = p - rz_;
      if (q >= 0) smooth_z(q, undecided[static_cast<std::size_t>(q)]);
    }
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
      widen(job_.input.row(plane, y0_ + 2 * j) + x0_, wide_.get());
      // An odd last row stands in for the row it lacks; the output that would use it is not stored.
      widen(job_.input.row(plane, y0_ + std::min(2 * j + 1, in_rows - 1)) + x0_, wide_.get() + wide_size_);
      std::int32_t* to = rows_.get() + (which * row_pairs_ + j) * kTileWidth;
      for (std::int64_t x = 0; x < width_; x += 2 * lanes) {
        const std::int16_t* a = wide_.get() + x;
        const std::int16_t* b = a + wide_size_;
        auto even_a = half;
        auto odd_a = half;
        auto even_b = half;
        auto odd_b = half;
        for (std::int64_t k = 0; k <= rx_; ++k) {
          const auto first = hn::Set(d32, wx_.first[static_cast<std::size_t>(k)]);
          const auto second = hn::Set(d32, wx_.second[static_cast<std::size_t>(k)]);
          const auto va = load_pairs(d32, a + 2 * k);
          const auto vb = load_pairs(d32, b + 2 * k);
          even_a = add_products(d32, va, first, even_a);
          odd_a = add_products(d32, va, second, odd_a);
          even_b = add_products(d32, vb, first, even_b);
          odd_b = add_products(d32, vb, second, odd_b);
        }
        hn::Store(join(d32, hn::ShiftRightSame(even_a, shift), hn::ShiftRightSame(even_b, shift)), d32,
                  to + x);
        hn::Store(join(d32, hn::ShiftRightSame(odd_a, shift), hn::ShiftRightSame(odd_b, shift)), d32,
                  to + x + lanes);
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
      for (std::int64_t x = 0; x < width_; x += 2 * lanes) {
        for (std::int64_t part = x; part < x + 2 * lanes; part += lanes) {
          auto first_a = half;
          auto second_a = half;
          auto first_b = half;
          auto second_b = half;
          const std::int32_t* from = rows + (y / 2) * kTileWidth + part;
          for (std::int64_t j = 0; j <= ry_; ++j, from += kTileWidth) {
            const auto first = hn::Set(d32, wy_.first[static_cast<std::size_t>(j)]);
            const auto second = hn::Set(d32, wy_.second[static_cast<std::size_t>(j)]);
            const auto a = hn::Load(d32, from);
            const auto b = hn::Load(d32, from + plane_step);
            first_a = add_products(d32, a, first, first_a);
            second_a = add_products(d32, a, second, second_a);
            first_b = add_products(d32, b, first, first_b);
            second_b = add_products(d32, b, second, second_b);
          }
          std::int32_t* target = to + y * kTileWidth + part;
          hn::Store(join(d32, hn::ShiftRightSame(first_a, shift), hn::ShiftRightSame(first_b, shift)), d32,
                    target);
          if (y + 1 < height_) {
            hn::Store(join(d32, hn::ShiftRightSame(second_a, shift), hn::ShiftRightSame(second_b, shift)),
                      d32, target + kTileWidth);
          }
        }
      }
    }
  }

  // The z pass for output planes 2q and 2q + 1.
  void smooth_z(std::int64_t q, bool tile_undecided) {
    const bool two = 2 * q + 1 < shape_.z;
    for (std::int64_t y = 0; y < height_; ++y) {
      GreyRange range;
      for (std::int64_t p = q; p <= q + rz_; ++p)
        range.unite(ranges_[static_cast<std::size_t>(p * height_ + y)]);
      if (!tile_undecided || is_decided(range)) {
        fill_row(2 * q, y, range);
        if (two) fill_row(2 * q + 1, y, range);
        continue;
      }
      for (std::int64_t j = 0; j <= rz_; ++j) ring_rows_[static_cast<std::size_t>(j)] = ring_row(q + j, y);
      if (to_mask_) {
        smooth_z_row<true>(q, y, two);
      } else {
        smooth_z_row<false>(q, y, two);
      }
    }
  }

  void fill_row(std::int64_t z, std::int64_t y, const GreyRange& range) {
    if (to_mask_) {
      std::memset(job_.mask.row(z, y0_ + y) + x0_, range.low >= job_.threshold_level ? 1 : 0,
                  static_cast<std::size_t>(width_));
    } else {
      std::fill_n(job_.values.row(z, y0_ + y) + x0_, width_, static_cast<std::uint16_t>(range.low * 256));
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
    for (std::int64_t x = 0; x < width_; x += 2 * lanes) {
      auto even_a = start;
      auto odd_a = start;
      auto even_b = start;
      auto odd_b = start;
      for (std::int64_t j = 0; j <= rz_; ++j) {
        const std::int32_t* from = ring_rows_[static_cast<std::size_t>(j)] + x;
        const auto first = hn::Set(d32, wz_.first[static_cast<std::size_t>(j)]);
        const auto second = hn::Set(d32, wz_.second[static_cast<std::size_t>(j)]);
        const auto even = hn::Load(d32, from);
        const auto odd = hn::Load(d32, from + lanes);
        even_a = add_products(d32, even, first, even_a);
        odd_a = add_products(d32, odd, first, odd_a);
        even_b = add_products(d32, even, second, even_b);
        odd_b = add_products(d32, odd, second, odd_b);
      }
      store(even_a, odd_a, line_a + x);
      store(even_b, odd_b, line_b + x);
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
  std::vector<GreyRange> ranges_;
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
