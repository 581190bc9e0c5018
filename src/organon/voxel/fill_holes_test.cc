#include "organon/voxel/fill_holes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

/// Flood fill of each background component, looking at all 26 neighbours of each voxel.
template <class Id>
Array<Id> fill_twin(const Array<Id>& labels) {
  const Shape3 shape = labels.shape();
  const Box volume = Box::of_shape(shape);
  Array<Id> result = labels.clone();
  Array<std::uint8_t> seen(shape);
  for (std::int64_t start = 0; start < labels.size(); ++start) {
    if (labels.data()[start] != 0 || seen.data()[start] != 0) continue;
    std::vector<Index3> component = {
        {start / (shape.y * shape.x), start / shape.x % shape.y, start % shape.x}};
    seen.data()[start] = 1;
    std::set<Id> met;
    bool touches_edge = false;
    for (std::size_t i = 0; i < component.size(); ++i) {
      for (std::int64_t z = -1; z <= 1; ++z) {
        for (std::int64_t y = -1; y <= 1; ++y) {
          for (std::int64_t x = -1; x <= 1; ++x) {
            const Index3 near = component[i] + Index3{z, y, x};
            if (!volume.contains(near)) {
              touches_edge = true;
            } else if (labels(near) != 0) {
              met.insert(labels(near));
            } else if (std::abs(z) + std::abs(y) + std::abs(x) == 1 && seen(near) == 0) {
              seen(near) = 1;
              component.push_back(near);
            }
          }
        }
      }
    }
    if (touches_edge || met.size() != 1) continue;
    for (const Index3& voxel : component) result(voxel) = *met.begin();
  }
  return result;
}

/// Mostly of one id, with background, so that there are holes of all sorts.
template <class Id>
Array<Id> random_labels(std::mt19937& random, const Shape3& shape, unsigned percent_background) {
  Array<Id> labels(shape);
  // Ids differ in their highest bit.
  const Id ids[] = {1, 1, static_cast<Id>(Id{1} << (8 * sizeof(Id) - 1))};
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    if (random() % 100 < percent_background) continue;
    labels.data()[i] = ids[random() % 10 == 0 ? random() % 3 : 0];
  }
  return labels;
}

template <class Id>
void expect_as_twin() {
  std::mt19937 random(8);
  std::int64_t num_filled = 0;
  for (const Shape3& shape :
       {Shape3{1, 1, 1}, Shape3{3, 3, 3}, Shape3{2, 9, 9}, Shape3{6, 7, 70}, Shape3{9, 10, 11}}) {
    for (const unsigned percent : {0u, 5u, 15u, 30u, 60u, 100u}) {
      const Array<Id> labels = random_labels<Id>(random, shape, percent);
      const Array<Id> expected = fill_twin(labels);
      Array<Id> filled = labels.clone();
      std::int64_t changed = 0;
      const std::int64_t told = fill_holes<Id>(filled);
      for (std::int64_t i = 0; i < labels.size(); ++i) {
        ASSERT_EQ(filled.data()[i], expected.data()[i]) << to_string(shape) << " " << i;
        changed += filled.data()[i] != labels.data()[i];
      }
      EXPECT_EQ(told, changed);
      num_filled += changed;
    }
  }
  EXPECT_GT(num_filled, 100);
}

TEST(FillHoles, EqualsFloodingInEveryType) {
  expect_as_twin<std::uint8_t>();
  expect_as_twin<std::uint16_t>();
  expect_as_twin<std::uint32_t>();
  expect_as_twin<std::uint64_t>();
}

TEST(FillHoles, FillsAPartOfALargerArrayAsAVolumeOfItsOwn) {
  Array<std::uint16_t> labels({5, 5, 40}, 4);
  labels(2, 2, 20) = 0;
  labels(0, 2, 20) = 0;
  const Box part{{1, 0, 10}, {4, 5, 30}};
  EXPECT_EQ(fill_holes<std::uint16_t>(labels.view().part(part)), 1);
  EXPECT_EQ(labels(2, 2, 20), 4);
  EXPECT_EQ(labels(0, 2, 20), 0);
}

TEST(FillHoles, ABlockTellsWhatLiesAroundItsBackground) {
  std::mt19937 random(9);
  const Box volume = Box::of_shape({8, 9, 10});
  for (int repeat = 0; repeat < 20; ++repeat) {
    const Array<std::uint8_t> labels = random_labels<std::uint8_t>(random, volume.shape(), 30);
    for (const Box& block :
         {Box{{0, 0, 0}, {4, 4, 4}}, Box{{3, 2, 4}, {6, 8, 7}}, Box{{4, 4, 5}, {8, 9, 10}}}) {
      // The view: the block and what of its halo lies in the volume.
      const Box view = block.grow(1).intersect(volume);
      const Index3 to_view = Index3{} - view.begin;
      Array<std::uint32_t> components(block.shape());
      const Background found = label_background<std::uint8_t>(
          labels.view().part(view), block.translate(to_view), volume.translate(to_view), components);

      Array<std::uint8_t> background(block.shape());
      std::vector<std::set<std::uint8_t>> met(found.surroundings.size());
      std::vector<bool> touches(found.surroundings.size());
      const Box own = Box::of_shape(block.shape());
      for (std::int64_t z = 0; z < own.end.z; ++z) {
        for (std::int64_t y = 0; y < own.end.y; ++y) {
          for (std::int64_t x = 0; x < own.end.x; ++x) {
            const Index3 at = Index3{z, y, x} + block.begin;
            background(z, y, x) = labels(at) == 0;
            if (labels(at) != 0) continue;
            const std::size_t component = components(z, y, x) - 1;
            if (!volume.contains(Box::at(at, {1, 1, 1}).grow(1))) touches[component] = true;
            for (int k = 0; k < 27; ++k) {
              const Index3 near = at + Index3{k / 9 - 1, k / 3 % 3 - 1, k % 3 - 1};
              if (volume.contains(near) && labels(near) != 0) met[component].insert(labels(near));
            }
          }
        }
      }
      Array<std::uint32_t> expected(block.shape());
      const Components labelled = label_components(background, Connectivity::kFace, expected);
      ASSERT_EQ(labelled.count(), static_cast<std::int64_t>(found.surroundings.size()));
      ASSERT_EQ(labelled.count(), found.components.count());
      for (std::int64_t i = 0; i < expected.size(); ++i) ASSERT_EQ(components.data()[i], expected.data()[i]);
      for (std::size_t i = 0; i < met.size(); ++i) {
        const Surroundings& told = found.surroundings[i];
        ASSERT_EQ(told.touches_edge, touches[i]);
        if (touches[i]) continue;
        ASSERT_EQ(told.meets_several, met[i].size() > 1);
        ASSERT_EQ(told.met_id != 0, !met[i].empty());
        ASSERT_TRUE(met[i].empty() || met[i].count(static_cast<std::uint8_t>(told.met_id)) == 1);
      }
    }
  }
}

}  // namespace
}  // namespace organon::voxel
