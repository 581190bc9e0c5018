#include "organon/voxel/distance_kernels.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "organon/voxel/distance_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

// Lower envelopes of parabolas, found by search rather than by a stack: a stack is one line's business and
// full of branches that no processor can foresee, a search does eight or more lines at a time. It ends where
// the steps alone cost more than what is found, so it is as long as the distance; and objects are thin.
//
// Objects that touch need no test within the search. Let a voxel's run end u voxels away, so that its value
// is u steps squared at most from the start. Candidates beyond cost u steps or more even if they had nothing
// else to add; they cannot win.

HWY_BEFORE_NAMESPACE();
namespace organon::voxel {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kBundleWidth>;
using Counts = hn::RebindToSigned<Floats>;
using Flags = hn::Rebind<std::uint8_t, Floats>;
using Vector = hn::Vec<Floats>;

// Steps in both directions before rows are passed over by their minima.
constexpr std::int64_t kNear = 16;

// A few lines of a bundle: one vector wide.
class Search {
 public:
  Search(const LineBundle& bundle, std::int64_t first_line)
      : length_(bundle.length),
        squares_(bundle.step_squares),
        values_(bundle.squared_nm2 + first_line),
        meets_(bundle.meets == nullptr ? nullptr : bundle.meets + first_line),
        minima_(bundle.minima + first_line),
        result_(bundle.result + first_line) {}

  void run(float bound_nm2, bool take_root) {
    if (meets_ != nullptr) bound_by_runs();
    const float* const starts = meets_ != nullptr ? result_ : values_;
    const Vector infinity = hn::Set(floats_, std::numeric_limits<float>::infinity());
    const Vector bound = hn::Set(floats_, bound_nm2);
    Vector before = infinity;
    for (std::int64_t p = 0; p < length_; ++p) {
      Vector best = hn::LoadU(floats_, starts + p * kBundleWidth);
      if (!hn::AllTrue(floats_, hn::Eq(best, hn::Zero(floats_)))) {
        best = search_from(p, best, before);
        best = hn::IfThenElse(hn::Gt(best, bound), infinity, best);
      }
      before = best;
      hn::StoreU(take_root ? hn::Sqrt(best) : best, floats_, result_ + p * kBundleWidth);
    }
  }

 private:
  Vector load(std::int64_t row) const { return hn::LoadU(floats_, values_ + row * kBundleWidth); }

  // Into the result: the values, or the squared distance to the end of the voxel's run if that is less.
  void bound_by_runs() {
    const Vector zero = hn::Zero(floats_);
    const auto one = hn::Set(counts_, 1);
    // Stands for no end: one step more than the line has.
    const auto none = hn::Set(counts_, static_cast<std::int32_t>(length_ + 1));
    const auto meets = [&](std::int64_t row) {
      return hn::Ne(hn::PromoteTo(counts_, hn::LoadU(Flags(), meets_ + row * kBundleWidth)),
                    hn::Zero(counts_));
    };
    auto to_end = none;
    for (std::int64_t p = 0; p < length_; ++p) {
      to_end = hn::IfThenElse(meets(p), one, hn::Min(hn::Add(to_end, one), none));
      hn::StoreU(hn::BitCast(floats_, to_end), floats_, result_ + p * kBundleWidth);
    }
    to_end = none;
    for (std::int64_t p = length_; p-- > 0;) {
      float* const at = result_ + p * kBundleWidth;
      to_end = hn::Min(hn::Add(to_end, one), none);
      const Vector value = load(p);
      if (hn::AllTrue(floats_, hn::Eq(value, zero))) {
        hn::StoreU(zero, floats_, at);
      } else {
        const auto nearest = hn::Min(to_end, hn::BitCast(counts_, hn::LoadU(floats_, at)));
        hn::StoreU(hn::Min(value, hn::GatherIndex(floats_, squares_, nearest)), floats_, at);
      }
      to_end = hn::IfThenElse(meets(p), hn::Zero(counts_), to_end);
    }
  }

  // `best` with all candidates of the line taken; `before` is the result one row before.
  Vector search_from(std::int64_t p, Vector best, Vector before) {
    const std::int64_t back = p;
    const std::int64_t ahead = length_ - 1 - p;
    const std::int64_t both = std::min({back, ahead, kNear});
    const float* const at = values_ + p * kBundleWidth;
    std::int64_t k = 1;
    for (; k <= both; ++k) {
      const Vector square = hn::Set(floats_, squares_[k]);
      if (hn::AllTrue(floats_, hn::Ge(square, best))) return best;
      const Vector least =
          hn::Min(hn::LoadU(floats_, at - k * kBundleWidth), hn::LoadU(floats_, at + k * kBundleWidth));
      best = hn::Min(best, hn::Add(least, square));
    }
    const std::int64_t one = std::min(std::max(back, ahead), kNear);
    const std::int64_t side = back > ahead ? -kBundleWidth : kBundleWidth;
    for (; k <= one; ++k) {
      const Vector square = hn::Set(floats_, squares_[k]);
      if (hn::AllTrue(floats_, hn::Ge(square, best))) return best;
      best = hn::Min(best, hn::Add(hn::LoadU(floats_, at + k * side), square));
    }
    if (k > back && k > ahead) return best;
    return search_far(p, best, before);
  }

  Vector search_far(std::int64_t p, Vector best, Vector before) {
    if (!has_minima_) note_minima();
    // One row on, the distance grows by a step at most (and a hair, for the rounding): what is farther than
    // that cannot be the nearest. Where the row before is of another object, it is itself a step away.
    Vector limit = hn::Add(hn::Sqrt(before), hn::Set(floats_, step_));
    limit = hn::Mul(hn::Mul(limit, limit), hn::Set(floats_, 1 + 1e-5F));
    limit = hn::Min(best, limit);
    std::int64_t low = (p - kNear - 1) / kRowsPerMinimum;
    bool goes_back = p > kNear;
    std::int64_t high = (p + kNear + 1) / kRowsPerMinimum;
    bool goes_on = p + kNear + 1 < length_;
    const std::int64_t last = (length_ - 1) / kRowsPerMinimum;
    const auto take_rows = [&](std::int64_t group, std::int64_t steps) {
      const Vector square = hn::Set(floats_, squares_[steps]);
      if (hn::AllTrue(floats_, hn::Ge(square, limit))) return false;
      const Vector minimum = hn::LoadU(floats_, minima_ + group * kBundleWidth);
      if (hn::AllTrue(floats_, hn::Ge(hn::Add(minimum, square), limit))) return true;
      const std::int64_t end = std::min((group + 1) * kRowsPerMinimum, length_);
      for (std::int64_t q = group * kRowsPerMinimum; q < end; ++q)
        best = hn::Min(best, hn::Add(load(q), hn::Set(floats_, squares_[q < p ? p - q : q - p])));
      limit = hn::Min(limit, best);
      return true;
    };
    while (goes_back || goes_on) {
      if (goes_back) {
        goes_back = take_rows(low, std::max(kNear + 1, p - (low + 1) * kRowsPerMinimum + 1)) && low > 0;
        --low;
      }
      if (goes_on) {
        goes_on = take_rows(high, std::max(kNear + 1, high * kRowsPerMinimum - p)) && high < last;
        ++high;
      }
    }
    return best;
  }

  void note_minima() {
    has_minima_ = true;
    // Infinite where the bound is less than a step: then no search gets here.
    step_ = hn::GetLane(hn::Sqrt(hn::Set(floats_, squares_[1])));
    for (std::int64_t begin = 0; begin < length_; begin += kRowsPerMinimum) {
      Vector least = load(begin);
      const std::int64_t end = std::min(begin + kRowsPerMinimum, length_);
      for (std::int64_t q = begin + 1; q < end; ++q) least = hn::Min(least, load(q));
      hn::StoreU(least, floats_, minima_ + begin / kRowsPerMinimum * kBundleWidth);
    }
  }

  const Floats floats_;
  const Counts counts_;
  const std::int64_t length_;
  const float* const squares_;
  const float* const values_;
  const std::uint8_t* const meets_;
  float* const minima_;
  float* const result_;
  float step_ = 0;
  bool has_minima_ = false;
};

void search_bundle(const LineBundle& bundle) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  for (std::int64_t first = 0; first < kBundleWidth; first += lanes)
    Search(bundle, first).run(bundle.bound_nm2, bundle.take_root);
}

}  // namespace HWY_NAMESPACE
}  // namespace organon::voxel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace organon::voxel {

HWY_EXPORT(search_bundle);

void search_along_lines(const LineBundle& bundle) { HWY_DYNAMIC_DISPATCH(search_bundle)(bundle); }

}  // namespace organon::voxel
#endif  // HWY_ONCE
