#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "organon/geometry/vec3.h"

namespace organon::phantom {

/// Smooth random values in space: uniform hashes in [-1, 1] on a cubic lattice, blended in between.
///
/// The value at a place depends on seed and place alone (only + - * and floor), never on the order of asking.
/// Source: value noise, as in [ebert2003texturing].
class LatticeNoise {
 public:
  LatticeNoise(std::uint64_t seed, double wavelength_nm);

  double at(const PointNm& point) const;
  /// Adds factor * at({z, y, x[i]}) to values[i]. x must not decrease. Same values as at(), at a fraction of
  /// its cost.
  void add_row(double z, double y, std::span<const double> x, float factor, std::span<float> values) const;

 private:
  struct Weighted {
    std::int64_t cell;
    double weight;  ///< of the next cell
  };
  Weighted place(double coordinate, int axis) const;
  double column(const Weighted& z, const Weighted& y, std::int64_t x) const;
  double corner(std::int64_t z, std::int64_t y, std::int64_t x) const;

  std::uint64_t seed_;
  double per_nm_;
  double shift_[3];
};

}  // namespace organon::phantom
