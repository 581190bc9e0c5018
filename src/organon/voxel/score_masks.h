#pragma once

#include <cstdint>
#include <limits>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// A predicted and a true set of voxels, and where they were compared. All three have one shape; 0 is
/// outside. The sets hold counted voxels only: where nothing is known there is no set.
struct MaskPair {
  ArrayView<const std::uint8_t> predicted;
  ArrayView<const std::uint8_t> truth;
  ArrayView<const std::uint8_t> counted;
};

struct ScoreOptions {
  double clip_distance_nm = 200;  ///< larger distances count as this one; infinity: none is clipped
  double tolerance_nm = 40;       ///< false voxels up to this far from the other set are forgiven
};

/// One side of the disagreement: false positives and how far they lie from the truth, or false negatives and
/// how far they lie from the prediction.
struct FalseVoxels {
  std::uint64_t voxels = 0;
  std::uint64_t beyond_tolerance = 0;
  std::uint64_t distance_sum = 0;  ///< clipped distances, in kDistanceUnitNm
  std::uint64_t distance_max = 0;  ///< of them the largest, in kDistanceUnitNm

  void merge(const FalseVoxels& other);
};

/// Distances are added up as whole numbers of 1/1024 nm, so that sums do not depend on their order.
inline constexpr double kDistanceUnitNm = 1.0 / 1024;

/// All that scores are made of. Sums of parts merge to those of the whole, in any order; the struct may be
/// stored as its bytes.
struct AgreementSums {
  std::uint64_t true_positives = 0;
  std::uint64_t true_negatives = 0;
  FalseVoxels positives;  ///< false ones
  FalseVoxels negatives;  ///< false ones

  void merge(const AgreementSums& other);
  std::uint64_t predicted() const { return true_positives + positives.voxels; }
  std::uint64_t truth() const { return true_positives + negatives.voxels; }
  std::uint64_t counted() const { return predicted() + negatives.voxels + true_negatives; }
};

/// Counts the voxels of `inner`, a part of the views, and measures how far the false ones lie from the other
/// set. The views' rest is the surroundings in which the nearest voxel of that set may lie.
///
/// Units: distances between voxel centres, nm. Where the other set has no voxel in reach, the distance is the
/// clip distance; where that is infinite, nothing is added. Halo: the larger of clip distance and tolerance,
/// over the voxel size. Cost: one pass, and a bounded distance transform for each side that has false voxels
/// in `inner`. Source: [heinrich2021cosem] (metrics of its evaluation code).
AgreementSums compare_masks(const MaskPair& masks, const Box& inner, const SizeNm& voxel_size_nm,
                            const ScoreOptions& options);

/// One side alone: voxels of `from` outside `to`, both as in MaskPair.
FalseVoxels measure_false_voxels(ArrayView<const std::uint8_t> from, ArrayView<const std::uint8_t> to,
                                 const Box& inner, const SizeNm& voxel_size_nm, const ScoreOptions& options);

/// NaN where a score is undefined: all but the first two and the false discovery rate where P or T is empty.
/// P: predicted, T: true, M: counted; |.| in voxels.
///
/// `f1` is the paper's dice, which is 0 where P and T have no voxel in common. Its code also has an f1_score,
/// the harmonic mean of precision and recall: the same number, but undefined there and where P or T is empty.
/// `f1_tolerant` is of that second form.
struct OverlapScores {
  double f1 = 0;                    ///< 2 |P and T| / (|P| + |T|); undefined where both are empty
  double jaccard = 0;               ///< |P and T| / |P or T|; undefined where both are empty
  double precision = 0;             ///< |P and T| / |P|
  double recall = 0;                ///< |P and T| / |T|
  double false_positive_rate = 0;   ///< |P - T| / |M - T|; undefined also where M - T is empty
  double false_negative_rate = 0;   ///< |T - P| / |T|
  double false_discovery_rate = 0;  ///< |P - T| / |P|; 0 where only P is empty, undefined where both are
  /// The same with the false voxels that lie beyond the tolerance alone, and |P or T| without them as true
  /// positives; f1 also undefined where there are none of these.
  double f1_tolerant = 0;
  double precision_tolerant = 0;
  double recall_tolerant = 0;
  double false_positive_rate_tolerant = 0;
  double false_negative_rate_tolerant = 0;
  /// Variation of information between the two divisions of M into inside and outside, in bits.
  double variation_of_information_bits = 0;
};
OverlapScores overlap_scores(const AgreementSums& sums);

/// NaN where P or T is empty.
struct DistanceScores {
  double mean_false_positive_nm = 0;  ///< over P, of the distance to T
  double mean_false_negative_nm = 0;  ///< over T, of the distance to P
  double mean_false_nm = 0;           ///< mean of the two
  /// Hausdorff distance: the largest of both; 0 where both are empty. Meaningful for distances not clipped.
  double largest_nm = 0;
};
DistanceScores distance_scores(const AgreementSums& sums);

}  // namespace organon::voxel
