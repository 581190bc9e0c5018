#pragma once

#include "organon/phantom/cell.h"

namespace organon::phantom {

/// The inner folds of one mitochondrion: parallel lamellae, each grown from one side of the wall.
class Cristae {
 public:
  Cristae(const Cell& cell, const Object& mito);

  /// Whether `point`, inside the mitochondrion, lies in a fold.
  bool contains(const PointNm& point) const;

 private:
  const Solid& solid_;
  std::uint64_t seed_;
  LatticeNoise waves_;
  double spacing_nm_;
  double slope_v_;  ///< how the folds lean
  double slope_w_;
};

}  // namespace organon::phantom
