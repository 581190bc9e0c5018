#include "organon/tables/match_objects.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "organon/base/random.h"

namespace organon::tables {
namespace {

TEST(MatchObjects, EqualsComparingAllPairsVoxelByVoxel) {
  std::uint64_t matched = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    std::vector<std::pair<ObjectId, ObjectId>> voxels;
    // Runs of a true object, of which the segmentation keeps most, some or none.
    for (ObjectId id = 1; id < 12; ++id) {
      const double kept = random.uniform();
      for (std::uint64_t i = 0, n = 1 + random.below(20); i < n; ++i)
        voxels.emplace_back(random.uniform() < kept ? 100 + id : random.below(4),
                            random.below(9) == 0 ? 0 : id);
    }
    OverlapTable table;
    std::set<ObjectId> segmented, truth;
    for (const auto& [a, b] : voxels) {
      table.add(a, b);
      if (a != 0) segmented.insert(a);
      if (b != 0) truth.insert(b);
    }
    std::uint64_t tp = 0;
    std::vector<ObjectPair> pairs;
    double sum = 0;
    for (const ObjectId a : segmented) {
      for (const ObjectId b : truth) {
        double both = 0, either = 0;
        for (const auto& [va, vb] : voxels) {
          both += va == a && vb == b;
          either += va == a || vb == b;
        }
        if (both / either > 0.5) {
          ++tp;
          pairs.push_back({a, b});
          sum += both / either;
        }
      }
    }
    const ObjectMatches matches = match_objects(table);
    ASSERT_EQ(matches.true_positives, tp);
    ASSERT_EQ(matches.false_positives, segmented.size() - tp);
    ASSERT_EQ(matches.false_negatives, truth.size() - tp);
    ASSERT_EQ(matches.pairs, pairs);
    ASSERT_NEAR(matches.sum_of_matched_iou, sum, 1e-12);
    matched += tp;
  }
  EXPECT_GT(matched, 50U);
}

TEST(MatchObjects, HalfIsNotEnoughAndNothingIsUndefined) {
  OverlapTable table;
  table.add(1, 1, 5);
  table.add(1, 0, 5);
  EXPECT_EQ(match_objects(table).true_positives, 0U);
  EXPECT_EQ(match_objects(table).f1(), 0);
  OverlapTable background;
  background.add(0, 0, 8);
  EXPECT_TRUE(std::isnan(match_objects(background).f1()));
  EXPECT_TRUE(std::isnan(match_objects(background).mean_matched_iou()));
}

}  // namespace
}  // namespace organon::tables
