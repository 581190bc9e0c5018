#pragma once

#include "organon/phantom/cristae.h"

namespace organon::phantom {

/// The ribosomes in the matrix of one mitochondrion: balls of kMitoRibosomeRadius, at most 2800 in a cubic
/// micrometre, whose middles lie off membrane and folds.
class MitoRibosomes {
 public:
  /// Keeps a reference to `cristae`, the folds of the same mitochondrion.
  MitoRibosomes(const Cell& cell, const Object& mito, const Cristae& cristae);

  /// Whether `point`, in the matrix, lies in one.
  bool contains(const PointNm& point) const;

 private:
  const Solid& solid_;
  const Cristae& cristae_;
  std::uint64_t seed_;
};

}  // namespace organon::phantom
