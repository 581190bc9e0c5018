#include "organon/voxel/label_components.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

constexpr Connectivity kAll[] = {Connectivity::kFace, Connectivity::kFaceEdge, Connectivity::kFaceEdgeVertex};

/// Flood fill from each voxel in raster order, through the neighbours by their definition.
template <class Id>
Components flood_fill_twin(const Array<Id>& ids, Connectivity connectivity, Array<std::uint32_t>& labels) {
  const int most = connectivity == Connectivity::kFace ? 1 : connectivity == Connectivity::kFaceEdge ? 2 : 3;
  const Shape3 shape = ids.shape();
  const Box all = Box::of_shape(shape);
  Components result;
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const Index3 seed{i / shape.x / shape.y, i / shape.x % shape.y, i % shape.x};
    if (ids(seed) == 0 || labels(seed) != 0) continue;
    Component component{i, 0, {}};
    const auto label = static_cast<std::uint32_t>(result.components.size() + 1);
    std::vector<Index3> stack{seed};
    labels(seed) = label;
    while (!stack.empty()) {
      const Index3 p = stack.back();
      stack.pop_back();
      ++component.voxels;
      component.box = component.box.unite(Box::at(p, {1, 1, 1}));
      for (int dz = -1; dz <= 1; ++dz) {
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) {
            const Index3 q = p + Index3{dz, dy, dx};
            if (std::abs(dz) + std::abs(dy) + std::abs(dx) > most || !all.contains(q)) continue;
            if (ids(q) != ids(p) || labels(q) != 0) continue;
            labels(q) = label;
            stack.push_back(q);
          }
        }
      }
    }
    result.components.push_back(component);
  }
  return result;
}

void expect_same(const Components& found, const Components& expected, const Array<std::uint32_t>& labels,
                 const Array<std::uint32_t>& expected_labels) {
  ASSERT_EQ(found.count(), expected.count());
  for (std::size_t k = 0; k < expected.components.size(); ++k) {
    ASSERT_EQ(found.components[k].first_voxel, expected.components[k].first_voxel);
    ASSERT_EQ(found.components[k].voxels, expected.components[k].voxels);
    ASSERT_EQ(found.components[k].box, expected.components[k].box);
  }
  for (std::int64_t i = 0; i < labels.size(); ++i)
    ASSERT_EQ(labels.data()[i], expected_labels.data()[i]) << i;
}

const Shape3 kShapes[] = {{1, 1, 1}, {1, 1, 130}, {5, 1, 3},  {1, 9, 65},
                          {6, 7, 9}, {4, 5, 64},  {3, 8, 71}, {12, 12, 12}};

TEST(LabelComponents, EqualsFloodFillForAllConnectivitiesAndDensities) {
  std::mt19937 random(7);
  for (const Shape3& shape : kShapes) {
    for (const int percent : {0, 2, 10, 20, 30, 50, 70, 95, 100}) {
      for (int repeat = 0; repeat < 4; ++repeat) {
        Array<std::uint8_t> mask(shape);
        for (std::int64_t i = 0; i < mask.size(); ++i) {
          const bool inside = static_cast<int>(random() % 100) < percent;
          mask.data()[i] = inside ? static_cast<std::uint8_t>(1 + random() % 255) : 0;
        }
        Array<std::uint8_t> binary(shape);
        for (std::int64_t i = 0; i < mask.size(); ++i) binary.data()[i] = mask.data()[i] != 0;
        for (const Connectivity connectivity : kAll) {
          Array<std::uint32_t> labels(shape, 77);
          Array<std::uint32_t> expected_labels(shape);
          const Components expected = flood_fill_twin(binary, connectivity, expected_labels);
          expect_same(label_components(mask, connectivity, labels), expected, labels, expected_labels);
          expect_same(label_equal_ids<std::uint8_t>(binary, connectivity, labels), expected, labels,
                      expected_labels);
        }
      }
    }
  }
}

template <class Id>
void expect_ids_equal_flood_fill() {
  std::mt19937 random(11);
  for (const Shape3& shape : kShapes) {
    for (const unsigned num_ids : {1u, 2u, 3u, 6u}) {
      for (const bool smooth_in_x : {false, true}) {
        Array<Id> ids(shape);
        for (std::int64_t i = 0; i < ids.size(); ++i) {
          const bool keep = smooth_in_x && i > 0 && random() % 3 != 0;
          // Two ids that differ in the highest bit only must stay apart.
          const auto id = static_cast<Id>(random() % num_ids);
          ids.data()[i] = keep      ? ids.data()[i - 1]
                          : id == 5 ? static_cast<Id>(Id{1} << (8 * sizeof(Id) - 1))
                                    : id;
        }
        for (const Connectivity connectivity : kAll) {
          Array<std::uint32_t> labels(shape);
          Array<std::uint32_t> expected_labels(shape);
          const Components expected = flood_fill_twin(ids, connectivity, expected_labels);
          expect_same(label_equal_ids<Id>(ids, connectivity, labels), expected, labels, expected_labels);
        }
      }
    }
  }
}

TEST(LabelComponents, EqualIdsEqualFloodFillInEveryTypeOnEveryInstructionSet) {
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    expect_ids_equal_flood_fill<std::uint8_t>();
    expect_ids_equal_flood_fill<std::uint16_t>();
    expect_ids_equal_flood_fill<std::uint32_t>();
    expect_ids_equal_flood_fill<std::uint64_t>();
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Objects as in real volumes: their ends move by some voxels, or far, from row to row, over words of 64
// voxels.
TEST(LabelComponents, EqualsFloodFillWhereRunsShiftFromRowToRow) {
  std::mt19937 random(13);
  const Shape3 shape{5, 6, 210};
  for (const int jitter : {1, 2, 3, 9, 80}) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      Array<std::uint32_t> ids(shape);
      Array<std::uint8_t> mask(shape);
      for (std::int64_t z = 0; z < shape.z; ++z) {
        for (std::int64_t y = 0; y < shape.y; ++y) {
          std::int64_t x = 0;
          for (std::int64_t object = 0; x < shape.x; ++object) {
            // Every other time at the ends of words.
            const std::int64_t size = repeat % 2 == 0 ? 20 + 4 * repeat : 32;
            const std::int64_t end =
                std::min(shape.x, (object + 1) * size - jitter +
                                      static_cast<std::int64_t>(random() % (2 * jitter + 1)));
            // Every fourth row has another order, so that runs also lie under what is not theirs.
            const auto id = static_cast<std::uint32_t>((object + (random() % 4 == 0)) % 3 + (repeat / 2 % 2));
            for (; x < end; ++x) ids(z, y, x) = id;
          }
        }
      }
      for (std::int64_t i = 0; i < ids.size(); ++i) mask.data()[i] = ids.data()[i] == 1;
      for (const Connectivity connectivity : kAll) {
        Array<std::uint32_t> labels(shape);
        Array<std::uint32_t> expected_ids(shape);
        const Components of_ids = flood_fill_twin(ids, connectivity, expected_ids);
        expect_same(label_equal_ids<std::uint32_t>(ids, connectivity, labels), of_ids, labels, expected_ids);
        Array<std::uint32_t> expected_mask(shape);
        const Components of_mask = flood_fill_twin(mask, connectivity, expected_mask);
        expect_same(label_components(mask, connectivity, labels), of_mask, labels, expected_mask);
      }
    }
  }
}

// Two runs that only the bare end of a third, beyond the one above it, connects.
TEST(LabelComponents, TheEndOfARunConnectsAtEveryPlaceInItsRow) {
  const Shape3 shape{2, 3, 140};
  for (std::int64_t x = 4; x < 136; ++x) {
    for (const std::int64_t inwards : {-1, 1}) {
      for (const Index3& row : {Index3{0, 0, 0}, Index3{1, 0, 0}, Index3{0, 2, 0}}) {
        Array<std::uint32_t> ids(shape, 9);
        Array<std::uint8_t> mask(shape);
        const auto set = [&](std::int64_t z, std::int64_t y, std::int64_t at) {
          ids(z, y, at) = 4;
          mask(z, y, at) = 1;
        };
        for (std::int64_t i = 0; i < 4; ++i) set(1, 1, x + inwards * i);
        for (std::int64_t i = 1; i < 4; ++i) set(0, 1, x + inwards * i);
        set(row.z, row.y, x - inwards);
        Array<std::uint32_t> labels(shape);
        EXPECT_EQ(label_components(mask, Connectivity::kFaceEdgeVertex, labels).count(), 1) << x;
        label_equal_ids<std::uint32_t>(ids, Connectivity::kFaceEdgeVertex, labels);
        EXPECT_EQ(labels(row.z, row.y, x - inwards), labels(1, 1, x)) << x;
      }
    }
  }
}

TEST(LabelComponents, SpiralThatJoinsLateKeepsTheLabelOfItsFirstVoxel) {
  // Two arms that meet in the last row: one component, labelled where the left arm starts.
  const char* drawing[] = {"#.#", "#.#", "###"};
  Array<std::uint8_t> mask({1, 3, 3});
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 3; ++x) mask(0, y, x) = drawing[y][x] == '#';
  }
  Array<std::uint32_t> labels(mask.shape());
  const Components found = label_components(mask, Connectivity::kFace, labels);
  EXPECT_EQ(found.count(), 1);
  EXPECT_EQ(found.of_label(1).first_voxel, 0);
  EXPECT_EQ(found.of_label(1).voxels, 7);
  EXPECT_EQ(found.of_label(1).box, (Box{{0, 0, 0}, {1, 3, 3}}));
  EXPECT_EQ(labels(0, 0, 2), 1u);
}

TEST(LabelComponents, WorksOnAPartOfALargerArray) {
  Array<std::uint8_t> mask({4, 6, 40}, 1);
  Array<std::uint32_t> labels({4, 6, 40}, 9);
  const Box part{{1, 1, 3}, {3, 5, 31}};
  const Components found =
      label_components(mask.view().part(part), Connectivity::kFace, labels.view().part(part));
  ASSERT_EQ(found.count(), 1);
  EXPECT_EQ(found.of_label(1).voxels, part.volume());
  EXPECT_EQ(labels(0, 0, 0), 9u);
  EXPECT_EQ(labels(1, 1, 3), 1u);
  EXPECT_EQ(labels(1, 1, 31), 9u);
}

TEST(LabelComponents, EmptyViewHasNoComponents) {
  Array<std::uint8_t> mask({0, 3, 3});
  Array<std::uint32_t> labels({0, 3, 3});
  EXPECT_EQ(label_components(mask, Connectivity::kFace, labels).count(), 0);
}

}  // namespace
}  // namespace organon::voxel
