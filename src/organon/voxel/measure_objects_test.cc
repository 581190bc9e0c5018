#include "organon/voxel/measure_objects.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <random>

#include "organon/array/array.h"

namespace organon::voxel {
namespace {

static_assert(std::is_trivially_copyable_v<ObjectSums>);

/// Voxel by voxel, pair by pair.
template <class Id>
std::map<std::uint64_t, ObjectSums> brute_force(const Array<Id>& labels, const Box& domain) {
  std::map<std::uint64_t, ObjectSums> result;
  const auto at = [&](const Index3& p) -> std::uint64_t { return labels(p - domain.begin); };
  for (std::int64_t z = domain.begin.z; z < domain.end.z; ++z) {
    for (std::int64_t y = domain.begin.y; y < domain.end.y; ++y) {
      for (std::int64_t x = domain.begin.x; x < domain.end.x; ++x) {
        const Index3 p{z, y, x};
        ObjectSums& sums = result[at(p)];
        sums.id = at(p);
        ++sums.voxels;
        sums.index_sum = sums.index_sum + p;
        sums.box = sums.box.unite(Box::at(p, {1, 1, 1}));
        for (std::size_t k = 0; k < 13; ++k) {
          for (const int sign : {1, -1}) {
            const Index3 q = p + kPairOffsets[k] * sign;
            if (domain.contains(q) && at(q) != at(p)) ++sums.crossings[k];
          }
        }
      }
    }
  }
  result.erase(0);
  return result;
}

void expect_equal(const std::vector<ObjectSums>& found, const std::map<std::uint64_t, ObjectSums>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  std::size_t i = 0;
  for (const auto& [id, sums] : expected) {
    ASSERT_EQ(found[i].id, id);
    ASSERT_EQ(found[i].voxels, sums.voxels);
    ASSERT_EQ(found[i].index_sum, sums.index_sum);
    ASSERT_EQ(found[i].box, sums.box);
    ASSERT_EQ(found[i].crossings, sums.crossings);
    ++i;
  }
}

template <class Id>
void expect_blocks_add_up() {
  std::mt19937 random(3);
  const Box domain{{-3, 100, 7}, {4, 109, 49}};
  const Shape3 shape = domain.shape();
  for (const int runs : {1, 4, 12}) {
    Array<Id> labels(shape);
    for (std::int64_t i = 0; i < labels.size(); ++i) {
      const bool keep = i > 0 && random() % static_cast<unsigned>(runs) != 0;
      const unsigned pick = random() % 6;
      labels.data()[i] = keep ? labels.data()[i - 1] : pick < 3 ? 0 : static_cast<Id>(Id(-1) / (pick - 2));
    }
    const auto expected = brute_force(labels, domain);
    expect_equal(measure_block<Id>(labels, domain, domain, domain), expected);
    for (const Shape3& block : {Shape3{2, 4, 16}, Shape3{1, 1, 1}, Shape3{7, 3, 5}}) {
      std::vector<ObjectSums> all;
      for (std::int64_t z = domain.begin.z; z < domain.end.z; z += block.z) {
        for (std::int64_t y = domain.begin.y; y < domain.end.y; y += block.y) {
          for (std::int64_t x = domain.begin.x; x < domain.end.x; x += block.x) {
            const Box owned = Box::at({z, y, x}, block).intersect(domain);
            const Box view = owned.grow({0, 1, 1}, {1, 1, 1}).intersect(domain);
            const ArrayView<const Id> whole = labels.view();
            all = merge_sums(
                all, measure_block<Id>(whole.part(view.translate(domain.begin * -1)), view, owned, domain));
          }
        }
      }
      expect_equal(all, expected);
    }
  }
}

TEST(MeasureObjects, SumsEqualBruteForceAndAddUpOverAnyBlocks) {
  expect_blocks_add_up<std::uint8_t>();
  expect_blocks_add_up<std::uint16_t>();
  expect_blocks_add_up<std::uint32_t>();
  expect_blocks_add_up<std::uint64_t>();
}

TEST(MeasureObjects, FacesTowardsATouchingIdCountForBoth) {
  Array<std::uint8_t> labels({1, 1, 4});
  labels(0, 0, 1) = 5;
  labels(0, 0, 2) = 6;
  const Box domain = Box::of_shape(labels.shape());
  const auto sums = measure_block<std::uint8_t>(labels, domain, domain, domain);
  ASSERT_EQ(sums.size(), 2u);
  EXPECT_EQ(sums[0].crossings[2], 2);
  EXPECT_EQ(sums[1].crossings[2], 2);
}

TEST(MeasureObjects, BoxOfOneVoxelInNanometres) {
  Array<std::uint8_t> labels({3, 3, 3});
  labels(1, 2, 0) = 1;
  const Box domain = Box::of_shape(labels.shape());
  const VoxelGrid grid{{8, 4, 2}, {100, 200, 300}};
  const auto sums = measure_block<std::uint8_t>(labels, domain, domain, domain);
  const ObjectMeasures m = finish_measures(sums[0], grid, surface_weights(grid.voxel_size_nm));
  EXPECT_EQ(m.volume_nm3, 64);
  EXPECT_EQ(m.centroid_nm, (PointNm{108, 208, 300}));
  EXPECT_EQ(m.begin_nm, (PointNm{104, 206, 299}));
  EXPECT_EQ(m.end_nm, (PointNm{112, 210, 301}));
  // At the domain's faces y and x one face each is not inside the domain.
  EXPECT_EQ(m.surface_faces_nm2, 2 * 4 * 2 + 1 * 8 * 2 + 1 * 8 * 4);
}

/// Measures { p : inside(p - centre) }, p in nm; the domain ends two voxels outside `half_extent_nm`.
ObjectMeasures measure_shape(const SizeNm& voxel_size, const SizeNm& half_extent_nm, const PointNm& centre,
                             const std::function<bool(double, double, double)>& inside) {
  const Shape3 half{static_cast<std::int64_t>(half_extent_nm.z / voxel_size.z) + 2,
                    static_cast<std::int64_t>(half_extent_nm.y / voxel_size.y) + 2,
                    static_cast<std::int64_t>(half_extent_nm.x / voxel_size.x) + 2};
  const Box domain{Index3(half) * -1, Index3(half) + Index3{1, 1, 1}};
  Array<std::uint8_t> labels(domain.shape());
  const VoxelGrid grid{voxel_size, {}};
  for (std::int64_t z = 0; z < labels.shape().z; ++z) {
    for (std::int64_t y = 0; y < labels.shape().y; ++y) {
      for (std::int64_t x = 0; x < labels.shape().x; ++x) {
        const PointNm p = grid.to_nm(Index3{z, y, x} + domain.begin) - centre;
        labels(z, y, x) = inside(p.z, p.y, p.x) ? 1 : 0;
      }
    }
  }
  const auto sums = measure_block<std::uint8_t>(labels, domain, domain, domain);
  return finish_measures(sums.at(0), grid, surface_weights(voxel_size));
}

TEST(MeasureObjects, SurfaceOfBallsIsWithinTwoPercentFromRadiusTen) {
  for (const SizeNm& voxel_size : {SizeNm{4, 4, 4}, SizeNm{8, 4, 4}, SizeNm{3.24, 4, 4}, SizeNm{5, 8, 4}}) {
    for (const double radius_voxels : {5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0}) {
      // Radius in voxels of the coarsest axis.
      const double r = radius_voxels * voxel_size.largest();
      if (radius_voxels > 20 && voxel_size.largest() > 4) continue;
      double worst = 0;
      for (const PointNm& centre : {PointNm{0, 0, 0}, PointNm{1.3, 0.7, 1.9}, PointNm{0.1, 1.4, 0.4}}) {
        const auto m = measure_shape(voxel_size, SizeNm::cube(r), centre, [&](double z, double y, double x) {
          return z * z + y * y + x * x <= r * r;
        });
        const double error = m.surface_nm2 / (4 * std::numbers::pi * r * r) - 1;
        if (std::abs(error) > std::abs(worst)) worst = error;
      }
      EXPECT_LT(std::abs(worst), radius_voxels >= 10 ? 0.02 : 0.04)
          << "radius " << radius_voxels << " voxel " << to_string(voxel_size);
      RecordProperty("radius " + std::to_string(radius_voxels) + " of " + to_string(voxel_size),
                     std::to_string(worst));
    }
  }
}

double ellipsoid_area(double a, double b, double c) {
  // Numeric integration of |r_u x r_v|.
  constexpr int n = 2000;
  double area = 0;
  for (int i = 0; i < n; ++i) {
    const double t = std::numbers::pi * (i + 0.5) / n;
    for (int j = 0; j < n / 10; ++j) {
      const double p = 2 * std::numbers::pi * (j + 0.5) / (n / 10);
      const double st = std::sin(t), ct = std::cos(t), sp = std::sin(p), cp = std::cos(p);
      area += st * std::sqrt(b * b * c * c * st * st * cp * cp + a * a * c * c * st * st * sp * sp +
                             a * a * b * b * ct * ct);
    }
  }
  return area * (std::numbers::pi / n) * (2 * std::numbers::pi / (n / 10));
}

TEST(MeasureObjects, SurfaceOfEllipsoids) {
  struct Case {
    SizeNm voxel_size;
    double z, y, x;
  };
  for (const Case& c :
       {Case{{4, 4, 4}, 40, 80, 160}, Case{{8, 4, 4}, 120, 50, 80}, Case{{4, 4, 4}, 100, 100, 40}}) {
    const auto m =
        measure_shape(c.voxel_size, {c.z, c.y, c.x}, {0.3, 0.8, 1.1}, [&](double z, double y, double x) {
          return z * z / c.z / c.z + y * y / c.y / c.y + x * x / c.x / c.x <= 1;
        });
    const double error = m.surface_nm2 / ellipsoid_area(c.x, c.y, c.z) - 1;
    // Long and thin at 8,4,4: most of its normals lie in the plane where the weights err most.
    EXPECT_LT(std::abs(error), c.voxel_size.z == 4 ? 0.01 : 0.04) << to_string(c.voxel_size);
  }
}

TEST(MeasureObjects, SurfaceOfATiltedPlaneErrsByItsOrientationOnly) {
  // The estimate of a plane's area, per unit area, as a function of its normal: no voxels needed, each
  // lattice direction meets the plane |cos| / (area between lines) times.
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (const auto& [voxel_size, limit] :
       {std::pair{SizeNm{4, 4, 4}, 0.075}, std::pair{SizeNm{8, 4, 4}, 0.13}}) {
    const SurfaceWeights weights = surface_weights(voxel_size);
    double worst = 0;
    double mean = 0;
    constexpr int kTrials = 20000;
    for (int trial = 0; trial < kTrials; ++trial) {
      double nz = normal(random), ny = normal(random), nx = normal(random);
      const double norm = std::sqrt(nz * nz + ny * ny + nx * nx);
      double estimate = 0;
      for (std::size_t k = 0; k < 13; ++k) {
        const Index3& o = kPairOffsets[k];
        const double along = std::abs(nz * static_cast<double>(o.z) * voxel_size.z +
                                      ny * static_cast<double>(o.y) * voxel_size.y +
                                      nx * static_cast<double>(o.x) * voxel_size.x) /
                             norm;
        estimate += along / voxel_size.product() * weights.nm2_per_crossing[k];
      }
      worst = std::max(worst, std::abs(estimate - 1));
      mean += (estimate - 1) / kTrials;
    }
    EXPECT_LT(worst, limit);
    EXPECT_LT(std::abs(mean), 0.001);
  }
}

}  // namespace
}  // namespace organon::voxel
