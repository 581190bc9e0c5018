#include "organon/voxel/training_targets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "organon/array/array.h"
#include "organon/array/copy.h"
#include "organon/base/random.h"

namespace organon::voxel {
namespace {

Array<std::uint8_t> random_mask(const Shape3& shape, double density, std::uint64_t seed) {
  Array<std::uint8_t> mask(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = random.uniform() < density;
  return mask;
}

double distance_nm(const Index3& a, const Index3& b, const SizeNm& size) {
  const double z = static_cast<double>(a.z - b.z) * size.z;
  const double y = static_cast<double>(a.y - b.y) * size.y;
  const double x = static_cast<double>(a.x - b.x) * size.x;
  return std::sqrt(z * z + y * y + x * x);
}

template <class Function>
void for_each(const Shape3& shape, Function&& function) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) function(Index3{z, y, x});
    }
  }
}

double nearest_by_search(const Array<std::uint8_t>& mask, const Index3& from, const SizeNm& size) {
  double nearest = std::numeric_limits<double>::infinity();
  for_each(mask.shape(), [&](const Index3& at) {
    if (mask(at) != 0) nearest = std::min(nearest, distance_nm(from, at, size));
  });
  return nearest;
}

// Straight from the definition in the header, voxel by voxel.
struct Twin {
  const Array<std::uint8_t>& member;
  const Array<std::uint8_t>& annotated;
  SizeNm size;
  TargetOptions options;

  // Which voxels are outside of erode(mask); beyond the view `beyond` holds.
  static Array<std::uint8_t> not_eroded(const Array<std::uint8_t>& mask, bool beyond) {
    const Box whole = Box::of_shape(mask.shape());
    Array<std::uint8_t> result(mask.shape());
    for_each(mask.shape(), [&](const Index3& at) {
      bool is_inner = true;
      for_each({3, 3, 3}, [&](const Index3& step) {
        const Index3 near = at + step - Index3{1, 1, 1};
        is_inner = is_inner && (whole.contains(near) ? mask(near) != 0 : beyond);
      });
      result(at) = !is_inner;
    });
    return result;
  }

  Index3 first_voxel(const Index3& cell) const {
    return {cell.z * options.factor.z, cell.y * options.factor.y, cell.x * options.factor.x};
  }
  Shape3 sampled() const {
    return options.sampling == TargetSampling::kMean ? options.factor : Shape3{1, 1, 1};
  }

  // Returns how many annotated voxels have no say.
  std::int64_t expect(const Box& inner_cells, const Array<float>& target,
                      const Array<std::uint8_t>& mask) const {
    const Shape3& f = options.factor;
    const Shape3 cells{member.shape().z / f.z, member.shape().y / f.y, member.shape().x / f.x};
    const SizeNm cell_size{size.z * static_cast<double>(f.z), size.y * static_cast<double>(f.y),
                           size.x * static_cast<double>(f.x)};
    Array<std::uint8_t> known(cells);
    for_each(cells, [&](const Index3& cell) {
      bool all = true;
      for_each(sampled(), [&](const Index3& step) { all = all && annotated(first_voxel(cell) + step) != 0; });
      known(cell) = all;
    });
    const Array<std::uint8_t> boundary = not_eroded(member, true);
    const Array<std::uint8_t> border_cells = not_eroded(known, false);
    const double limit = options.limit_nm;
    const double add = options.add_nm;
    std::int64_t num_uncertain = 0;
    for_each(inner_cells.shape(), [&](const Index3& at) {
      const Index3 cell = inner_cells.begin + at;
      double d = 0;
      for_each(sampled(), [&](const Index3& step) {
        const Index3 voxel = first_voxel(cell) + step;
        const double raw = member(voxel) ? nearest_by_search(boundary, voxel, size)
                                         : -nearest_by_search(member, voxel, size);
        d += std::clamp(raw, -limit - add, limit - add);
      });
      d /= static_cast<double>(sampled().product());
      const double b = nearest_by_search(border_cells, cell, cell_size);
      bool is_known = known(cell) != 0;
      // To a thousandth: where the two are equal, the last bits of sums do not decide.
      if (options.sampling == TargetSampling::kMean && std::abs(std::abs(d) - b - (d < 0 ? 1 : 0)) < 1e-3)
        return;
      if (d >= 0 && b < limit - add && d >= b) is_known = false;
      if (d < 0 && b + 1 < limit - add && -d >= b + 1) is_known = false;
      num_uncertain += known(cell) != 0 && !is_known;
      EXPECT_NEAR(target(at), std::tanh((d + add) / options.scale_nm), 1e-5) << to_string(cell);
      EXPECT_EQ(mask(at) != 0, is_known) << to_string(cell) << " d " << d << " b " << b;
    });
    return num_uncertain;
  }
};

void make(const Array<std::uint8_t>& member, const Array<std::uint8_t>& annotated, const Box& inner,
          const SizeNm& size, const TargetOptions& options, Array<float>& target, Array<std::uint8_t>& mask) {
  const Array<float> to_unannotated =
      distance_to_unannotated(annotated, inner, size, options, options.limit_nm + std::abs(options.add_nm));
  make_target(member, to_unannotated, inner, size, options, target, mask);
}

TEST(TrainingTargets, EqualTheDefinitionOnRandomLabels) {
  std::int64_t num_uncertain = 0;
  for (int i = 0; i < 12; ++i) {
    SCOPED_TRACE(i);
    TargetOptions options;
    options.factor = i % 3 == 0 ? Shape3{1, 1, 1} : i % 3 == 1 ? Shape3{2, 2, 2} : Shape3{1, 2, 3};
    options.sampling = i % 2 == 0 ? TargetSampling::kEveryNth : TargetSampling::kMean;
    options.limit_nm = 20;
    options.add_nm = i % 4 == 3 ? 3 : (i % 4 == 2 ? -2 : 0);
    const SizeNm size = i < 6 ? SizeNm{6, 4, 5} : SizeNm{2, 2, 2};
    const Shape3 shape{12, 14, 18};
    Array<std::uint8_t> member = random_mask(shape, i % 5 == 4 ? 0 : 0.01, 10 + static_cast<unsigned>(i));
    if (i % 5 != 4) {
      for_each({7, 7, 8}, [&](const Index3& at) { member(at + Index3{1, 2, 3}) = 1; });
    }
    const Array<std::uint8_t> annotated = random_mask(shape, 0.999, 40 + static_cast<unsigned>(i));
    const Shape3 f = options.factor;
    const Box inner{{2, 4, 6}, {10, 12, 12}};
    const Box inner_cells{{inner.begin.z / f.z, inner.begin.y / f.y, inner.begin.x / f.x},
                          {inner.end.z / f.z, inner.end.y / f.y, inner.end.x / f.x}};
    Array<float> target(inner_cells.shape());
    Array<std::uint8_t> mask(inner_cells.shape());
    make(member, annotated, inner, size, options, target, mask);
    num_uncertain += Twin{member, annotated, size, options}.expect(inner_cells, target, mask);
  }
  EXPECT_GT(num_uncertain, 100);
}

// Inside a block's halo nothing else than in the whole volume is seen.
TEST(TrainingTargets, TheHaloSuffices) {
  TargetOptions options;
  options.limit_nm = 12;
  options.add_nm = 3;
  options.factor = {2, 2, 2};
  const SizeNm size{3, 2, 4};
  const Shape3 shape{44, 60, 40};
  Array<std::uint8_t> member = random_mask(shape, 0.002, 3);
  for_each({30, 30, 20}, [&](const Index3& at) { member(at + Index3{6, 20, 9}) = 1; });
  const Array<std::uint8_t> annotated = random_mask(shape, 0.9995, 7);
  Array<float> whole({22, 30, 20});
  Array<std::uint8_t> whole_mask({22, 30, 20});
  make(member, annotated, Box::of_shape(shape), size, options, whole, whole_mask);
  const Box inner{{18, 26, 14}, {24, 34, 22}};
  const Shape3 halo = target_halo(size, options);
  const Box view = inner.grow(halo, halo);
  ASSERT_TRUE(Box::of_shape(shape).contains(view)) << to_string(view);
  const auto part = [&](const Array<std::uint8_t>& of) {
    Array<std::uint8_t> copy(view.shape());
    copy_voxels<std::uint8_t>(of.view().part(view), copy);
    return copy;
  };
  Array<float> target({3, 4, 4});
  Array<std::uint8_t> mask({3, 4, 4});
  make(part(member), part(annotated), inner.translate(Index3{} - view.begin), size, options, target, mask);
  for_each(target.shape(), [&](const Index3& at) {
    const Index3 there = at + Index3{9, 13, 7};
    ASSERT_EQ(target(at), whole(there));
    ASSERT_EQ(mask(at), whole_mask(there));
  });
}

// Drawn by hand: a bar along x of ten 2 nm voxels in a row of thirty, the rest of the view alike.
TEST(TrainingTargets, ABarHasTheDistancesOfThePaper) {
  const Shape3 shape{30, 30, 30};
  Array<std::uint8_t> member(shape);
  for_each({30, 30, 10}, [&](const Index3& at) { member(at + Index3{0, 0, 10}) = 1; });
  const Array<std::uint8_t> annotated(shape, 1);
  TargetOptions options;
  options.factor = {2, 2, 2};
  options.limit_nm = 8;
  Array<float> target({15, 15, 15});
  Array<std::uint8_t> mask({15, 15, 15});
  make(member, annotated, Box::of_shape(shape), {2, 2, 2}, options, target, mask);
  //                            label voxel 0   2   4   6   8  10 12 14 16 18  20  22  24  26  28
  const std::vector<double> distance_nm = {-8, -8, -8, -8, -4, 0, 4, 8, 6, 2, -2, -6, -8, -8, -8};
  for (std::int64_t x = 0; x < 15; ++x) {
    EXPECT_NEAR(target(7, 7, x), std::tanh(distance_nm[static_cast<std::size_t>(x)] / 50), 1e-6) << x;
    // Cells 0, 1 and 13, 14 lie nearer to the end than the next boundary: that may be beyond it.
    EXPECT_EQ(mask(7, 7, x) != 0, x >= 2 && x <= 12) << x;
  }
}

TEST(TrainingTargets, QuantizationPutsTheBoundaryAt127) {
  EXPECT_EQ(quantize_prediction(0), 127);
  EXPECT_EQ(quantize_prediction(1), 255);
  EXPECT_EQ(quantize_prediction(-1), 0);
  EXPECT_EQ(quantize_prediction(-5), 0);
}

}  // namespace
}  // namespace organon::voxel
