#include "organon/voxel/union_find.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

namespace organon::voxel {
namespace {

TEST(UnionFind, RootIsTheSmallestMemberInAnyOrderOfPairs) {
  std::mt19937 random(4);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pairs;
  for (int i = 0; i < 150; ++i) pairs.emplace_back(random() % 200, random() % 200);
  // The twin: spread the smallest number until nothing changes.
  std::vector<std::uint64_t> smallest(200);
  for (std::size_t i = 0; i < 200; ++i) smallest[i] = i;
  for (int round = 0; round < 200; ++round) {
    for (const auto& [a, b] : pairs) smallest[a] = smallest[b] = std::min(smallest[a], smallest[b]);
  }
  for (int order = 0; order < 5; ++order) {
    std::shuffle(pairs.begin(), pairs.end(), random);
    UnionFind<std::uint64_t> sets(200);
    for (const auto& [a, b] : pairs) sets.unite(a, b);
    for (std::uint64_t i = 0; i < 200; ++i) {
      ASSERT_EQ(sets.find(i), smallest[i]);
      ASSERT_EQ(sets.is_root(i), smallest[i] == i);
    }
  }
}

TEST(UnionFind, GrowsByOneMemberAtATime) {
  UnionFind<std::uint32_t> sets;
  EXPECT_EQ(sets.add(), 0u);
  EXPECT_EQ(sets.add(), 1u);
  EXPECT_EQ(sets.unite(1, 0), 0u);
  EXPECT_EQ(sets.find(1), 0u);
  EXPECT_EQ(sets.size(), 2u);
}

TEST(UnionFind, NumbersSetsInOrderOfTheirRoots) {
  UnionFind<std::uint32_t> sets(5);
  sets.unite(1, 4);
  sets.unite(2, 3);
  std::uint32_t num_sets = 0;
  EXPECT_EQ(std::move(sets).numbered(num_sets), (VoxelVector<std::uint32_t>{1, 2, 3, 3, 2}));
  EXPECT_EQ(num_sets, 3u);
}

}  // namespace
}  // namespace organon::voxel
