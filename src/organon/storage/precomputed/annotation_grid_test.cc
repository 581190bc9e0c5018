#include "organon/storage/precomputed/annotation_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "organon/base/random.h"

namespace organon::storage {
namespace {

constexpr AnnotationShape kShapes[] = {AnnotationShape::kPoint, AnnotationShape::kLine, AnnotationShape::kBox,
                                       AnnotationShape::kEllipsoid};

double rounded(double value) { return static_cast<double>(static_cast<float>(value)); }

std::vector<AnnotationPlace> make_places(AnnotationShape shape, std::size_t count, Random& random) {
  std::vector<AnnotationPlace> places;
  // Many on whole numbers, so that they lie on faces of cells.
  const auto coordinate = [&](double most) {
    return random.below(2) == 0 ? rounded(random.uniform(0, most))
                                : static_cast<double>(random.below(static_cast<std::uint64_t>(most)));
  };
  for (std::size_t i = 0; i < count; ++i) {
    AnnotationPlace place{mix64(i), {coordinate(40), coordinate(300), coordinate(1000)}, {}};
    if (shape == AnnotationShape::kEllipsoid) {
      place.second = {coordinate(5), coordinate(30), coordinate(20)};
    } else if (shape != AnnotationShape::kPoint) {
      place.second = {coordinate(40), random.below(3) == 0 ? place.first.y : coordinate(300),
                      coordinate(1000)};
    }
    places.push_back(place);
  }
  return places;
}

// By many points of the annotation; what it finds is there, what it does not may be.
bool has_sample_in(AnnotationShape shape, const AnnotationPlace& place, const BoundsNm& cell,
                   Random& random) {
  const auto is_in = [&](const PointNm& p) {
    return p.z >= cell.lower.z && p.z <= cell.upper.z && p.y >= cell.lower.y && p.y <= cell.upper.y &&
           p.x >= cell.lower.x && p.x <= cell.upper.x;
  };
  const PointNm& a = place.first;
  const PointNm& b = place.second;
  for (int i = 0; i < 300; ++i) {
    const double t = random.uniform(), u = random.uniform(), v = random.uniform();
    PointNm p = a;
    if (shape == AnnotationShape::kLine) {
      p = a + (b - a) * t;
    } else if (shape == AnnotationShape::kBox) {
      p = {a.z + (b.z - a.z) * t, a.y + (b.y - a.y) * u, a.x + (b.x - a.x) * v};
    } else if (shape == AnnotationShape::kEllipsoid) {
      const double z = 2 * t - 1, y = 2 * u - 1, x = 2 * v - 1;
      if (z * z + y * y + x * x > 1) continue;
      p = {a.z + z * b.z, a.y + y * b.y, a.x + x * b.x};
    }
    if (is_in(p)) return true;
  }
  return false;
}

TEST(AnnotationGrid, WhatHasAPointInACellMeetsIt) {
  Random random(2);
  for (const AnnotationShape shape : kShapes) {
    int num_met = 0;
    int num_seen = 0;
    for (const AnnotationPlace& place : make_places(shape, 400, random)) {
      const PointNm lower{random.uniform(-5, 40), random.uniform(-5, 300), random.uniform(-5, 1000)};
      const BoundsNm cell{lower, lower + PointNm{20, 80, 300}};
      const bool is_met = meets_cell(shape, place, cell);
      const bool is_seen = has_sample_in(shape, place, cell, random);
      if (is_seen) {
        EXPECT_TRUE(is_met);
      }
      num_met += is_met ? 1 : 0;
      num_seen += is_seen ? 1 : 0;
    }
    EXPECT_LE(num_seen, num_met);
    EXPECT_GE(num_seen, num_met * 8 / 10);
  }
}

TEST(AnnotationGrid, EllipsoidsMissTheCornersOfTheirBoxes) {
  const AnnotationPlace ball{0, {0, 0, 0}, {10, 10, 10}};
  EXPECT_TRUE(meets_cell(AnnotationShape::kEllipsoid, ball, {{5.7, 5.7, 5.7}, {9, 9, 9}}));
  EXPECT_FALSE(meets_cell(AnnotationShape::kEllipsoid, ball, {{5.8, 5.8, 5.8}, {9, 9, 9}}));
  const AnnotationPlace disc{0, {0, 0, 0}, {0, 10, 10}};
  EXPECT_TRUE(meets_cell(AnnotationShape::kEllipsoid, disc, {{0, 5, 5}, {1, 6, 6}}));
  EXPECT_FALSE(meets_cell(AnnotationShape::kEllipsoid, disc, {{0.1, 0, 0}, {1, 6, 6}}));
  const AnnotationPlace line{0, {0, 0, 0}, {10, 10, 10}};
  EXPECT_TRUE(meets_cell(AnnotationShape::kLine, line, {{4, 4, 4}, {6, 6, 6}}));
  EXPECT_FALSE(meets_cell(AnnotationShape::kLine, line, {{4, 4, 7}, {6, 6, 9}}));
}

BoundsNm cell_of(const AnnotationLevel& level, const BoundsNm& bounds, std::int64_t z, std::int64_t y,
                 std::int64_t x) {
  const auto at = [&](std::int64_t dz, std::int64_t dy, std::int64_t dx) {
    return PointNm{bounds.lower.z + static_cast<double>(z + dz) * level.cell_size_nm.z,
                   bounds.lower.y + static_cast<double>(y + dy) * level.cell_size_nm.y,
                   bounds.lower.x + static_cast<double>(x + dx) * level.cell_size_nm.x};
  };
  return {at(0, 0, 0), at(1, 1, 1)};
}

// Every cell of every level against its definition.
TEST(AnnotationGrid, LevelsListWhatMeetsTheirCellsRankByRank) {
  Random random(4);
  for (const AnnotationShape shape : kShapes) {
    const auto places = make_places(shape, 200, random);
    const BoundsNm bounds = bounds_of(shape, places);
    for (const std::int64_t most : {7, 60, 1000}) {
      const auto levels = levels_of(shape, places, bounds, most);
      std::uint64_t done_rank = 0;  // ranks below it are on coarser levels
      std::set<std::size_t> seen;
      for (const AnnotationLevel& level : levels) {
        ASSERT_LE(level.grid_shape.product(), 1 << 16);
        EXPECT_EQ(level.cell_size_nm.x * static_cast<double>(level.grid_shape.x),
                  bounds.upper.x - bounds.lower.x);
        EXPECT_EQ(level.cell_size_nm.y * static_cast<double>(level.grid_shape.y),
                  bounds.upper.y - bounds.lower.y);
        EXPECT_EQ(level.cell_size_nm.z * static_cast<double>(level.grid_shape.z),
                  bounds.upper.z - bounds.lower.z);
        EXPECT_EQ(level.most_per_cell, most);
        std::uint64_t last_rank = done_rank;
        for (const auto& [position, indices] : level.cells)
          for (const std::size_t index : indices) last_rank = std::max(last_rank, places[index].rank);
        std::size_t fullest = 0;
        bool would_be_too_full = false;
        for (std::int64_t z = 0; z < level.grid_shape.z; ++z)
          for (std::int64_t y = 0; y < level.grid_shape.y; ++y)
            for (std::int64_t x = 0; x < level.grid_shape.x; ++x) {
              std::vector<std::size_t> expected;
              std::size_t num_left = 0;
              std::uint64_t next_rank = ~std::uint64_t{0};
              for (std::size_t i = 0; i < places.size(); ++i) {
                if (seen.contains(i)) continue;
                const BoundsNm cell = cell_of(level, bounds, z, y, x);
                if (!meets_cell(shape, places[i], cell)) continue;
                if (shape == AnnotationShape::kPoint) {  // the faces belong to the next
                  const PointNm& p = places[i].first;
                  if ((p.z == cell.upper.z && z + 1 < level.grid_shape.z) ||
                      (p.y == cell.upper.y && y + 1 < level.grid_shape.y) ||
                      (p.x == cell.upper.x && x + 1 < level.grid_shape.x))
                    continue;
                }
                ++num_left;
                if (places[i].rank <= last_rank)
                  expected.push_back(i);
                else
                  next_rank = std::min(next_rank, places[i].rank);
              }
              std::sort(expected.begin(), expected.end(),
                        [&](std::size_t a, std::size_t b) { return places[a].rank < places[b].rank; });
              const auto found = level.cells.find({z, y, x});
              EXPECT_EQ(found == level.cells.end() ? std::vector<std::size_t>{} : found->second, expected);
              fullest = std::max(fullest, expected.size());
              if (num_left > expected.size() && static_cast<std::int64_t>(expected.size()) == most)
                would_be_too_full = true;
            }
        EXPECT_LE(static_cast<std::int64_t>(fullest), most);
        const std::size_t before = seen.size();
        for (const auto& [position, indices] : level.cells) seen.insert(indices.begin(), indices.end());
        EXPECT_GT(seen.size(), before);
        if (seen.size() < places.size()) {
          EXPECT_TRUE(would_be_too_full);
        }
        done_rank = last_rank;
      }
      EXPECT_EQ(seen.size(), places.size());
      if (most == 1000) {
        EXPECT_EQ(levels.size(), 1U);
      }
    }
  }
}

TEST(AnnotationGrid, ManyInOnePlaceEndWithALevelThatHasThemAll) {
  std::vector<AnnotationPlace> places(1000);
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = {mix64(i), {5, 5, 5}, {}};
  const auto levels =
      levels_of(AnnotationShape::kPoint, places, bounds_of(AnnotationShape::kPoint, places), 3);
  ASSERT_EQ(levels.size(), 32U);
  EXPECT_EQ(levels.back().grid_shape, (Shape3{1, 1, 1}));
  EXPECT_EQ(levels.back().most_per_cell, 1000 - 31 * 3);
  std::size_t num_listed = 0;
  for (const AnnotationLevel& level : levels)
    for (const auto& [position, indices] : level.cells) num_listed += indices.size();
  EXPECT_EQ(num_listed, 1000U);
}

TEST(AnnotationGrid, LargeOnesOverOneAnotherDoNotFillEverFinerGrids) {
  std::vector<AnnotationPlace> places;
  for (std::size_t i = 0; i < 500; ++i)
    places.push_back({mix64(i), {0, 0, 0}, {1e5, 1e5, 1e5 + static_cast<double>(i)}});
  const auto levels = levels_of(AnnotationShape::kBox, places, bounds_of(AnnotationShape::kBox, places), 10);
  EXPECT_EQ(levels.size(), 32U);
  std::size_t num_listed = 0;
  for (const AnnotationLevel& level : levels)
    for (const auto& [position, indices] : level.cells) num_listed += indices.size();
  EXPECT_LE(num_listed, 4 * places.size());
}

TEST(AnnotationGrid, NoneHaveOneEmptyLevel) {
  const auto levels = levels_of(AnnotationShape::kBox, {}, bounds_of(AnnotationShape::kBox, {}), 10);
  ASSERT_EQ(levels.size(), 1U);
  EXPECT_TRUE(levels[0].cells.empty());
}

}  // namespace
}  // namespace organon::storage
