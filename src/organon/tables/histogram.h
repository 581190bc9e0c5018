#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "organon/array/array_view.h"

namespace organon::tables {

/// Counts of values in equal bins. Bin i holds low + i * bin_width <= value < low + (i + 1) * bin_width;
/// values outside are counted apart, so that nothing is lost. Histograms of equal bins merge exactly, in any
/// order.
class Histogram {
 public:
  /// Requires: bin_width > 0, 0 < num_bins <= 2^24.
  Histogram(double low, double bin_width, std::size_t num_bins);
  /// One bin per whole number first .. last.
  static Histogram of_integers(std::int64_t first, std::int64_t last);
  /// `num_bins` bins over [low, high], with `high` in the last one; one bin where low == high.
  /// Requires: low <= high, both finite, high - low too.
  static Histogram of_range(double low, double high, std::size_t num_bins);

  double low() const { return low_; }
  double bin_width() const { return bin_width_; }
  const std::vector<std::uint64_t>& counts() const { return counts_; }
  std::uint64_t below() const { return below_; }
  std::uint64_t above() const { return above_; }
  std::uint64_t not_a_number() const { return not_a_number_; }
  /// Values inside the bins.
  std::uint64_t total() const;
  double bin_begin(std::size_t bin) const { return low_ + static_cast<double>(bin) * bin_width_; }

  void add(double value, std::uint64_t count = 1);
  /// Every voxel; any of the ten voxel types.
  template <class T>
  void add_voxels(ArrayView<const T> voxels);
  /// Requires: equal bins.
  void merge(const Histogram& other);

  /// The least bin (its number) at or below which at least `fraction` (0 to 1) of the values inside the bins
  /// lie. Requires: total() > 0.
  std::size_t quantile_bin(double fraction) const;
  /// The histogram with `bin` emptied.
  Histogram without_bin(std::size_t bin) const;
  /// Neighbouring bins joined, for showing: `num_bins` counts, the last bins may be fewer values wide.
  std::vector<std::uint64_t> rebinned(std::size_t num_bins) const;

  std::vector<std::byte> encode() const;
  /// Inverse of encode(). Errors: kCorruptData.
  static Histogram decode(std::span<const std::byte> bytes);

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  double low_;
  double bin_width_;
  std::uint64_t below_ = 0;
  std::uint64_t above_ = 0;
  std::uint64_t not_a_number_ = 0;
  std::vector<std::uint64_t> counts_;
};

}  // namespace organon::tables
