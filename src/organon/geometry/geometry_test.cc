#include <gtest/gtest.h>

#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"
#include "organon/geometry/voxel_grid.h"

namespace organon {
namespace {

TEST(IntegerDivision, RoundsTowardsTheNamedSideForNegativesToo) {
  EXPECT_EQ(floor_divide(-1, 4), -1);
  EXPECT_EQ(ceil_divide(-1, 4), 0);
  EXPECT_EQ(floor_divide(7, 4), 1);
  EXPECT_EQ(ceil_divide(8, 4), 2);
}

TEST(Box, EmptyBoxesHaveNoVolumeAndAreContained) {
  const Box empty{{5, 5, 5}, {4, 9, 9}};
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.volume(), 0);
  EXPECT_TRUE(Box::of_shape({1, 1, 1}).contains(empty));
}

TEST(BlockGrid, ClippedLastBlockIsNotSkipped) {
  const BlockGrid grid(Box::of_shape({10, 10, 10}), {4, 4, 4});
  EXPECT_EQ(grid.num_cells(), (Shape3{3, 3, 3}));
  EXPECT_EQ(grid.box_of(Index3{2, 2, 2}), (Box{{8, 8, 8}, {10, 10, 10}}));
}

TEST(BlockGrid, CellsOfAPartAreCellsOfTheWhole) {
  const BlockGrid part(Box{{5, 0, 0}, {10, 4, 4}}, {4, 4, 4});
  EXPECT_EQ(part.box_of(Index3{0, 0, 0}), (Box{{5, 0, 0}, {8, 4, 4}}));
  EXPECT_EQ(part.box_of(Index3{1, 0, 0}), (Box{{8, 0, 0}, {10, 4, 4}}));
}

TEST(BlockGrid, CellsPartitionTheDomain) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    const auto any = [&](std::int64_t limit) {
      return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(limit)));
    };
    const Box domain =
        Box::at({any(20) - 10, any(20) - 10, any(20) - 10}, {any(9) + 1, any(9) + 1, any(9) + 1});
    const BlockGrid grid(domain, {any(5) + 1, any(5) + 1, any(5) + 1});
    std::int64_t volume = 0;
    for (std::int64_t id = 0; id < grid.count(); ++id) {
      const Box box = grid.box_of(id);
      ASSERT_FALSE(box.empty());
      ASSERT_EQ(grid.id_of(grid.position_of(id)), id);
      ASSERT_EQ(grid.position_containing(box.begin), grid.position_of(id));
      ASSERT_TRUE(grid.is_union_of_cells(box));
      volume += box.volume();
    }
    EXPECT_EQ(volume, domain.volume());
  }
}

TEST(VoxelGrid, DownsamplingMovesTheOffsetByHalfVoxels) {
  const VoxelGrid grid{{4, 4, 8}, {10, 0, 0}};
  const VoxelGrid coarse = grid.downsampled({2, 1, 4});
  EXPECT_EQ(coarse.voxel_size_nm, (SizeNm{8, 4, 32}));
  EXPECT_EQ(coarse.offset_nm, (PointNm{12, 0, 12}));
}

TEST(VoxelGrid, RefinedIsTheInverseOfDownsampled) {
  const VoxelGrid grid{{8, 4, 6}, {100, -20, 3}};
  EXPECT_EQ(grid.refined({2, 2, 2}), (VoxelGrid{{4, 2, 3}, {98, -21, 1.5}}));
  const VoxelGrid back = grid.refined({2, 4, 1}).downsampled({2, 4, 1});
  EXPECT_EQ(back, grid);
}

TEST(VoxelGrid, VoxelContainingInvertsToNm) {
  const VoxelGrid grid{{3.24, 4, 4}, {-7, 100, 0.5}};
  for (const Index3 index : {Index3{0, 0, 0}, Index3{-3, 5, 1000}}) {
    EXPECT_EQ(grid.voxel_containing(grid.to_nm(index)), index);
  }
}

}  // namespace
}  // namespace organon
