#pragma once

#include <cstdint>

#include "organon/array/array_view.h"
#include "organon/tables/histogram.h"

namespace organon::stages {

/// The grey values between which a volume's contrast lies; -1 and 1 to a network.
struct ContrastLimits {
  double low = 0;
  double high = 255;

  friend bool operator==(const ContrastLimits&, const ContrastLimits&) = default;
};

/// Contrast as read off a histogram of grey values.
struct ContrastEstimate {
  ContrastLimits limits;
  double padding_low_fraction = 0;   ///< of all values: how many are padding at the least possible value
  double padding_high_fraction = 0;  ///< and at the greatest
  /// (99.9 % quantile - median) / (median - 0.1 % quantile).
  double tail_ratio = 1;
  /// Whether membranes seem bright: see estimate_contrast().
  bool looks_inverted = false;
};

/// Estimates limits as the 0.1 % and 99.9 % quantiles of the values that are not padding, and says whether
/// contrast seems to be inverted.
///
/// Padding: aligned stacks are filled up with black or white, which moves quantiles. The first or last
/// occupied bin of the histogram counts as padding where it holds more than 0.5 % of all values and more than
/// 8 times as many as the fullest of its 8 neighbours inward; clipped highlights of a detector are rarely so
/// sharp.
///
/// Inverted: stained membranes and granules are a minority of the voxels, cytoplasm and resin the majority.
/// Where membranes are dark, as organon's networks expect, the longer tail of the histogram is the dark one.
/// Contrast looks inverted where the bright tail is more than 1.5 times as long. It is a hint for people;
/// nothing is turned over without the option `invert`.
///
/// Fewer than 16 different values (masks, drawings) have their least and greatest as limits, no padding and
/// no tails.
///
/// Requires: histogram.total() > 0. Equal for equal histograms.
ContrastEstimate estimate_contrast(const tables::Histogram& histogram);

/// Turns grey values over, bright to dark, within the range of T: integers v to min + max - v, floats to -v.
/// Twice is the identity.
template <class T>
void invert_contrast(ArrayView<T> voxels);

}  // namespace organon::stages
