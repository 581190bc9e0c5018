#include "organon/voxel/watershed.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"

namespace organon::voxel {
namespace {

constexpr std::array<Index3, 6> kNear = {
    {{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}}};

Array<std::uint16_t> row_of(std::initializer_list<std::uint16_t> values) {
  Array<std::uint16_t> array(Shape3{1, 1, static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), array.data());
  return array;
}

std::vector<std::uint32_t> basins_of(const Array<std::uint16_t>& values) {
  Array<std::uint32_t> labels(values.shape());
  watershed(values, labels);
  return {labels.data(), labels.data() + labels.size()};
}

// By the definition: plateaus by flooding, distances by repeated relaxation, then step by step.
Array<std::uint32_t> watershed_by_definition(const Array<std::uint16_t>& values) {
  const Shape3 shape = values.shape();
  const Box whole = Box::of_shape(shape);
  const BlockGrid voxels(whole, {1, 1, 1});
  constexpr int kFar = 1 << 28;
  std::vector<int> distance(static_cast<std::size_t>(values.size()), kFar);
  const auto at = [&](const Index3& index) -> int& {
    return distance[static_cast<std::size_t>(voxels.id_of(index))];
  };
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    for (std::int64_t i = 0; i < values.size(); ++i) {
      const Index3 index = voxels.position_of(i);
      if (values(index) == 0) continue;
      int best = at(index);
      for (const Index3& step : kNear) {
        const Index3 near = index + step;
        if (!whole.contains(near)) continue;
        if (values(near) > values(index)) best = 0;
        if (values(near) == values(index)) best = std::min(best, at(near) + 1);
      }
      is_changed = is_changed || best < at(index);
      at(index) = best;
    }
  }
  // The end of a voxel's way: the first voxel of its top.
  const auto end_of = [&](Index3 index) {
    while (at(index) != kFar) {
      Index3 best = index;
      for (const Index3& step : kNear) {
        const Index3 near = index + step;
        if (!whole.contains(near)) continue;
        if (at(index) == 0 ? values(near) > values(best)
                           : best == index && values(near) == values(index) && at(near) == at(index) - 1)
          best = near;
      }
      index = best;
    }
    std::set<std::int64_t> top = {voxels.id_of(index)};
    std::vector<Index3> open = {index};
    while (!open.empty()) {
      const Index3 from = open.back();
      open.pop_back();
      for (const Index3& step : kNear) {
        const Index3 near = from + step;
        if (whole.contains(near) && values(near) == values(from) && top.insert(voxels.id_of(near)).second)
          open.push_back(near);
      }
    }
    return *top.begin();
  };
  Array<std::uint32_t> labels(shape);
  std::map<std::int64_t, std::uint32_t> label_of_top;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const Index3 index = voxels.position_of(i);
    if (values(index) == 0) continue;
    labels(index) = label_of_top.try_emplace(end_of(index), label_of_top.size() + 1).first->second;
  }
  return labels;
}

Array<std::uint16_t> random_values(const Shape3& shape, std::uint64_t num_values, std::uint64_t seed) {
  Random random(seed);
  Array<std::uint16_t> values(shape);
  for (std::int64_t i = 0; i < values.size(); ++i)
    values.data()[i] = static_cast<std::uint16_t>(random.below(num_values));
  return values;
}

TEST(Watershed, EveryTopHasABasin) {
  EXPECT_EQ(basins_of(row_of({3, 4, 5, 4, 3, 6, 2})), (std::vector<std::uint32_t>{1, 1, 1, 1, 2, 2, 2}));
}

TEST(Watershed, ATopMayBeAPlateau) {
  EXPECT_EQ(basins_of(row_of({3, 4, 4, 2, 5, 5, 3})), (std::vector<std::uint32_t>{1, 1, 1, 2, 2, 2, 2}));
}

TEST(Watershed, APlateauIsSharedByTheWayToItsExits) {
  EXPECT_EQ(basins_of(row_of({9, 4, 4, 4, 4, 4, 8})), (std::vector<std::uint32_t>{1, 1, 1, 1, 2, 2, 2}))
      << "the middle is as far from both and takes the first";
}

TEST(Watershed, BackgroundParts) {
  EXPECT_EQ(basins_of(row_of({1, 2, 0, 2, 1})), (std::vector<std::uint32_t>{1, 1, 0, 2, 2}));
  EXPECT_EQ(basins_of(row_of({0, 0})), (std::vector<std::uint32_t>{0, 0}));
}

TEST(Watershed, EqualsTheDefinition) {
  std::uint64_t seed = 0;
  for (const Shape3& shape : {Shape3{5, 6, 7}, Shape3{1, 9, 8}, Shape3{7, 1, 1}, Shape3{8, 8, 8}}) {
    for (const std::uint64_t num_values : {2, 3, 5, 1000}) {
      for (int repeat = 0; repeat < 5; ++repeat) {
        const auto values = random_values(shape, num_values, ++seed);
        Array<std::uint32_t> labels(shape);
        const Components found = watershed(values, labels);
        const auto expected = watershed_by_definition(values);
        std::vector<std::int64_t> voxels(static_cast<std::size_t>(found.count()), 0);
        for (std::int64_t i = 0; i < labels.size(); ++i) {
          ASSERT_EQ(labels.data()[i], expected.data()[i]) << i << " of " << to_string(shape);
          if (labels.data()[i] != 0) ++voxels[labels.data()[i] - 1];
        }
        for (std::size_t i = 0; i < voxels.size(); ++i) EXPECT_EQ(found.components[i].voxels, voxels[i]);
      }
    }
  }
}

// A snail of equal values over many blocks, with one exit at its end: distances need a round per block.
TEST(Watershed, DistancesInRoundsOverBlocksEqualThoseOfTheWhole) {
  const Shape3 shape{3, 15, 15};
  Array<std::uint16_t> values(shape, 0);
  for (std::int64_t y = 0; y < 15; y += 2)
    for (std::int64_t x = 0; x < 15; ++x) values(1, y, x) = 7;
  for (std::int64_t y = 1; y < 15; y += 2) values(1, y, y % 4 == 1 ? 14 : 0) = 7;
  values(1, 14, 14) = 9;
  const Box whole = Box::of_shape(shape);
  Array<std::uint32_t> expected(shape);
  distances_to_exits({values, whole, whole, shape}, {}, expected);

  const BlockGrid blocks(whole, {2, 4, 4});
  std::vector<PlateauVoxel> known;
  std::vector<PlateauVoxel> before;
  int num_rounds = 0;
  do {
    before = known;
    known.clear();
    for (std::int64_t id = 0; id < blocks.count(); ++id) {
      const Box box = blocks.box_of(id);
      const Box read_box = box.grow(1).intersect(whole);
      const AscentBlock block{values.view().part(read_box), read_box, box, shape};
      Array<std::uint32_t> distance(box.shape());
      distances_to_exits(block, before, distance);
      const auto left = plateau_voxels_at_faces(block, distance);
      known.insert(known.end(), left.begin(), left.end());
    }
    std::sort(known.begin(), known.end(), [](auto& a, auto& b) { return a.voxel < b.voxel; });
    ++num_rounds;
  } while (known != before);
  EXPECT_GT(num_rounds, 10);
  for (const PlateauVoxel& one : known)
    EXPECT_EQ(one.distance_voxels, expected.data()[static_cast<std::int64_t>(one.voxel)]);
}

}  // namespace
}  // namespace organon::voxel
