#pragma once

#include <cstdint>

namespace organon {

/// Largest integer <= a / b; `b` > 0, `a` of any sign.
constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Smallest integer >= a / b; `b` > 0, `a` of any sign.
constexpr std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

constexpr std::int64_t round_down_to_multiple(std::int64_t a, std::int64_t b) {
  return floor_divide(a, b) * b;
}
constexpr std::int64_t round_up_to_multiple(std::int64_t a, std::int64_t b) { return ceil_divide(a, b) * b; }

}  // namespace organon
