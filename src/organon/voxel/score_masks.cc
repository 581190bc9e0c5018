#include "organon/voxel/score_masks.h"

#include <algorithm>
#include <cmath>

#include "organon/array/array.h"
#include "organon/voxel/distance_transform.h"

namespace organon::voxel {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double share(double part, double whole) { return whole > 0 ? part / whole : kUndefined; }

bool has_false_voxel(ArrayView<const std::uint8_t> from, ArrayView<const std::uint8_t> to, const Box& inner) {
  for (std::int64_t z = inner.begin.z; z < inner.end.z; ++z)
    for (std::int64_t y = inner.begin.y; y < inner.end.y; ++y)
      for (std::int64_t x = inner.begin.x; x < inner.end.x; ++x)
        if (from(z, y, x) != 0 && to(z, y, x) == 0) return true;
  return false;
}

// -p log2 p, 0 for p = 0.
double entropy_term(double p) { return p > 0 ? -p * std::log2(p) : 0; }

}  // namespace

void FalseVoxels::merge(const FalseVoxels& other) {
  voxels += other.voxels;
  beyond_tolerance += other.beyond_tolerance;
  distance_sum += other.distance_sum;
  distance_max = std::max(distance_max, other.distance_max);
}

void AgreementSums::merge(const AgreementSums& other) {
  true_positives += other.true_positives;
  true_negatives += other.true_negatives;
  positives.merge(other.positives);
  negatives.merge(other.negatives);
}

FalseVoxels measure_false_voxels(ArrayView<const std::uint8_t> from, ArrayView<const std::uint8_t> to,
                                 const Box& inner, const SizeNm& voxel_size_nm, const ScoreOptions& options) {
  ORGANON_CHECK(from.shape() == to.shape() && Box::of_shape(from.shape()).contains(inner));
  FalseVoxels result;
  if (!has_false_voxel(from, to, inner)) return result;
  Array<float> squared_nm2 = Array<float>::uninitialized(to.shape());
  const double reach_nm = std::max(options.clip_distance_nm, options.tolerance_nm);
  squared_distance_transform(to, voxel_size_nm, {DistanceTo::kForeground, reach_nm}, squared_nm2);
  // A hair more, as in the transform's bound: a distance equal to the tolerance is forgiven whatever the
  // rounding of voxel sizes such as 3.24 nm.
  const double tolerance_nm2 = options.tolerance_nm * options.tolerance_nm * (1 + 1e-6);
  for (std::int64_t z = inner.begin.z; z < inner.end.z; ++z) {
    for (std::int64_t y = inner.begin.y; y < inner.end.y; ++y) {
      for (std::int64_t x = inner.begin.x; x < inner.end.x; ++x) {
        if (from(z, y, x) == 0 || to(z, y, x) != 0) continue;
        const double squared = static_cast<double>(squared_nm2(z, y, x));
        ++result.voxels;
        if (!(squared <= tolerance_nm2)) ++result.beyond_tolerance;
        const double distance_nm = std::min(std::sqrt(squared), options.clip_distance_nm);
        if (!std::isfinite(distance_nm)) continue;
        const auto units = static_cast<std::uint64_t>(std::llround(distance_nm / kDistanceUnitNm));
        result.distance_sum += units;
        result.distance_max = std::max(result.distance_max, units);
      }
    }
  }
  return result;
}

AgreementSums compare_masks(const MaskPair& masks, const Box& inner, const SizeNm& voxel_size_nm,
                            const ScoreOptions& options) {
  ORGANON_CHECK(masks.predicted.shape() == masks.counted.shape());
  AgreementSums sums;
  for (std::int64_t z = inner.begin.z; z < inner.end.z; ++z) {
    for (std::int64_t y = inner.begin.y; y < inner.end.y; ++y) {
      for (std::int64_t x = inner.begin.x; x < inner.end.x; ++x) {
        if (masks.counted(z, y, x) == 0) continue;
        const bool predicted = masks.predicted(z, y, x) != 0;
        const bool truth = masks.truth(z, y, x) != 0;
        sums.true_positives += static_cast<std::uint64_t>(predicted && truth);
        sums.true_negatives += static_cast<std::uint64_t>(!predicted && !truth);
      }
    }
  }
  sums.positives = measure_false_voxels(masks.predicted, masks.truth, inner, voxel_size_nm, options);
  sums.negatives = measure_false_voxels(masks.truth, masks.predicted, inner, voxel_size_nm, options);
  return sums;
}

OverlapScores overlap_scores(const AgreementSums& sums) {
  const auto both = static_cast<double>(sums.true_positives);
  const auto predicted = static_cast<double>(sums.predicted());
  const auto truth = static_cast<double>(sums.truth());
  const auto counted = static_cast<double>(sums.counted());
  const auto false_positives = static_cast<double>(sums.positives.voxels);
  const auto false_negatives = static_cast<double>(sums.negatives.voxels);
  const bool has_both = predicted > 0 && truth > 0;
  OverlapScores scores;
  scores.f1 = share(2 * both, predicted + truth);
  scores.jaccard = share(both, both + false_positives + false_negatives);
  scores.precision = has_both ? share(both, predicted) : kUndefined;
  scores.recall = has_both ? share(both, truth) : kUndefined;
  scores.false_positive_rate = has_both ? share(false_positives, counted - truth) : kUndefined;
  scores.false_negative_rate = has_both ? share(false_negatives, truth) : kUndefined;
  scores.false_discovery_rate = predicted > 0 ? false_positives / predicted : (truth > 0 ? 0.0 : kUndefined);

  const auto far_positives = static_cast<double>(sums.positives.beyond_tolerance);
  const auto far_negatives = static_cast<double>(sums.negatives.beyond_tolerance);
  const double near = both + false_positives + false_negatives - far_positives - far_negatives;
  scores.precision_tolerant = has_both ? share(near, near + far_positives) : kUndefined;
  scores.recall_tolerant = has_both ? share(near, near + far_negatives) : kUndefined;
  // The harmonic mean of two zeros is none.
  scores.f1_tolerant =
      has_both && near > 0 ? share(2 * near, 2 * near + far_positives + far_negatives) : kUndefined;
  scores.false_positive_rate_tolerant = has_both ? share(far_positives, counted - truth) : kUndefined;
  scores.false_negative_rate_tolerant = has_both ? share(far_negatives, truth) : kUndefined;

  // Split and merge entropies: H(P, T) twice, less H(P) and H(T).
  const auto neither = static_cast<double>(sums.true_negatives);
  double joint = 0;
  for (const double part : {both, false_positives, false_negatives, neither})
    joint += entropy_term(part / counted);
  double single = 0;
  for (const double part : {predicted, counted - predicted, truth, counted - truth})
    single += entropy_term(part / counted);
  scores.variation_of_information_bits = has_both ? std::max(0.0, 2 * joint - single) : kUndefined;
  return scores;
}

DistanceScores distance_scores(const AgreementSums& sums) {
  DistanceScores scores;
  const bool both_empty = sums.predicted() == 0 && sums.truth() == 0;
  if (sums.predicted() == 0 || sums.truth() == 0) {
    scores.mean_false_positive_nm = scores.mean_false_negative_nm = scores.mean_false_nm = kUndefined;
    scores.largest_nm = both_empty ? 0 : kUndefined;
    return scores;
  }
  scores.mean_false_positive_nm = static_cast<double>(sums.positives.distance_sum) * kDistanceUnitNm /
                                  static_cast<double>(sums.predicted());
  scores.mean_false_negative_nm =
      static_cast<double>(sums.negatives.distance_sum) * kDistanceUnitNm / static_cast<double>(sums.truth());
  scores.mean_false_nm = (scores.mean_false_positive_nm + scores.mean_false_negative_nm) / 2;
  scores.largest_nm =
      static_cast<double>(std::max(sums.positives.distance_max, sums.negatives.distance_max)) *
      kDistanceUnitNm;
  return scores;
}

}  // namespace organon::voxel
