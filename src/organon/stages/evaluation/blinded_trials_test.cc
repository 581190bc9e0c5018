#include "organon/stages/evaluation/blinded_trials.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "organon/base/error.h"

namespace organon::stages {
namespace {

TEST(TwoSidedBinomial, AgreesWithTables) {
  // Fractions of whole numbers, rounded once.
  struct Case {
    std::int64_t a;
    std::int64_t b;
    double p;
  };
  for (const auto& [a, b, p] :
       {Case{0, 0, 1.0}, Case{1, 0, 1.0}, Case{0, 2, 0.5}, Case{3, 0, 0.25}, Case{5, 0, 0.0625},
        Case{1, 9, 0.021484375}, Case{10, 2, 0.03857421875}, Case{40, 60, 0.056887933640980784},
        Case{61, 39, 0.03520020021770479}, Case{50, 50, 1.0}}) {
    EXPECT_NEAR(two_sided_binomial(a, b), p, 1e-12 * p) << a << " " << b;
    EXPECT_EQ(two_sided_binomial(a, b), two_sided_binomial(b, a));
  }
}

// All ways to throw n coins, counted in Pascal's triangle; exact below 2^53.
TEST(TwoSidedBinomial, CountsAllWaysToThrowCoins) {
  std::vector<double> row = {1};
  for (std::int64_t n = 0; n <= 50; ++n) {
    double tail = 0;
    for (std::int64_t a = 0; 2 * a <= n; ++a) {
      tail += row[static_cast<std::size_t>(a)];
      const double expected = std::min(1.0, 2 * std::ldexp(tail, -static_cast<int>(n)));
      EXPECT_NEAR(two_sided_binomial(a, n - a), expected, 1e-12 * expected) << a << " of " << n;
    }
    std::vector<double> next(row.size() + 1, 1);
    for (std::size_t i = 1; i < row.size(); ++i) next[i] = row[i - 1] + row[i];
    row = next;
  }
}

// Probabilities instead of counts, row by row, for as many throws as nobody will answer trials.
TEST(TwoSidedBinomial, HoldsForThousands) {
  constexpr std::int64_t kThrows = 5000;
  std::vector<long double> chance = {1};
  for (std::int64_t n = 0; n < kThrows; ++n) {
    std::vector<long double> next(chance.size() + 1, 0);
    for (std::size_t i = 0; i < chance.size(); ++i) {
      next[i] += chance[i] / 2;
      next[i + 1] += chance[i] / 2;
    }
    chance = std::move(next);
  }
  long double tail = 0;
  for (std::int64_t a = 0; 2 * a <= kThrows; ++a) {
    tail += chance[static_cast<std::size_t>(a)];
    const double expected = static_cast<double>(std::min(1.0L, 2 * tail));
    if (expected < 1e-300) continue;
    ASSERT_NEAR(two_sided_binomial(a, kThrows - a), expected, 1e-10 * expected) << a;
  }
  EXPECT_EQ(two_sided_binomial(0, 100'000), 0);
}

TEST(Verdicts, AreNamed) {
  for (const Verdict verdict : {Verdict::kLeft, Verdict::kRight, Verdict::kBothGood, Verdict::kBothBad})
    EXPECT_EQ(verdict_of(to_string(verdict)), verdict);
  EXPECT_THROW(verdict_of("both"), Error);
}

TEST(BlindedTrials, SeedAloneDecides) {
  const BlindedTrials trials(7);
  const BlindedTrials same(7);
  const BlindedTrials other(8);
  int num_equal = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    EXPECT_EQ(trials.left_of(trial), same.left_of(trial));
    num_equal += static_cast<int>(trials.left_of(trial) == other.left_of(trial));
  }
  EXPECT_GT(num_equal, 60);
  EXPECT_LT(num_equal, 140);
}

TEST(BlindedTrials, SidesAndDealingAreFairAndTellNothingOfEachOther) {
  const BlindedTrials trials(0);
  constexpr std::uint64_t kTrials = 4000;
  std::map<std::pair<Contender, Contender>, int> counts;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial)
    ++counts[{trials.left_of(trial), trials.counted_for(trial, Verdict::kBothGood)}];
  // A quarter each, to five standard deviations (27 of 1000).
  for (const auto& [pair, count] : counts) EXPECT_NEAR(count, 1000, 137);
  EXPECT_EQ(counts.size(), 4U);
}

TEST(BlindedTrials, PreferencesCountForWhoIsShownThere) {
  const BlindedTrials trials(3);
  for (std::uint64_t trial = 0; trial < 50; ++trial) {
    EXPECT_EQ(trials.counted_for(trial, Verdict::kLeft), trials.left_of(trial));
    EXPECT_NE(trials.counted_for(trial, Verdict::kRight), trials.left_of(trial));
  }
}

TEST(BlindedTrials, BoxesLieUniformlyInTheDomain) {
  const BlindedTrials trials(11);
  const Box domain{{10, -5, 3}, {14, 1, 8}};
  const Shape3 shape{2, 3, 5};
  std::map<std::int64_t, int> by_z;
  std::set<std::int64_t> ys;
  for (std::uint64_t trial = 0; trial < 3000; ++trial) {
    const Box box = trials.draw_box(trial, domain, shape, 1, [](const Box&) { return true; });
    EXPECT_EQ(box.shape(), shape);
    EXPECT_TRUE(domain.contains(box));
    ++by_z[box.begin.z];
    ys.insert(box.begin.y);
  }
  ASSERT_EQ(by_z.size(), 3U);
  // A third each, to five standard deviations (26 of 1000).
  for (const auto& [z, count] : by_z) EXPECT_NEAR(count, 1000, 130) << z;
  EXPECT_EQ(ys, (std::set<std::int64_t>{-5, -4, -3, -2}));
}

TEST(BlindedTrials, TheFirstBoxThatIsTakenIsDrawn) {
  const BlindedTrials trials(5);
  std::vector<Box> asked;
  const Box box = trials.draw_box(2, Box::of_shape({50, 50, 50}), {4, 4, 4}, 1000, [&](const Box& one) {
    asked.push_back(one);
    return one.begin.x > 30;
  });
  EXPECT_EQ(asked.back(), box);
  EXPECT_GT(box.begin.x, 30);
  for (std::size_t i = 0; i + 1 < asked.size(); ++i) EXPECT_LE(asked[i].begin.x, 30);
}

TEST(BlindedTrials, WhatCannotBeDrawnIsToldApart) {
  const BlindedTrials trials(5);
  const auto message = [&](const Shape3& shape) {
    try {
      trials.draw_box(0, Box::of_shape({8, 8, 8}), shape, 20, [](const Box&) { return false; });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.message();
    }
    return std::string();
  };
  EXPECT_NE(message({8, 9, 8}).find("do not fit"), std::string::npos);
  EXPECT_NE(message({8, 8, 8}).find("of 20 random boxes"), std::string::npos);
}

TEST(CubeShape, IsACubeInNanometres) {
  EXPECT_EQ(cube_shape(150, {4, 4, 4}), (Shape3{150, 150, 150}));
  EXPECT_EQ(cube_shape(150, {8, 4, 4}), (Shape3{75, 150, 150}));
  EXPECT_EQ(cube_shape(10, {3, 4, 7}), (Shape3{10, 8, 4}));
  EXPECT_EQ(cube_shape(1, {100, 4, 4}), (Shape3{1, 1, 1}));
}

}  // namespace
}  // namespace organon::stages
