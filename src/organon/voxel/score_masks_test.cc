#include "organon/voxel/score_masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"

namespace organon::voxel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Masks {
  Array<std::uint8_t> predicted;
  Array<std::uint8_t> truth;
  Array<std::uint8_t> counted;

  MaskPair views() const { return {predicted, truth, counted}; }
};

// Blobs by chance: `density` of seeds grown by one voxel along x, in a mask with holes.
Masks make_masks(const Shape3& shape, std::uint64_t seed, double density) {
  Masks masks{Array<std::uint8_t>(shape), Array<std::uint8_t>(shape), Array<std::uint8_t>(shape)};
  Random random(seed);
  for (std::int64_t i = 0; i < shape.product(); ++i) {
    masks.counted.data()[i] = random.uniform() < 0.9;
    masks.predicted.data()[i] = random.uniform() < density && masks.counted.data()[i];
    masks.truth.data()[i] =
        (random.uniform() < density || (masks.predicted.data()[i] && random.uniform() < 0.5)) &&
        masks.counted.data()[i];
  }
  return masks;
}

// Distance of every voxel of `from` to the nearest of `to`, by looking at all pairs; infinity where `to` is
// empty.
std::vector<double> brute_force_distances(const Array<std::uint8_t>& from, const Array<std::uint8_t>& to,
                                          const SizeNm& size) {
  std::vector<double> distances;
  const Shape3 s = from.shape();
  for (std::int64_t i = 0; i < s.product(); ++i) {
    if (from.data()[i] == 0) continue;
    double nearest = kInfinity;
    for (std::int64_t j = 0; j < s.product(); ++j) {
      if (to.data()[j] == 0) continue;
      const std::int64_t row_i = i / s.x, row_j = j / s.x;
      const std::int64_t slice_i = row_i / s.y, slice_j = row_j / s.y;
      const double z = static_cast<double>(slice_i - slice_j) * size.z;
      const double y = static_cast<double>(row_i % s.y - row_j % s.y) * size.y;
      const double x = static_cast<double>(i % s.x - j % s.x) * size.x;
      nearest = std::min(nearest, std::sqrt(z * z + y * y + x * x));
    }
    distances.push_back(nearest);
  }
  return distances;
}

double mean_of(const std::vector<double>& values, double clip) {
  double sum = 0;
  for (const double value : values) sum += std::min(value, clip);
  return sum / static_cast<double>(values.size());
}

// Counts of a brute-force comparison: one letter a set, as in the header.
struct Counts {
  double p = 0, t = 0, both = 0, m = 0;
};
Counts count(const Masks& masks) {
  Counts counts;
  for (std::int64_t i = 0; i < masks.counted.size(); ++i) {
    counts.m += masks.counted.data()[i];
    counts.p += masks.predicted.data()[i];
    counts.t += masks.truth.data()[i];
    counts.both += masks.predicted.data()[i] & masks.truth.data()[i];
  }
  return counts;
}

AgreementSums compare_all(const Masks& masks, const SizeNm& size, const ScoreOptions& options) {
  return compare_masks(masks.views(), Box::of_shape(masks.counted.shape()), size, options);
}

TEST(ScoreMasks, EveryScoreEqualsItsDefinition) {
  for (const SizeNm& size : {SizeNm{8, 4, 4}, SizeNm{3.24, 4, 5.5}, SizeNm{1, 1, 1}}) {
    for (const double density : {0.02, 0.2, 0.6}) {
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const Masks masks = make_masks({6, 9, 11}, seed, density);
        const ScoreOptions options{13, 8};
        const AgreementSums sums = compare_all(masks, size, options);
        const OverlapScores scores = overlap_scores(sums);
        const Counts n = count(masks);
        ASSERT_GT(n.p * n.t * n.both, 0) << "the test needs voxels of every kind";
        EXPECT_DOUBLE_EQ(scores.f1, 2 * n.both / (n.p + n.t));
        EXPECT_DOUBLE_EQ(scores.jaccard, n.both / (n.p + n.t - n.both));
        EXPECT_DOUBLE_EQ(scores.precision, n.both / n.p);
        EXPECT_DOUBLE_EQ(scores.recall, n.both / n.t);
        EXPECT_DOUBLE_EQ(scores.false_positive_rate, (n.p - n.both) / (n.m - n.t));
        EXPECT_DOUBLE_EQ(scores.false_negative_rate, (n.t - n.both) / n.t);
        EXPECT_DOUBLE_EQ(scores.false_discovery_rate, (n.p - n.both) / n.p);

        const auto to_truth = brute_force_distances(masks.predicted, masks.truth, size);
        const auto to_predicted = brute_force_distances(masks.truth, masks.predicted, size);
        const auto beyond = [&](const std::vector<double>& distances) {
          return static_cast<double>(std::count_if(distances.begin(), distances.end(), [&](double d) {
            return d > options.tolerance_nm * (1 + 1e-9);
          }));
        };
        const double far_p = beyond(to_truth);
        const double far_t = beyond(to_predicted);
        const double near = n.p + n.t - n.both - far_p - far_t;
        EXPECT_DOUBLE_EQ(scores.precision_tolerant, near / (near + far_p));
        EXPECT_DOUBLE_EQ(scores.recall_tolerant, near / (near + far_t));
        EXPECT_DOUBLE_EQ(scores.f1_tolerant,
                         2 / (1 / scores.precision_tolerant + 1 / scores.recall_tolerant));
        EXPECT_DOUBLE_EQ(scores.false_positive_rate_tolerant, far_p / (n.m - n.t));
        EXPECT_DOUBLE_EQ(scores.false_negative_rate_tolerant, far_t / n.t);

        const DistanceScores clipped = distance_scores(sums);
        // Each distance is rounded to 1/1024 nm.
        constexpr double kTolerance = 0.5 / 1024;
        EXPECT_NEAR(clipped.mean_false_positive_nm, mean_of(to_truth, options.clip_distance_nm), kTolerance);
        EXPECT_NEAR(clipped.mean_false_negative_nm, mean_of(to_predicted, options.clip_distance_nm),
                    kTolerance);
        EXPECT_DOUBLE_EQ(clipped.mean_false_nm,
                         (clipped.mean_false_positive_nm + clipped.mean_false_negative_nm) / 2);
        const DistanceScores whole = distance_scores(compare_all(masks, size, {kInfinity, 8}));
        EXPECT_NEAR(whole.mean_false_positive_nm, mean_of(to_truth, kInfinity), kTolerance);
        EXPECT_NEAR(whole.mean_false_negative_nm, mean_of(to_predicted, kInfinity), kTolerance);
        EXPECT_NEAR(whole.largest_nm,
                    std::max(*std::max_element(to_truth.begin(), to_truth.end()),
                             *std::max_element(to_predicted.begin(), to_predicted.end())),
                    kTolerance);
      }
    }
  }
}

TEST(ScoreMasks, VariationOfInformationEqualsItsDefinition) {
  const Masks masks = make_masks({6, 9, 11}, 5, 0.3);
  const Counts n = count(masks);
  // Conditional entropies H(T|P) + H(P|T) over the four joint shares, written out.
  const double share[2][2] = {{(n.m - n.p - n.t + n.both) / n.m, (n.t - n.both) / n.m},
                              {(n.p - n.both) / n.m, n.both / n.m}};
  double expected = 0;
  for (int p = 0; p < 2; ++p) {
    for (int t = 0; t < 2; ++t) {
      expected -= share[p][t] * std::log2(share[p][t] / (share[p][0] + share[p][1]));
      expected -= share[p][t] * std::log2(share[p][t] / (share[0][t] + share[1][t]));
    }
  }
  EXPECT_NEAR(overlap_scores(compare_all(masks, {1, 1, 1}, {})).variation_of_information_bits, expected,
              1e-12);
}

TEST(ScoreMasks, BlocksWithHaloAddUpToTheWhole) {
  const Shape3 shape{14, 20, 23};
  const SizeNm size{8, 4, 5};
  const Masks masks = make_masks(shape, 9, 0.01);
  const ScoreOptions options{33, 20};
  const AgreementSums whole = compare_all(masks, size, options);
  EXPECT_GT(whole.positives.beyond_tolerance, 0U);
  const Shape3 halo{4, 8, 6};  // floor(33 / size)
  for (const Shape3& block : {Shape3{3, 7, 5}, Shape3{14, 1, 4}}) {
    AgreementSums sum;
    const BlockGrid blocks(Box::of_shape(shape), block);
    for (std::int64_t id = blocks.count(); id-- > 0;) {
      const Box view = blocks.box_of(id).grow(halo, halo).intersect(Box::of_shape(shape));
      const MaskPair all = masks.views();
      sum.merge(compare_masks({all.predicted.part(view), all.truth.part(view), all.counted.part(view)},
                              blocks.box_of(id).translate(view.begin * -1), size, options));
    }
    EXPECT_EQ(0, std::memcmp(&sum, &whole, sizeof(sum)));
  }
}

TEST(ScoreMasks, DistanceEqualToTheToleranceIsForgiven) {
  Masks masks{Array<std::uint8_t>({1, 1, 30}), Array<std::uint8_t>({1, 1, 30}),
              Array<std::uint8_t>({1, 1, 30}, 1)};
  masks.truth(0, 0, 0) = 1;
  masks.predicted(0, 0, 10) = 1;
  EXPECT_EQ(compare_all(masks, {4, 4, 4}, {200, 40}).positives.beyond_tolerance, 0U);
  EXPECT_EQ(compare_all(masks, {4, 4, 4}, {200, 39.9}).positives.beyond_tolerance, 1U);
  EXPECT_EQ(compare_all(masks, {4, 4, 3.24}, {200, 32.4}).positives.beyond_tolerance, 0U);
}

TEST(ScoreMasks, UndefinedScoresAreNotNumbers) {
  const Shape3 shape{2, 3, 4};
  Masks masks{Array<std::uint8_t>(shape), Array<std::uint8_t>(shape), Array<std::uint8_t>(shape, 1)};
  {  // both empty
    const AgreementSums sums = compare_all(masks, {1, 1, 1}, {});
    const OverlapScores scores = overlap_scores(sums);
    for (const double score :
         {scores.f1, scores.jaccard, scores.precision, scores.recall, scores.false_positive_rate,
          scores.false_negative_rate, scores.false_discovery_rate, scores.f1_tolerant})
      EXPECT_TRUE(std::isnan(score));
    EXPECT_EQ(scores.variation_of_information_bits, 0);
    EXPECT_EQ(distance_scores(sums).largest_nm, 0);
    EXPECT_TRUE(std::isnan(distance_scores(sums).mean_false_nm));
  }
  {  // truth alone
    masks.truth(1, 1, 1) = 1;
    const AgreementSums sums = compare_all(masks, {1, 1, 1}, {});
    const OverlapScores scores = overlap_scores(sums);
    EXPECT_EQ(scores.f1, 0);
    EXPECT_EQ(scores.jaccard, 0);
    EXPECT_EQ(scores.recall, 0);
    EXPECT_EQ(scores.false_discovery_rate, 0);
    for (const double score : {scores.precision, scores.false_positive_rate, scores.false_negative_rate})
      EXPECT_TRUE(std::isnan(score));
    EXPECT_TRUE(std::isnan(distance_scores(sums).mean_false_nm));
    EXPECT_TRUE(std::isnan(distance_scores(sums).largest_nm));
  }
  {  // apart: 0, not undefined
    masks.predicted(0, 0, 0) = 1;
    EXPECT_EQ(overlap_scores(compare_all(masks, {1, 1, 1}, {})).f1, 0);
  }
  {  // nothing counts
    Masks none{Array<std::uint8_t>(shape), Array<std::uint8_t>(shape), Array<std::uint8_t>(shape)};
    EXPECT_TRUE(std::isnan(overlap_scores(compare_all(none, {1, 1, 1}, {})).variation_of_information_bits));
  }
}

}  // namespace
}  // namespace organon::voxel
