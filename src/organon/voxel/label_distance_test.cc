#include "organon/voxel/label_distance.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/voxel/distance_transform.h"

namespace organon::voxel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Function>
void for_each(const Shape3& shape, Function&& function) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) function(Index3{z, y, x});
    }
  }
}

// Cuboids of random ids that cover each other; the largest id does not fit a smaller type.
template <class Id>
Array<Id> random_labels(const Shape3& shape, int num_cuboids, std::uint64_t seed) {
  const Id ids[] = {0, 1, 2, std::numeric_limits<Id>::max()};
  Array<Id> labels(shape);
  Random random(seed);
  const auto below = [&](std::int64_t limit) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(limit)));
  };
  for (int i = 0; i < num_cuboids; ++i) {
    const Index3 begin{below(shape.z), below(shape.y), below(shape.x)};
    const Index3 end = begin + Index3{1 + below(shape.z), 1 + below(shape.y), 1 + below(shape.x)};
    const Box box = Box{begin, end}.intersect(Box::of_shape(shape));
    const Id id = ids[random.below(4)];
    for_each(box.shape(), [&](const Index3& at) { labels(box.begin + at) = id; });
  }
  return labels;
}

// Squared, over all voxels, and over those just outside where these are background.
template <class Id>
double nearest_by_search(const Array<Id>& labels, const Index3& from, const SizeNm& size,
                         DistanceBorder border) {
  if (labels(from) == 0) return 0;
  const Shape3 shape = labels.shape();
  double nearest = kInfinity;
  const auto meet = [&](const Index3& at) {
    const double z = static_cast<double>(from.z - at.z) * size.z;
    const double y = static_cast<double>(from.y - at.y) * size.y;
    const double x = static_cast<double>(from.x - at.x) * size.x;
    nearest = std::min(nearest, z * z + y * y + x * x);
  };
  for_each(shape, [&](const Index3& at) {
    if (labels(at) != labels(from)) meet(at);
  });
  if (border == DistanceBorder::kBackground) {
    for_each(shape + Shape3::cube(2), [&](const Index3& padded) {
      const Index3 at = padded - Index3{1, 1, 1};
      if (!Box::of_shape(shape).contains(at)) meet(at);
    });
  }
  return nearest;
}

template <class Id>
void expect_search_result(std::uint64_t seed) {
  const SizeNm sizes[] = {{1, 1, 1}, {8, 4, 4}, {3.24, 4, 5.5}, {0.5, 40, 3}};
  const Shape3 shapes[] = {{1, 1, 40}, {7, 9, 11}, {1, 38, 1}, {40, 2, 3}, {4, 5, 35}, {3, 36, 4}};
  const SizeNm size = sizes[seed % 4];
  const Shape3 shape = shapes[seed % 6];
  const auto border = seed % 2 == 0 ? DistanceBorder::kAbsent : DistanceBorder::kBackground;
  const Array<Id> labels = random_labels<Id>(shape, static_cast<int>(seed % 12), seed);
  Array<float> squared(shape);
  squared_label_distance<Id>(labels, size, {border, kInfinity}, squared);
  Array<float> distance(shape);
  label_distance<Id>(labels, size, {border, kInfinity}, distance);
  for_each(shape, [&](const Index3& at) {
    const double expected = nearest_by_search(labels, at, size, border);
    if (std::isinf(expected)) {
      ASSERT_TRUE(std::isinf(squared(at)) && std::isinf(distance(at))) << "seed " << seed;
    } else if (seed % 4 < 2) {
      ASSERT_EQ(squared(at), expected) << "seed " << seed;  // whole numbers are exact
    } else {
      ASSERT_NEAR(squared(at), expected, 1e-6 * expected) << "seed " << seed;
    }
    ASSERT_EQ(distance(at), std::sqrt(squared(at)));
  });
}

TEST(LabelDistance, EqualsSearchOverAllVoxels) {
  for (std::uint64_t seed = 0; seed < 48; ++seed) {
    expect_search_result<std::uint8_t>(seed);
    expect_search_result<std::uint16_t>(seed);
    expect_search_result<std::uint32_t>(seed);
    expect_search_result<std::uint64_t>(seed);
  }
}

// Distances of hundreds of voxels take the search's other path: rows are passed over by their minima.
TEST(LabelDistance, FarDistancesAreExact) {
  const Shape3 shape{2, 700, 90};
  Array<std::uint16_t> labels(shape, 7);
  const std::vector<Index3> others = {{0, 3, 4}, {1, 650, 88}, {0, 340, 0}};
  for (const Index3& other : others) labels(other) = 3;
  for (std::int64_t x = 0; x < shape.x; ++x) labels(1, 699 - x / 3, x) = 9;
  std::vector<Index3> borders = others;
  for (std::int64_t x = 0; x < shape.x; ++x) borders.push_back({1, 699 - x / 3, x});
  for (const SizeNm& size : {SizeNm{1, 1, 1}, SizeNm{2, 1, 30}, SizeNm{1, 5, 1}}) {
    Array<float> squared(shape);
    squared_label_distance<std::uint16_t>(labels, size, {}, squared);
    for_each(shape, [&](const Index3& at) {
      if (labels(at) != 7) return;
      double expected = kInfinity;
      for (const Index3& border : borders) {
        const double z = static_cast<double>(at.z - border.z) * size.z;
        const double y = static_cast<double>(at.y - border.y) * size.y;
        const double x = static_cast<double>(at.x - border.x) * size.x;
        expected = std::min(expected, z * z + y * y + x * x);
      }
      ASSERT_EQ(squared(at), expected);
    });
  }
}

// Per object the distance to what it is not: the multi-label transform is that of each mask by itself.
TEST(LabelDistance, EqualsTheTransformOfEachObjectsMask) {
  const Shape3 shape{30, 41, 52};
  const SizeNm size{15, 16, 16};
  const Array<std::uint32_t> labels = random_labels<std::uint32_t>(shape, 40, 11);
  Array<float> squared(shape);
  squared_label_distance<std::uint32_t>(labels, size, {}, squared);
  for (const std::uint32_t id : {1u, 2u, std::numeric_limits<std::uint32_t>::max()}) {
    Array<std::uint8_t> mask(shape);
    for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = labels.data()[i] == id;
    Array<float> alone(shape);
    squared_distance_transform(mask, size, {.to = DistanceTo::kBackground}, alone);
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      if (mask.data()[i] == 0) continue;
      ASSERT_EQ(squared.data()[i], alone.data()[i]);
    }
  }
}

TEST(LabelDistance, EveryInstructionSetGivesTheSameVoxels) {
  const Shape3 shape{23, 90, 75};
  const Array<std::uint32_t> labels = random_labels<std::uint32_t>(shape, 14, 21);
  Array<float> expected(shape);
  squared_label_distance<std::uint32_t>(labels, {3.3, 4.1, 5.7}, {}, expected);
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    Array<float> squared(shape);
    squared_label_distance<std::uint32_t>(labels, {3.3, 4.1, 5.7}, {}, squared);
    hwy::SetSupportedTargetsForTest(0);
    for (std::int64_t i = 0; i < squared.size(); ++i)
      ASSERT_EQ(squared.data()[i], expected.data()[i]) << "target " << (rest & -rest) << " at " << i;
  }
}

TEST(LabelDistance, PassesOverPartsGiveTheVoxelsOfTheWhole) {
  const Shape3 shape{19, 37, 70};
  const SizeNm size{3.3, 4.1, 5.7};
  const Array<std::uint64_t> labels = random_labels<std::uint64_t>(shape, 60, 3);
  for (const auto border : {DistanceBorder::kAbsent, DistanceBorder::kBackground}) {
    for (const double bound_nm : {kInfinity, 31.0}) {
      const LabelDistanceOptions options{border, bound_nm};
      Array<float> whole(shape);
      squared_label_distance<std::uint64_t>(labels, size, options, whole);
      Array<float> squared(shape, -1.0F);
      const auto pass = [&](Axis axis, const Box& box) {
        label_distance_pass<std::uint64_t>(labels.view().part(box), axis, size, options,
                                           squared.view().part(box));
      };
      // Bundles of whole lines, the last one first.
      for (std::int64_t y = 36; y >= 0; y -= 9)
        pass(Axis::kX, {{0, std::max<std::int64_t>(0, y - 8), 0}, {19, y + 1, 70}});
      for (std::int64_t x = 0; x < 70; x += 33)
        for (std::int64_t z = 0; z < 19; z += 10)
          pass(Axis::kY,
               {{z, 0, x}, {std::min<std::int64_t>(19, z + 10), 37, std::min<std::int64_t>(70, x + 33)}});
      for (std::int64_t x = 69; x >= 0; x -= 7)
        pass(Axis::kZ, {{0, 0, std::max<std::int64_t>(0, x - 6)}, {19, 37, x + 1}});
      for (std::int64_t i = 0; i < whole.size(); ++i) ASSERT_EQ(squared.data()[i], whole.data()[i]);
    }
  }
}

TEST(LabelDistance, BlocksReadWithTheBoundAsHaloGiveTheVoxelsOfTheWhole) {
  const Shape3 shape{24, 40, 48};
  const SizeNm size{8, 4, 4.4};
  const double bound_nm = 24;
  const Shape3 halo{3, 6, 5};
  const Array<std::uint8_t> labels = random_labels<std::uint8_t>(shape, 12, 8);
  Array<float> all(shape);
  label_distance<std::uint8_t>(labels, size, {}, all);
  Array<float> whole(shape);
  label_distance<std::uint8_t>(labels, size, {.bound_nm = bound_nm}, whole);
  for (std::int64_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(whole.data()[i], all.data()[i] <= 24.0F ? all.data()[i] : static_cast<float>(kInfinity));
  for (std::int64_t z = 0; z < shape.z; z += 8) {
    for (std::int64_t x = 0; x < shape.x; x += 16) {
      const Box block{{z, 10, x}, {z + 8, 30, x + 16}};
      const Box view = block.grow(halo, halo).intersect(Box::of_shape(shape));
      Array<float> part(view.shape());
      label_distance<std::uint8_t>(labels.view().part(view), size, {.bound_nm = bound_nm}, part);
      for_each(block.shape(), [&](const Index3& at) {
        ASSERT_EQ(part(block.begin + at - view.begin), whole(block.begin + at));
      });
    }
  }
}

TEST(LabelDistance, ReadsAndWritesThroughStridedViews) {
  const Array<std::uint16_t> labels = random_labels<std::uint16_t>({6, 7, 40}, 9, 3);
  Array<float> expected({6, 7, 40});
  const LabelDistanceOptions options{DistanceBorder::kBackground, kInfinity};
  label_distance<std::uint16_t>(labels, {1, 2, 3}, options, expected);
  // Axes swapped on both sides: x has the largest stride.
  Array<std::uint16_t> turned({40, 7, 6});
  for_each(labels.shape(), [&](const Index3& at) { turned(at.x, at.y, at.z) = labels(at); });
  Array<float> result({40, 7, 6}, -1.0F);
  const Stride3 stride{1, 6, 42};
  label_distance<std::uint16_t>(ArrayView<const std::uint16_t>(turned.data(), {6, 7, 40}, stride), {1, 2, 3},
                                options, ArrayView<float>(result.data(), {6, 7, 40}, stride));
  for_each(labels.shape(), [&](const Index3& at) { ASSERT_EQ(result(at.x, at.y, at.z), expected(at)); });
}

TEST(LabelDistance, DrawnObjects) {
  Array<std::uint8_t> labels({1, 1, 12});
  const std::uint8_t drawn[] = {0, 5, 5, 5, 5, 5, 7, 7, 0, 3, 3, 3};
  std::copy(std::begin(drawn), std::end(drawn), labels.data());
  Array<float> distance({1, 1, 12});
  label_distance<std::uint8_t>(labels, {4, 4, 4}, {}, distance);
  const float absent[] = {0, 4, 8, 12, 8, 4, 4, 4, 0, 4, 8, 12};
  EXPECT_TRUE(std::equal(std::begin(absent), std::end(absent), distance.data()));
  label_distance<std::uint8_t>(labels.view().part({{0, 0, 0}, {1, 1, 8}}), {100, 100, 4},
                               {DistanceBorder::kBackground, kInfinity},
                               distance.view().part({{0, 0, 0}, {1, 1, 8}}));
  const float closed[] = {0, 4, 8, 12, 8, 4, 4, 4};
  EXPECT_TRUE(std::equal(std::begin(closed), std::end(closed), distance.data()));
}

TEST(LabelDistance, SenselessArgumentsAreRefusedAndExtremeSizesAreInfinite) {
  const Array<std::uint8_t> labels = random_labels<std::uint8_t>({2, 2, 2}, 2, 1);
  Array<float> distance({2, 2, 2});
  EXPECT_THROW(label_distance<std::uint8_t>(labels, {0, 1, 1}, {}, distance), Error);
  EXPECT_THROW(label_distance<std::uint8_t>(labels, {1, 1, 1}, {.bound_nm = -1}, distance), Error);
  EXPECT_THROW(label_distance<std::uint8_t>(labels, {1, 1, 1}, {.bound_nm = std::nan("")}, distance), Error);
  const Array<std::uint8_t> pair = [] {
    Array<std::uint8_t> two({1, 1, 2}, 1);
    two(0, 0, 1) = 2;
    return two;
  }();
  Array<float> squared({1, 1, 2});
  squared_label_distance<std::uint8_t>(pair, {1, 1, 1e30}, {}, squared);
  EXPECT_TRUE(std::isinf(squared(0, 0, 0)));
}

}  // namespace
}  // namespace organon::voxel
