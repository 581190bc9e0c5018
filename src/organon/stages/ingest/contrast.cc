#include "organon/stages/ingest/contrast.h"

#include <algorithm>

#include "organon/base/check.h"

namespace organon::stages {
namespace {

constexpr double kQuantile = 0.001;
constexpr double kPaddingFraction = 0.005;
constexpr std::uint64_t kPaddingPeak = 8;
constexpr std::size_t kPaddingNeighbours = 8;
constexpr double kInvertedTailRatio = 1.5;
constexpr std::ptrdiff_t kMinGreyValues = 16;

// Whether the end bin is padding; `inward` is 1 from the low end, -1 from the high end.
bool is_padding(const std::vector<std::uint64_t>& counts, std::size_t end, std::ptrdiff_t inward,
                std::uint64_t total) {
  std::uint64_t fullest = 0;
  for (std::size_t i = 1; i <= kPaddingNeighbours; ++i) {
    const std::ptrdiff_t bin = static_cast<std::ptrdiff_t>(end) + inward * static_cast<std::ptrdiff_t>(i);
    if (bin < 0 || bin >= static_cast<std::ptrdiff_t>(counts.size())) break;
    fullest = std::max(fullest, counts[static_cast<std::size_t>(bin)]);
  }
  return static_cast<double>(counts[end]) > kPaddingFraction * static_cast<double>(total) &&
         counts[end] > kPaddingPeak * fullest;
}

}  // namespace

ContrastEstimate estimate_contrast(const tables::Histogram& histogram) {
  const std::uint64_t total = histogram.total();
  ORGANON_CHECK(total > 0);
  const auto& counts = histogram.counts();
  const std::size_t first = histogram.quantile_bin(0);
  const std::size_t last = histogram.quantile_bin(1);
  ContrastEstimate estimate;
  // Masks and drawings have no padding and no tails.
  const auto num_occupied =
      std::count_if(counts.begin(), counts.end(), [](std::uint64_t count) { return count > 0; });
  if (num_occupied < kMinGreyValues) {
    estimate.limits = {
        histogram.bin_begin(first),
        std::max(histogram.bin_begin(last), histogram.bin_begin(first) + histogram.bin_width())};
    return estimate;
  }
  tables::Histogram values = histogram;
  if (is_padding(counts, first, 1, total)) {
    estimate.padding_low_fraction = static_cast<double>(counts[first]) / static_cast<double>(total);
    values = values.without_bin(first);
  }
  if (is_padding(counts, last, -1, total)) {
    estimate.padding_high_fraction = static_cast<double>(counts[last]) / static_cast<double>(total);
    values = values.without_bin(last);
  }
  const double low = values.bin_begin(values.quantile_bin(kQuantile));
  const double median = values.bin_begin(values.quantile_bin(0.5));
  const double high = values.bin_begin(values.quantile_bin(1 - kQuantile));
  estimate.limits = {low, std::max(high, low + values.bin_width())};
  if (median > low) estimate.tail_ratio = (high - median) / (median - low);
  estimate.looks_inverted = estimate.tail_ratio > kInvertedTailRatio;
  return estimate;
}

template <class T>
void invert_contrast(ArrayView<T> voxels) {
  const Shape3 shape = voxels.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      T* row = voxels.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        T& value = row[x * voxels.stride().x];
        if constexpr (std::is_floating_point_v<T>) {
          value = -value;
        } else {
          value = static_cast<T>(~value);  // min + max - v, in two's complement
        }
      }
    }
  }
}

template void invert_contrast(ArrayView<std::uint8_t>);
template void invert_contrast(ArrayView<std::int8_t>);
template void invert_contrast(ArrayView<std::uint16_t>);
template void invert_contrast(ArrayView<std::int16_t>);
template void invert_contrast(ArrayView<std::uint32_t>);
template void invert_contrast(ArrayView<std::int32_t>);
template void invert_contrast(ArrayView<std::uint64_t>);
template void invert_contrast(ArrayView<std::int64_t>);
template void invert_contrast(ArrayView<float>);
template void invert_contrast(ArrayView<double>);

}  // namespace organon::stages
