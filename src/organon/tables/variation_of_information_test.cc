#include "organon/tables/variation_of_information.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "organon/base/random.h"

namespace organon::tables {
namespace {

TEST(VariationOfInformation, SplitsAndMergesByHand) {
  OverlapTable equal;
  equal.add(7, 1, 10);
  equal.add(8, 2, 6);
  equal.add(8, 0, 100);
  EXPECT_EQ(variation_of_information(equal).sum_bits(), 0);
  OverlapTable halves;
  halves.add(1, 5, 8);
  halves.add(2, 5, 8);
  EXPECT_DOUBLE_EQ(variation_of_information(halves).split_bits, 1);
  EXPECT_EQ(variation_of_information(halves).merge_bits, 0);
  OverlapTable merged;
  merged.add(1, 5, 8);
  merged.add(1, 6, 8);
  EXPECT_EQ(variation_of_information(merged).split_bits, 0);
  EXPECT_DOUBLE_EQ(variation_of_information(merged).merge_bits, 1);
  // Not segmented: background is one more object.
  OverlapTable missed;
  missed.add(0, 5, 8);
  missed.add(0, 6, 8);
  EXPECT_DOUBLE_EQ(variation_of_information(missed).merge_bits, 1);
}

TEST(VariationOfInformation, UndefinedWithoutTrueObjects) {
  OverlapTable table;
  table.add(3, 0, 5);
  EXPECT_TRUE(std::isnan(variation_of_information(table).split_bits));
  EXPECT_TRUE(std::isnan(variation_of_information(OverlapTable()).sum_bits()));
}

double entropy(const std::map<std::pair<ObjectId, ObjectId>, double>& counts, double all) {
  double bits = 0;
  for (const auto& [key, count] : counts) bits -= count / all * std::log2(count / all);
  return bits;
}

// Conditional entropies as differences of entropies, voxel by voxel.
TEST(VariationOfInformation, EqualsDifferencesOfEntropies) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    OverlapTable table;
    std::map<std::pair<ObjectId, ObjectId>, double> both, first, second;
    double all = 0;
    for (int voxel = 0; voxel < 500; ++voxel) {
      const ObjectId truth = random.below(6);
      const ObjectId segmented = random.uniform() < 0.6 ? truth * 10 : random.below(4);
      table.add(segmented, truth);
      if (truth == 0) continue;
      ++both[{segmented, truth}];
      ++first[{segmented, 0}];
      ++second[{0, truth}];
      ++all;
    }
    const VariationOfInformation result = variation_of_information(table);
    const double joint = entropy(both, all);
    EXPECT_NEAR(result.split_bits, joint - entropy(second, all), 1e-12);
    EXPECT_NEAR(result.merge_bits, joint - entropy(first, all), 1e-12);
    EXPECT_GT(result.split_bits, 0);
  }
}

}  // namespace
}  // namespace organon::tables
