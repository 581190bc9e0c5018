#include "organon/voxel/score_masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
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

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

// One slice: B in both sets, P predicted alone, T true alone, a point in neither, a blank does not count.
Masks draw(const std::vector<std::string>& rows) {
  const Shape3 shape{1, static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())};
  Masks masks{Array<std::uint8_t>(shape), Array<std::uint8_t>(shape), Array<std::uint8_t>(shape)};
  for (std::int64_t y = 0; y < shape.y; ++y) {
    for (std::int64_t x = 0; x < shape.x; ++x) {
      const char c = rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)];
      masks.predicted(0, y, x) = c == 'B' || c == 'P';
      masks.truth(0, y, x) = c == 'B' || c == 'T';
      masks.counted(0, y, x) = c != ' ';
    }
  }
  return masks;
}

// The table of metrics of the paper's evaluation code, by hand. Voxels measure 4 nm along y and 3 nm along x,
// so that the diagonal is 5 nm; clipped at 6 nm, tolerance 4 nm.
//
//     mixed   BBT.    P = 5, T = 3, both 2, either 6, counted 12. From P to T: 0, 0, 4, 4, sqrt(8^2 + 3^2);
//             PP..    from T to P: 0, 0, 3. Beyond the tolerance: one of P.
//             ...P
TEST(ScoreMasks, TableOfMetricsByHand) {
  const double far = std::sqrt(73.0);
  const double apart = std::sqrt(4.0 * 4 + 6 * 6);
  constexpr double kNone = kUndefined;
  const std::vector<std::vector<std::string>> drawings = {
      {"BBT.", "PP..", "...P"}, {"BB. ", "... "}, {"P.. ", "..T "}, {"BB"}, {"T. "}, {".P "}, {".. "}};
  struct Line {
    const char* metric;
    double (*value)(const OverlapScores&, const DistanceScores& whole, const DistanceScores& clipped);
    //                   mixed, equal, apart, all full, no P, no T, neither
    std::vector<double> expected;
  };
  using Overlap = const OverlapScores&;
  using Distance = const DistanceScores&;
  const std::vector<Line> table = {
      {"dice", [](Overlap o, Distance, Distance) { return o.f1; }, {0.5, 1, 0, 1, 0, 0, kNone}},
      {"jaccard", [](Overlap o, Distance, Distance) { return o.jaccard; }, {1. / 3, 1, 0, 1, 0, 0, kNone}},
      {"hausdorff",
       [](Overlap, Distance w, Distance) { return w.largest_nm; },
       {far, 0, apart, 0, kNone, kNone, 0}},
      {"false_negative_rate",
       [](Overlap o, Distance, Distance) { return o.false_negative_rate; },
       {1. / 3, 0, 1, 0, kNone, kNone, kNone}},
      {"false_positive_rate",
       [](Overlap o, Distance, Distance) { return o.false_positive_rate; },
       {3. / 9, 0, 1. / 5, kNone, kNone, kNone, kNone}},
      {"false_discovery_rate",
       [](Overlap o, Distance, Distance) { return o.false_discovery_rate; },
       {3. / 5, 0, 1, 0, 0, 1, kNone}},
      {"mean_false_positive_distance",
       [](Overlap, Distance w, Distance) { return w.mean_false_positive_nm; },
       {(8 + far) / 5, 0, apart, 0, kNone, kNone, kNone}},
      {"mean_false_negative_distance",
       [](Overlap, Distance w, Distance) { return w.mean_false_negative_nm; },
       {1, 0, apart, 0, kNone, kNone, kNone}},
      {"mean_false_distance",
       [](Overlap, Distance w, Distance) { return w.mean_false_nm; },
       {(8 + far) / 10 + 0.5, 0, apart, 0, kNone, kNone, kNone}},
      {"mean_false_positive_distance_clipped",
       [](Overlap, Distance, Distance c) { return c.mean_false_positive_nm; },
       {14. / 5, 0, 6, 0, kNone, kNone, kNone}},
      {"mean_false_negative_distance_clipped",
       [](Overlap, Distance, Distance c) { return c.mean_false_negative_nm; },
       {1, 0, 6, 0, kNone, kNone, kNone}},
      {"mean_false_distance_clipped",
       [](Overlap, Distance, Distance c) { return c.mean_false_nm; },
       {1.9, 0, 6, 0, kNone, kNone, kNone}},
      {"false_positive_rate_with_tolerance",
       [](Overlap o, Distance, Distance) { return o.false_positive_rate_tolerant; },
       {1. / 9, 0, 1. / 5, kNone, kNone, kNone, kNone}},
      {"false_negative_rate_with_tolerance",
       [](Overlap o, Distance, Distance) { return o.false_negative_rate_tolerant; },
       {0, 0, 1, 0, kNone, kNone, kNone}},
      {"precision",
       [](Overlap o, Distance, Distance) { return o.precision; },
       {2. / 5, 1, 0, 1, kNone, kNone, kNone}},
      {"recall",
       [](Overlap o, Distance, Distance) { return o.recall; },
       {2. / 3, 1, 0, 1, kNone, kNone, kNone}},
      {"precision_with_tolerance",
       [](Overlap o, Distance, Distance) { return o.precision_tolerant; },
       {5. / 6, 1, 0, 1, kNone, kNone, kNone}},
      {"recall_with_tolerance",
       [](Overlap o, Distance, Distance) { return o.recall_tolerant; },
       {1, 1, 0, 1, kNone, kNone, kNone}},
      {"f1_score_with_tolerance",
       [](Overlap o, Distance, Distance) { return o.f1_tolerant; },
       {10. / 11, 1, kNone, 1, kNone, kNone, kNone}},
      // mixed: 2 H(2, 3, 1, 6 of 12) - H(5 of 12) - H(3 of 12); apart: 2 H(1, 1, 4 of 6) - 2 H(1 of 6).
      {"voi",
       [](Overlap o, Distance, Distance) { return o.variation_of_information_bits; },
       {1.668001, 0, 1.203213, 0, kNone, kNone, kNone}},
  };
  for (std::size_t i = 0; i < drawings.size(); ++i) {
    const Masks masks = draw(drawings[i]);
    const AgreementSums sums = compare_all(masks, {8, 4, 3}, {6, 4});
    const OverlapScores overlap = overlap_scores(sums);
    const DistanceScores clipped = distance_scores(sums);
    const DistanceScores whole = distance_scores(compare_all(masks, {8, 4, 3}, {kInfinity, 4}));
    for (const Line& line : table) {
      ASSERT_EQ(line.expected.size(), drawings.size());
      const double value = line.value(overlap, whole, clipped);
      if (std::isnan(line.expected[i])) {
        EXPECT_TRUE(std::isnan(value)) << line.metric << " of drawing " << i << " is " << value;
      } else {
        // Distances are rounded to 1/1024 nm.
        EXPECT_NEAR(value, line.expected[i], 0.5 / 1024) << line.metric << " of drawing " << i;
      }
    }
  }
}

TEST(ScoreMasks, NothingIsDefinedWhereNothingCounts) {
  const AgreementSums sums = compare_all(draw({"   ", "   "}), {1, 1, 1}, {});
  const OverlapScores scores = overlap_scores(sums);
  for (const double score : {scores.f1, scores.jaccard, scores.precision, scores.false_discovery_rate,
                             scores.variation_of_information_bits})
    EXPECT_TRUE(std::isnan(score));
}

}  // namespace
}  // namespace organon::voxel
