#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "organon/geometry/box.h"

namespace organon::stages {

/// What is said of the two pictures of a trial.
enum class Verdict : std::uint8_t { kLeft, kRight, kBothGood, kBothBad };

/// "left", "right", "both_good", "both_bad".
std::string_view to_string(Verdict verdict);
/// Inverse of to_string(). Errors: kCorruptData naming `text`.
Verdict verdict_of(std::string_view text);

enum class Contender : std::uint8_t { kA, kB };

/// What chance decides, by the seed and the number of a trial alone: not by what was answered before, so that
/// a comparison that goes on later sees the same.
class BlindedTrials {
 public:
  explicit BlindedTrials(std::uint64_t seed) : seed_(seed) {}

  /// Who is shown on the left.
  Contender left_of(std::uint64_t trial) const;
  /// For whom an answer counts in the test: one that prefers none is dealt to one of the two by chance.
  Contender counted_for(std::uint64_t trial, Verdict verdict) const;
  /// The first of boxes of `shape` at random places in `domain` that is taken. Errors: kInvalidArgument where
  /// none fits into `domain`, or none of the first `max_attempts` is taken.
  Box draw_box(std::uint64_t trial, const Box& domain, const Shape3& shape, std::int64_t max_attempts,
               const std::function<bool(const Box&)>& is_taken) const;

 private:
  std::uint64_t seed_;
};

/// A cube of physical space in voxels: `edge_voxels` along the axes with the smallest voxels, along others as
/// many as come nearest to this length, and at least one.
Shape3 cube_shape(std::int64_t edge_voxels, const SizeNm& voxel_size_nm);

/// The probability that a fair coin gives a split as uneven as `a` of a + b, or more: twice the binomial
/// distribution's lower tail, and at most 1; 1 without any throw. Requires: both >= 0.
/// Cost: O(min(a, b)). Source: [heinrich2021cosem] (the test of its manual evaluation).
double two_sided_binomial(std::int64_t a, std::int64_t b);

}  // namespace organon::stages
