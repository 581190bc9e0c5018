#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace organon::stages {

/// Two kinds of values in one histogram.
struct TwoModes {
  std::size_t low_peak = 0;
  std::size_t valley = 0;  ///< the first bin of the upper kind
  std::size_t high_peak = 0;
  double valley_depth = 0;  ///< 0 .. 1: how far the valley lies below the lower peak
};

struct TwoModesOptions {
  std::size_t smoothing_bins = 2;     ///< on either side, of a running mean
  std::size_t min_distance_bins = 1;  ///< peaks nearer to each other are one kind
  double min_valley_depth = 0.5;
};

/// Where a histogram falls into two kinds, or nothing where it does not.
///
/// Otsu's threshold parts it; the kinds are told apart in the middle of the valley's floor between the peaks
/// of both sides (bins up to 1/8 of the lower peak above the lowest), for Otsu's own leans towards the wider
/// kind. Any histogram has a threshold of Otsu's: two kinds need a valley between them. Source: [otsu1979];
/// the valley is ours.
std::optional<TwoModes> find_two_modes(const std::vector<std::uint64_t>& counts,
                                       const TwoModesOptions& options);

}  // namespace organon::stages
