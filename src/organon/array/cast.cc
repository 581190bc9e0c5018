#include "organon/array/cast.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "organon/base/error.h"

namespace organon {
namespace {

enum class Fit { kExact, kBelow, kAbove, kNot };

// How `value` is in To, which gets the nearest number where it fits.
template <class From, class To>
Fit fit(From value, To& result) {
  if constexpr (std::is_floating_point_v<To>) {
    result = static_cast<To>(value);
    if constexpr (std::is_floating_point_v<From>) {
      // What overflows to infinity; precision is what a smaller type gives up.
      if (std::isfinite(value) && !std::isfinite(result)) return value < 0 ? Fit::kBelow : Fit::kAbove;
      return Fit::kExact;
    } else {
      // Ids must stay what they are: every whole number up to 2^digits is exact.
      constexpr int kDigits = std::numeric_limits<To>::digits;
      constexpr auto kLargest = static_cast<std::uint64_t>(1) << kDigits;
      if constexpr (std::numeric_limits<From>::digits > kDigits) {
        const auto magnitude = value < From{0} ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                                               : static_cast<std::uint64_t>(value);
        if (magnitude > kLargest) return Fit::kNot;
      }
      return Fit::kExact;
    }
  } else if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return Fit::kNot;
    const double rounded = std::nearbyint(static_cast<double>(value));
    // As doubles the limits of 64 bits round up, so the upper one is compared by "at least".
    const double above = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (rounded >= above) return Fit::kAbove;
    if (rounded < static_cast<double>(std::numeric_limits<To>::min())) return Fit::kBelow;
    result = static_cast<To>(rounded);
    return Fit::kExact;
  } else {
    if (std::cmp_less(value, std::numeric_limits<To>::min())) return Fit::kBelow;
    if (std::cmp_greater(value, std::numeric_limits<To>::max())) return Fit::kAbove;
    result = static_cast<To>(value);
    return Fit::kExact;
  }
}

template <class From, class To>
void cast(ArrayView<const From> from, ArrayView<To> to, OutOfRange out_of_range, const Index3& first) {
  const Shape3 shape = from.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const From* const source = from.row(z, y);
      To* const target = to.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const Fit found = fit<From, To>(source[x], target[x]);
        if (found == Fit::kExact) continue;
        if (found != Fit::kNot && out_of_range == OutOfRange::kClip) {
          target[x] =
              found == Fit::kAbove ? std::numeric_limits<To>::max() : std::numeric_limits<To>::lowest();
          continue;
        }
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("voxel {}: {} cannot be stored as {}", to_string(first + Index3{z, y, x}),
                                +source[x], to_string(data_type_of<To>())));
      }
    }
  }
}

}  // namespace

AnyArray cast_voxels(const AnyArray& voxels, DataType type, OutOfRange out_of_range, const Index3& first) {
  AnyArray result(type, voxels.shape());
  dispatch(voxels.type(), [&](auto from) {
    using From = decltype(from);
    dispatch(type, [&](auto to) {
      using To = decltype(to);
      cast<From, To>(voxels.view<From>(), result.view<To>(), out_of_range, first);
    });
  });
  return result;
}

}  // namespace organon
