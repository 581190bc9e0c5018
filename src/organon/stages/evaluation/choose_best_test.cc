#include "organon/stages/evaluation/choose_best.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "organon/base/random.h"

namespace organon::stages {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::size_t kF1 = metric_index("f1");
const std::size_t kDistance = metric_index("mean_false_distance_nm");

ScoredRow make_row(const std::string& setup, std::int64_t iteration, const std::string& dataset,
                   const std::string& crop, double f1, double distance_nm = kNan) {
  ScoredRow row;
  row.label = "er";
  row.setup = setup;
  row.iteration = iteration;
  row.dataset = dataset;
  row.crop = crop;
  row.threshold = 127;
  row.values.assign(metrics().size(), std::nullopt);
  row.values[kF1] = f1;
  row.values[kDistance] = distance_nm;
  return row;
}

RowList list_of(const std::vector<ScoredRow>& rows, const ChoiceQuery& query) {
  RowList list;
  for (const ScoredRow& row : rows)
    if (query.takes(row)) list.push_back(&row);
  return list;
}

//              hela 1   hela 2   jurkat 3     mean
//    a @ 10      0.9      0.5       -         0.7
//    a @ 20      0.8      0.6      0.1        0.5
//    b @ 10      0.6      0.8      0.7        0.7
//    b @ 30      0.5     (NaN)     0.8        0.65
const std::vector<ScoredRow> kTable = {
    make_row("a", 10, "hela", "1", 0.9),   make_row("a", 10, "hela", "2", 0.5),
    make_row("a", 20, "hela", "1", 0.8),   make_row("a", 20, "hela", "2", 0.6),
    make_row("a", 20, "jurkat", "3", 0.1), make_row("b", 10, "hela", "1", 0.6),
    make_row("b", 10, "hela", "2", 0.8),   make_row("b", 10, "jurkat", "3", 0.7),
    make_row("b", 30, "hela", "1", 0.5),   make_row("b", 30, "hela", "2", kNan),
    make_row("b", 30, "jurkat", "3", 0.8)};

TEST(ChooseBest, TableByHand) {
  const ChoiceQuery query{kF1};
  const RowList rows = list_of(kTable, query);
  const auto scores = mean_scores(rows, query);
  ASSERT_EQ(scores.size(), 4U);
  EXPECT_EQ(scores[0], (MeanScore{{10, "a", ""}, 0.7, 2}));
  EXPECT_EQ(scores[1], (MeanScore{{10, "b", ""}, 0.7, 3}));
  EXPECT_EQ(scores[2], (MeanScore{{20, "a", ""}, 0.5, 3}));
  EXPECT_EQ(scores[3], (MeanScore{{30, "b", ""}, 0.65, 2}));
  // a and b are equal at iteration 10: the lexically smaller.
  EXPECT_EQ(best_score(scores, query)->candidate, (Candidate{10, "a", ""}));

  const auto crops = choose_by_crop(rows, query);
  ASSERT_EQ(crops.size(), 3U);
  EXPECT_EQ(crops[0].crop, "1");
  EXPECT_EQ(crops[0].validation, (MeanScore{{10, "a", ""}, 0.9, 1}));
  // Chosen on jurkat alone: b @ 30 has 0.8 there; hela's own crops stay together.
  EXPECT_EQ(crops[0].test, (Candidate{30, "b", ""}));
  EXPECT_EQ(crops[0].test_score, 0.5);
  EXPECT_EQ(crops[1].validation, (MeanScore{{10, "b", ""}, 0.8, 1}));
  EXPECT_EQ(crops[1].test, (Candidate{30, "b", ""}));
  EXPECT_FALSE(crops[1].test_score) << "b @ 30 is undefined on crop 2";
  EXPECT_EQ(crops[2].validation, (MeanScore{{30, "b", ""}, 0.8, 1}));
  // On hela a @ 10, a @ 20 and b @ 10 all have 0.7; the smallest iteration, then set-up; a @ 10 lacks crop 3.
  EXPECT_EQ(crops[2].test, (Candidate{10, "a", ""}));
  EXPECT_FALSE(crops[2].test_score);
}

TEST(ChooseBest, DistancesAreBetterWhenLower) {
  const ChoiceQuery query{kDistance};
  const std::vector<ScoredRow> table = {
      make_row("a", 10, "d", "1", 1, 30), make_row("a", 20, "d", "1", 1, 20),
      make_row("a", 30, "d", "1", 1, 20), make_row("a", 40, "d", "1", 1, kNan)};
  const RowList rows = list_of(table, query);
  EXPECT_EQ(best_score(mean_scores(rows, query), query), (MeanScore{{20, "a", ""}, 20, 1}));
  const auto crops = choose_by_crop(rows, query);
  ASSERT_EQ(crops.size(), 1U);
  EXPECT_FALSE(crops[0].test) << "there is no other dataset";
}

TEST(ChooseBest, QueriesTakeTheirThresholdAndParametersOnly) {
  ScoredRow row = make_row("a", 1, "d", "1", 0.5);
  EXPECT_TRUE((ChoiceQuery{kF1, 127}).takes(row));
  EXPECT_FALSE((ChoiceQuery{kF1, 128}).takes(row));
  row.threshold = kNan;
  EXPECT_TRUE((ChoiceQuery{kF1, 128}).takes(row)) << "labels";
  row.refined = true;
  EXPECT_FALSE((ChoiceQuery{kF1, 127}).takes(row));
  EXPECT_TRUE((ChoiceQuery{kF1, 127}).takes_refined(row));
  row = make_row("a", 1, "d", "1", 0.5);
  const std::size_t clipped = metric_index("mean_false_distance_clipped_nm");
  row.values[clipped] = 3;
  row.clip_distance_nm = 200;
  EXPECT_TRUE((ChoiceQuery{clipped, 127, 200, 40}).takes(row));
  EXPECT_FALSE((ChoiceQuery{clipped, 127, 100, 40}).takes(row));
  EXPECT_FALSE((ChoiceQuery{kDistance}).takes(row)) << "undefined";
}

// The rules told once more, in the plainest way: for each crop look at all rows anew.
TEST(ChooseBest, EqualsThePlainestWayOnRandomTables) {
  std::size_t tests = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    std::vector<ScoredRow> table;
    std::set<std::tuple<std::string, std::int64_t, std::string>> seen;
    for (int i = 0; i < 60; ++i) {
      const std::string setup(1, static_cast<char>('a' + random.below(3)));
      const auto iteration = static_cast<std::int64_t>(5 * random.below(4));
      const std::string crop(1, static_cast<char>('1' + random.below(6)));
      if (!seen.insert({setup, iteration, crop}).second) continue;
      // Few values, so that there are ties; crops 1 to 3 are of one dataset.
      const double score = random.uniform() < 0.2 ? kNan : static_cast<double>(random.below(5)) / 10;
      table.push_back(make_row(setup, iteration, crop <= "3" ? "x" : "data" + crop, crop, score, 10 * score));
    }
    for (const std::size_t metric : {kF1, kDistance}) {
      const ChoiceQuery query{metric};
      const double sign = metric == kF1 ? 1 : -1;
      const auto plainest = [&](auto is_used) -> std::optional<Candidate> {
        std::optional<Candidate> best;
        double best_mean = 0;
        for (const std::int64_t iteration : {0, 5, 10, 15}) {
          for (const std::string setup : {"a", "b", "c"}) {
            double sum = 0, count = 0;
            for (const ScoredRow& row : table) {
              if (row.setup != setup || row.iteration != iteration || !is_used(row)) continue;
              if (std::isnan(row.value(metric))) continue;
              sum += std::round(row.value(metric) * 1e6);
              ++count;
            }
            if (count == 0) continue;
            if (best && sign * sum / count <= best_mean) continue;
            best_mean = sign * sum / count;
            best = Candidate{iteration, setup, ""};
          }
        }
        return best;
      };
      const RowList rows = list_of(table, query);
      const auto best = best_score(mean_scores(rows, query), query);
      ASSERT_EQ(best->candidate, *plainest([](const ScoredRow&) { return true; }));
      for (const CropChoice& choice : choose_by_crop(rows, query)) {
        ASSERT_EQ(choice.validation->candidate,
                  *plainest([&](const ScoredRow& row) { return row.crop == choice.crop; }));
        ASSERT_EQ(choice.test, plainest([&](const ScoredRow& row) { return row.dataset != choice.dataset; }));
        if (!choice.test) continue;
        std::optional<double> score;
        for (const ScoredRow& row : table)
          if (row.crop == choice.crop && row.setup == choice.test->setup &&
              row.iteration == choice.test->iteration && !std::isnan(row.value(metric)))
            score = row.value(metric);
        ASSERT_EQ(choice.test_score.has_value(), score.has_value());
        if (score) {
          ASSERT_DOUBLE_EQ(*choice.test_score, *score);
        }
        ++tests;
      }
    }
  }
  EXPECT_GT(tests, 300U);
}

TEST(ChooseBest, ChoicesDoNotDependOnTheOrderOfRows) {
  const ChoiceQuery query{kF1};
  std::vector<ScoredRow> turned(kTable.rbegin(), kTable.rend());
  const auto forward = choose_by_crop(list_of(kTable, query), query);
  const auto backward = choose_by_crop(list_of(turned, query), query);
  ASSERT_EQ(forward.size(), backward.size());
  for (std::size_t i = 0; i < forward.size(); ++i) {
    EXPECT_EQ(forward[i].validation, backward[i].validation);
    EXPECT_EQ(forward[i].test, backward[i].test);
  }
}

TEST(ChooseBest, TrainingStopsWhereBothScoresDecline) {
  const StopRule rule{0, 50, 70, 200};
  const auto stop = [&](const std::vector<Checkpoint>& checkpoints) { return find_stop(checkpoints, rule); };
  // Distance declines at once, F1 after 30: both at 50.
  const Stop both =
      stop({{10, 0.1, 5}, {20, 0.3, 6}, {30, 0.5, 7}, {40, 0.4, 8}, {50, 0.4, 9}, {60, 0.9, 1}});
  EXPECT_EQ(both.reason, StopReason::kConverged);
  EXPECT_EQ(both.iteration, 50);
  EXPECT_EQ(both.use_up_to, 70) << "used at least so far";
  // A single worse checkpoint is none, nor is F1 alone.
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0.4, 6}, {30, 0.5, 5}, {40, 0.4, 6}}).reason, StopReason::kNotYet);
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0.4, 4}, {30, 0.3, 3}}).reason, StopReason::kNotYet);
  EXPECT_FALSE(stop({{10, 0.5, 5}, {20, 0.4, 4}, {30, 0.3, 3}}).use_up_to);
  // The second may be as bad as the first, not the first as good as what was before.
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0.4, 6}, {30, 0.4, 6}}).reason, StopReason::kConverged);
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0.5, 5}, {30, 0.4, 6}}).reason, StopReason::kNotYet);
  // Nothing above the threshold any more is a decline.
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0, kNan}, {30, 0, kNan}}).reason, StopReason::kConverged);
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0.4, 6}, {30, 0, kNan}}).reason, StopReason::kConverged);
  EXPECT_EQ(stop({{10, 0.5, 5}, {20, 0, kNan}, {30, 0.6, 4}}).reason, StopReason::kNotYet);
}

TEST(ChooseBest, TrainingStopsWithoutResultsAndAtTheCap) {
  const StopRule rule{20, 40, 70, 80};
  const Stop nothing = find_stop({{20, 0, kNan}, {30, 0.5, 3}, {40, 0, kNan}, {60, 0.5, 3}}, rule);
  EXPECT_EQ(nothing.reason, StopReason::kNotShown) << "30 is no multiple of 20";
  EXPECT_EQ(nothing.iteration, 40);
  EXPECT_EQ(nothing.use_up_to, 40);
  EXPECT_EQ(find_stop({{20, 0, kNan}}, rule).reason, StopReason::kNotYet) << "it may still come";
  const Stop cap = find_stop({{20, 0.5, 3}, {40, 0.6, 2}, {60, 0.7, 2}, {80, 0.8, 1}, {100, 0.9, 1}}, rule);
  EXPECT_EQ(cap.reason, StopReason::kCap);
  EXPECT_EQ(cap.iteration, 80);
  EXPECT_EQ(cap.use_up_to, 80);
  const Stop none = find_stop({{-1, 0.5, 3}}, rule);
  EXPECT_EQ(none.reason, StopReason::kNotYet);
  EXPECT_EQ(none.iteration, -1);
}

TEST(ChooseBest, CheckpointsAreMeansOverCrops) {
  std::vector<ScoredRow> table = {make_row("a", 20, "d", "1", 0.4, kNan), make_row("a", 10, "d", "1", 0.2, 4),
                                  make_row("a", 10, "d", "2", 0.4, 8),
                                  make_row("a", 20, "d", "2", 0.6, kNan)};
  table.push_back(make_row("a", 20, "d", "3", 0.5));
  table.back().refined = true;
  const std::size_t clipped = metric_index("mean_false_distance_clipped_nm");
  table[1].values[kDistance].reset();
  table[1].values[clipped] = 2;
  RowList rows;
  for (const ScoredRow& row : table) rows.push_back(&row);
  const auto checkpoints = checkpoints_of(rows, ChoiceQuery{kF1});
  ASSERT_EQ(checkpoints.size(), 2U);
  EXPECT_EQ(checkpoints[0].iteration, 10);
  EXPECT_DOUBLE_EQ(checkpoints[0].f1, 0.3);
  EXPECT_DOUBLE_EQ(checkpoints[0].mean_false_distance_nm, 5) << "one clipped, for want of the other";
  EXPECT_DOUBLE_EQ(checkpoints[1].f1, 0.5);
  EXPECT_TRUE(std::isnan(checkpoints[1].mean_false_distance_nm));
}

TEST(ChooseBest, RefinedRowsMeetTheirPredictions) {
  std::vector<ScoredRow> table = kTable;
  table.push_back(make_row("a", 10, "hela", "1", 0.95));
  table.back().refined = true;
  table.back().threshold = kNan;
  table.push_back(make_row("a", 10, "jurkat", "3", 0.5));
  table.back().refined = true;
  const auto pairs = pair_refined(table, ChoiceQuery{kF1});
  ASSERT_EQ(pairs.size(), 1U) << "a @ 10 has no prediction on crop 3";
  EXPECT_EQ(pairs[0].label, "er");
  EXPECT_EQ(pairs[0].candidate, (Candidate{10, "a", ""}));
  EXPECT_EQ(pairs[0].crop, "1");
  EXPECT_DOUBLE_EQ(pairs[0].prediction_score, 0.9);
  EXPECT_DOUBLE_EQ(pairs[0].refined_score, 0.95);
}

}  // namespace
}  // namespace organon::stages
