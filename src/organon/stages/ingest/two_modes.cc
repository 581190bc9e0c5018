#include "organon/stages/ingest/two_modes.h"

#include <algorithm>
#include <iterator>

namespace organon::stages {
namespace {

// What lies up to this part of the lower peak above the lowest bin is the valley's floor.
constexpr std::uint64_t kFloorPart = 8;

// The last bin of the lower class: the split with the largest variance between classes, the first of equals.
std::optional<std::size_t> otsu_split(const std::vector<std::uint64_t>& counts) {
  double total = 0;
  double moment = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += static_cast<double>(counts[i]);
    moment += static_cast<double>(counts[i]) * static_cast<double>(i);
  }
  std::optional<std::size_t> best;
  double largest = 0;
  double low = 0;
  double low_moment = 0;
  for (std::size_t i = 0; i + 1 < counts.size(); ++i) {
    low += static_cast<double>(counts[i]);
    low_moment += static_cast<double>(counts[i]) * static_cast<double>(i);
    const double high = total - low;
    if (low == 0 || high == 0) continue;
    const double distance = (moment - low_moment) / high - low_moment / low;
    const double between = low * high * distance * distance;
    if (between <= largest) continue;
    largest = between;
    best = i;
  }
  return best;
}

// Sums of running windows: a mean but for a factor.
std::vector<std::uint64_t> smoothed(const std::vector<std::uint64_t>& counts, std::size_t reach) {
  std::vector<std::uint64_t> sums(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t begin = i - std::min(i, reach);
    const std::size_t end = std::min(counts.size(), i + reach + 1);
    for (std::size_t k = begin; k < end; ++k) sums[i] += counts[k];
  }
  return sums;
}

}  // namespace

std::optional<TwoModes> find_two_modes(const std::vector<std::uint64_t>& counts,
                                       const TwoModesOptions& options) {
  const std::optional<std::size_t> split = otsu_split(counts);
  if (!split) return std::nullopt;
  const std::vector<std::uint64_t> sums = smoothed(counts, options.smoothing_bins);
  const auto highest = [&](std::size_t begin, std::size_t end) {
    const auto first = sums.begin() + static_cast<std::ptrdiff_t>(begin);
    return static_cast<std::size_t>(std::max_element(first, sums.begin() + static_cast<std::ptrdiff_t>(end)) -
                                    sums.begin());
  };
  TwoModes modes;
  modes.low_peak = highest(0, *split + 1);
  modes.high_peak = highest(*split + 1, sums.size());
  if (modes.high_peak - modes.low_peak < options.min_distance_bins) return std::nullopt;
  const auto begin = sums.begin() + static_cast<std::ptrdiff_t>(modes.low_peak);
  const auto end = sums.begin() + static_cast<std::ptrdiff_t>(modes.high_peak) + 1;
  const std::uint64_t lowest = *std::min_element(begin, end);
  const std::uint64_t lower_peak = std::min(sums[modes.low_peak], sums[modes.high_peak]);
  // The valley's floor is flat and uneven: its middle parts the kinds, not its deepest hole.
  const auto is_floor = [&](std::uint64_t sum) { return sum <= lowest + lower_peak / kFloorPart; };
  const auto first = std::find_if(begin, end, is_floor);
  const auto last =
      std::find_if(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), is_floor);
  modes.valley = static_cast<std::size_t>(first - sums.begin() + (last.base() - sums.begin())) / 2;
  modes.valley_depth = 1 - static_cast<double>(lowest) / static_cast<double>(lower_peak);
  if (modes.valley_depth < options.min_valley_depth) return std::nullopt;
  return modes;
}

}  // namespace organon::stages
