#include "organon/stages/ingest/mask_polygons.h"

#include <gtest/gtest.h>

#include <string>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/random.h"

namespace organon::stages {
namespace {

std::string problem(const std::string& text) {
  try {
    parse_mask_polygons(text, "p.json");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

void expect_problem(const std::string& text, const std::string& part) {
  EXPECT_NE(problem(text).find(part), std::string::npos) << text << "\n" << problem(text);
}

TEST(MaskPolygons, AreRead) {
  const auto polygons = parse_mask_polygons(
      R"([{"action": "exclude", "z_nm": [0, 4e3], "polygon_yx_nm": [[0, 1], [2.5, 3], [-4, 5]], "note": "dirt"}])",
      "p.json");
  ASSERT_EQ(polygons.size(), 1U);
  EXPECT_EQ(polygons[0].action, MaskPolygon::Action::kExclude);
  EXPECT_EQ(polygons[0].z_end_nm, 4000);
  ASSERT_EQ(polygons[0].vertices.size(), 3U);
  EXPECT_EQ(polygons[0].vertices[1].y_nm, 2.5);
  EXPECT_EQ(polygons[0].vertices[2].x_nm, 5);
  EXPECT_TRUE(parse_mask_polygons("[]", "p.json").empty());
}

TEST(MaskPolygons, FaultsAreNamedWithTheirPlace) {
  const std::string good =
      R"({"action": "include", "z_nm": [0, 9], "polygon_yx_nm": [[0, 0], [0, 5], [5, 5]]})";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return "[" + good + "," + text + "]";
  };
  expect_problem("{}", "expected a list of polygons");
  expect_problem("[3]", "p.json: polygon [0]: expected an object");
  expect_problem("[{", "p.json");
  expect_problem(with("action", "actoin"), "polygon [1]: unknown key 'actoin'; did you mean 'action'?");
  expect_problem(with("include", "includes"), "polygon [1].action: expected \"include\" or \"exclude\"");
  expect_problem(with("\"include\"", "1"), "polygon [1].action");
  expect_problem(with("[0, 9]", "[9, 0]"), "polygon [1].z_nm: expected begin below end");
  expect_problem(with("[0, 9]", "[9]"), "polygon [1].z_nm: expected two numbers");
  expect_problem(with("[0, 9]", "[0, 1e15]"), "expected nm up to 1e+12");
  expect_problem(with("[0, 5]", "[0, \"5\"]"), "polygon [1].polygon_yx_nm[1]: expected two numbers, [y, x]");
  expect_problem(with("[0, 5], ", ""), "at least three");
  expect_problem(with("\"z_nm\": [0, 9], ", ""), "polygon [1]: 'z_nm' is missing");
  expect_problem(with("{\"action\"", "{\"note\": 3, \"action\""), "polygon [1].note: expected text");
  std::string many = "[";
  for (int i = 0; i < 10'001; ++i) many += "0,";
  expect_problem(many + "0]", "expected at most 10000");
}

MaskPolygon rectangle(double y0, double x0, double y1, double x1) {
  return {MaskPolygon::Action::kInclude, 0, 100, {{y0, x0}, {y0, x1}, {y1, x1}, {y1, x0}}};
}

TEST(MaskPolygons, BordersAreHalfOpen) {
  const VoxelGrid grid{{10, 10, 10}, {0, 0, 0}};
  Array<std::uint8_t> mask({3, 5, 6}, 0);
  // Centres at 10 .. 30 and at 20 .. 40: 30 and 40 lie on upper edges. z = 0 to 10 holds one slice.
  MaskPolygon polygon = rectangle(10, 20, 30, 40);
  polygon.z_begin_nm = 10;
  polygon.z_end_nm = 20;
  apply_mask_polygons({polygon}, grid, {0, 0, 0}, mask);
  for (std::int64_t z = 0; z < 3; ++z)
    for (std::int64_t y = 0; y < 5; ++y)
      for (std::int64_t x = 0; x < 6; ++x)
        EXPECT_EQ(mask(z, y, x), z == 1 && y >= 1 && y < 3 && x >= 2 && x < 4);
}

TEST(MaskPolygons, TheLastPolygonDecidesAndBeginCounts) {
  const VoxelGrid grid{{10, 10, 10}, {5, 5, 5}};
  Array<std::uint8_t> mask({2, 4, 4}, 1);
  MaskPolygon exclude = rectangle(-1000, -1000, 1000, 1000);
  exclude.action = MaskPolygon::Action::kExclude;
  exclude.z_begin_nm = -1000;
  MaskPolygon include = rectangle(70, 60, 90, 70);
  apply_mask_polygons({exclude, include}, grid, {6, 6, 5}, mask);
  // Rows at 65 75 85 95, columns at 55 65 75 85.
  for (std::int64_t z = 0; z < 2; ++z)
    for (std::int64_t y = 0; y < 4; ++y)
      for (std::int64_t x = 0; x < 4; ++x)
        EXPECT_EQ(mask(z, y, x), (y == 1 || y == 2) && x == 1) << z << y << x;
}

// Crossings of a ray towards smaller x, in exact integers: vertices and centres are whole numbers.
bool is_inside(const MaskPolygon& polygon, std::int64_t y, std::int64_t x) {
  bool inside = false;
  for (std::size_t i = 0; i < polygon.vertices.size(); ++i) {
    const auto& a = polygon.vertices[i];
    const auto& b = polygon.vertices[(i + 1) % polygon.vertices.size()];
    auto ay = static_cast<std::int64_t>(a.y_nm), ax = static_cast<std::int64_t>(a.x_nm);
    auto by = static_cast<std::int64_t>(b.y_nm), bx = static_cast<std::int64_t>(b.x_nm);
    if (by < ay) {
      std::swap(ay, by);
      std::swap(ax, bx);
    }
    if (!(ay <= y && y < by)) continue;
    // The edge at row y lies at or left of x.
    if (ax * (by - ay) + (y - ay) * (bx - ax) <= x * (by - ay)) inside = !inside;
  }
  return inside;
}

TEST(MaskPolygons, EqualsCountingCrossings) {
  Random random(17);
  const VoxelGrid grid{{1, 1, 1}, {0, 0, 0}};
  std::int64_t differing = 0;
  for (int round = 0; round < 300; ++round) {
    MaskPolygon polygon;
    polygon.z_end_nm = 1;
    const std::size_t n = 3 + random.below(8);
    // Slopes of powers of two divide without a rest, others may round at a tie.
    for (std::size_t i = 0; i < n; ++i)
      polygon.vertices.push_back(
          {static_cast<double>(random.below(5)) * 4 - 2, static_cast<double>(random.below(24)) - 2});
    Array<std::uint8_t> mask({1, 16, 20}, 0);
    apply_mask_polygons({polygon}, grid, {0, 0, 0}, mask);
    for (std::int64_t y = 0; y < 16; ++y)
      for (std::int64_t x = 0; x < 20; ++x) differing += (mask(0, y, x) != 0) != is_inside(polygon, y, x);
  }
  // Edges are 4, 8, 12 or 16 high: only a height of 12 divides with a rest.
  EXPECT_LE(differing, 0);
}

TEST(MaskPolygons, NeighboursNeitherOverlapNorLeaveAGap) {
  Random random(23);
  const VoxelGrid grid{{0.7, 0.7, 0.7}, {0.35, 0.1, 0.2}};
  for (int round = 0; round < 100; ++round) {
    // A quadrangle cut along a diagonal by two triangles.
    const auto vertex = [&](double y, double x) {
      return MaskPolygon::Vertex{y + random.uniform(-2, 2), x + random.uniform(-2, 2)};
    };
    const auto a = vertex(2, 2), b = vertex(2, 18), c = vertex(18, 18), d = vertex(18, 2);
    const auto draw = [&](std::vector<MaskPolygon::Vertex> vertices) {
      Array<std::uint8_t> mask({1, 30, 30}, 0);
      apply_mask_polygons({{MaskPolygon::Action::kInclude, 0, 1, std::move(vertices)}}, grid, {0, 0, 0},
                          mask);
      return mask;
    };
    const auto whole = draw({a, b, c, d});
    const auto one = draw({a, b, c});
    const auto two = draw({c, d, a});
    for (std::int64_t i = 0; i < whole.size(); ++i) ASSERT_EQ(one.data()[i] + two.data()[i], whole.data()[i]);
  }
}

}  // namespace
}  // namespace organon::stages
