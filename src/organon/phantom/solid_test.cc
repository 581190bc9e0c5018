#include "organon/phantom/solid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "organon/array/array.h"
#include "organon/voxel/measure_objects.h"

namespace organon::phantom {
namespace {

struct Named {
  const char* name;
  Solid solid;
};

std::vector<Named> solids() {
  Random random(5);
  const Frame frame = random_frame(random);
  return {{"ball", make_ball({3, -4, 5}, 60)},
          {"capsule", make_capsule({-40, 10, 20}, {60, 50, -70}, 45, random)},
          {"arc", make_arc({5, 5, 5}, frame, 110, 240, 48)},
          {"long arc", make_arc({5, 5, 5}, frame, 80, 400, 30)},
          {"bowl", make_bowl({5, 5, 5}, frame, 150, 110, 20)},
          {"ellipsoid", make_ellipsoid({1, 2, 3}, frame, 90, 70, 60)}};
}

PointNm random_point(Random& random, double reach) {
  const double z = random.uniform(-reach, reach);
  const double y = random.uniform(-reach, reach);
  const double x = random.uniform(-reach, reach);
  return {z, y, x};
}

TEST(Solid, DistanceIsThatToTheNearestCorePoint) {
  Random random(1);
  for (const auto& [name, solid] : solids()) {
    if (solid.kind == SolidKind::kEllipsoid) continue;
    const auto core = core_points_nm(solid, 0.7);
    for (int i = 0; i < 60; ++i) {
      const PointNm point = random_point(random, 250);
      double least = 1e9;
      for (const PointNm& on_core : core) least = std::min(least, distance(on_core, point));
      EXPECT_NEAR(signed_distance_nm(solid, point), least - solid.radius_nm, 0.5) << name;
      EXPECT_LE(signed_distance_nm(solid, point), least - solid.radius_nm + 1e-6) << name;
    }
  }
}

TEST(Solid, EllipsoidDistanceIsThatToTheNearestSurfacePoint) {
  const Solid ellipsoid = solids().back().solid;
  std::vector<PointNm> surface;
  for (int i = 0; i < 400; ++i) {
    for (int j = 0; j < 800; ++j) {
      const double theta = (i + 0.5) * std::numbers::pi / 400;
      const double phi = j * 2 * std::numbers::pi / 800;
      surface.push_back(ellipsoid.centre_nm +
                        ellipsoid.frame.u * (ellipsoid.semi_u_nm * std::sin(theta) * std::cos(phi)) +
                        ellipsoid.frame.v * (ellipsoid.semi_v_nm * std::sin(theta) * std::sin(phi)) +
                        ellipsoid.frame.w * (ellipsoid.semi_w_nm * std::cos(theta)));
    }
  }
  Random random(2);
  int outside = 0;
  for (int i = 0; i < 60; ++i) {
    const PointNm point = random_point(random, 200);
    const double first_order = signed_distance_nm(ellipsoid, point);
    if (first_order <= 0) continue;
    ++outside;
    double least = 1e9;
    for (const PointNm& p : surface) least = std::min(least, distance(p, point));
    EXPECT_NEAR(exact_distance_nm(ellipsoid, point), least, 0.05);
    if (least < 20) {
      EXPECT_NEAR(first_order, least, 0.1 * least);
    }
    const SurfacePoint near = surface_point_near(ellipsoid, point);
    EXPECT_NEAR(signed_distance_nm(ellipsoid, near.point_nm), 0, 1e-3);
    EXPECT_NEAR(length(near.normal), 1, 1e-9);
  }
  EXPECT_GT(outside, 20);
}

TEST(Solid, BoundsAreTight) {
  Random random(3);
  for (const auto& [name, solid] : solids()) {
    const BoxNm bounds = bounds_nm(solid);
    BoxNm found{PointNm::cube(1e9), PointNm::cube(-1e9)};
    for (int i = 0; i < 400'000; ++i) {
      const PointNm point = random_point(random, 260);
      if (signed_distance_nm(solid, point) > 0) continue;
      ASSERT_TRUE(bounds.contains(point)) << name;
      found = {min(found.begin, point), max(found.end, point)};
    }
    EXPECT_LT(distance(found.begin, bounds.begin), 25) << name;
    EXPECT_LT(distance(found.end, bounds.end), 25) << name;
  }
}

// What measuring finds on finer and finer voxels must approach the formula.
TEST(Solid, MeasuresOfVoxelsConvergeToTheFormulas) {
  for (const auto& [name, solid] : solids()) {
    if (solid.kind == SolidKind::kBowl) continue;
    double last_error = 1;
    for (const double size_nm : {8.0, 4.0, 2.0}) {
      const VoxelGrid grid{SizeNm::cube(size_nm), {0.3, 0.1, -0.4}};
      const BoxNm bounds = bounds_nm(solid).grow(3 * size_nm);
      const Box box = grid.voxels_with_centres_in(bounds.begin, bounds.end);
      Array<std::uint8_t> labels(box.shape());
      for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
        for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
          for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
            const bool is_inside = signed_distance_nm(solid, grid.to_nm({z, y, x})) <= 0;
            labels(Index3{z, y, x} - box.begin) = is_inside ? 1 : 0;
          }
        }
      }
      const Box domain = Box::of_shape(box.shape());
      const auto sums = voxel::measure_block<std::uint8_t>(labels, domain, domain, domain);
      ASSERT_EQ(sums.size(), 1U) << name;
      const auto measured = voxel::finish_measures(sums[0], grid, voxel::surface_weights(grid.voxel_size_nm));
      const double volume_error = std::abs(measured.volume_nm3 / *volume_nm3(solid) - 1);
      const double surface_error = std::abs(measured.surface_nm2 / *surface_nm2(solid) - 1);
      EXPECT_LT(volume_error, size_nm > 4 ? 0.03 : size_nm > 2 ? 0.01 : 0.003) << name << " " << size_nm;
      EXPECT_LT(surface_error, 0.04) << name << " " << size_nm;
      last_error = surface_error;
    }
    // The estimate of surfaces keeps an error by orientation for what is flat or straight.
    EXPECT_LT(last_error, 0.02) << name;
  }
}

TEST(Solid, LeastDistanceIsThatOfTheNearestPair) {
  Random random(4);
  const auto all = solids();
  for (const auto& [name_a, a] : all) {
    for (const auto& [name_b, original] : all) {
      if (a.kind == SolidKind::kEllipsoid) continue;
      Solid b = original;
      b.centre_nm = b.centre_nm + random_direction(random) * 500.0;
      double least = 1e9;
      if (b.kind == SolidKind::kEllipsoid) {
        for (const PointNm& p : core_points_nm(a, 2)) least = std::min(least, exact_distance_nm(b, p));
        EXPECT_NEAR(least_distance_nm(a, b), least - a.radius_nm, 0.1) << name_a << " " << name_b;
        EXPECT_EQ(least_distance_nm(b, a), least_distance_nm(a, b)) << name_a << " " << name_b;
        continue;
      }
      const auto core_b = core_points_nm(b, 2);
      for (const PointNm& p : core_points_nm(a, 2)) {
        for (const PointNm& q : core_b) least = std::min(least, distance(p, q));
      }
      EXPECT_NEAR(least_distance_nm(a, b), least - a.radius_nm - b.radius_nm, 0.1) << name_a << " " << name_b;
      EXPECT_NEAR(least_distance_nm(b, a), least_distance_nm(a, b), 0.02) << name_a << " " << name_b;
    }
  }
}

}  // namespace
}  // namespace organon::phantom
