#include "organon/stages/evaluation/score_objects.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/array/array.h"
#include "organon/base/random.h"

namespace organon::stages {
namespace {

using Objects = Array<std::uint64_t>;

TEST(ScoreObjects, BoxesHoldExactlyTheirObjects) {
  Objects objects({2, 3, 5});
  objects(0, 1, 1) = 9;
  objects(1, 2, 4) = 9;
  objects(1, 0, 0) = 4;
  const Box place = Box::of_shape({2, 3, 5}).translate({10, 20, 30});
  const std::vector<ObjectBox> boxes = boxes_of(objects, place, true);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_EQ(boxes[0].id, 4U);
  EXPECT_EQ(boxes[0].is_truth, 1U);
  EXPECT_EQ(boxes[0].box, (Box{{11, 20, 30}, {12, 21, 31}}));
  EXPECT_EQ(boxes[1].id, 9U);
  EXPECT_EQ(boxes[1].box, (Box{{10, 21, 31}, {12, 23, 35}}));
}

TEST(ScoreObjects, HausdorffDistanceEqualsLookingAtAllPairs) {
  for (const SizeNm& size : {SizeNm{8, 4, 4}, SizeNm{3.24, 4, 5.5}}) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      Random random(seed);
      const Shape3 shape{4, 6, 7};
      Objects a(shape);
      Objects b(shape);
      for (std::int64_t i = 0; i < shape.product(); ++i) {
        a.data()[i] = random.below(6);
        b.data()[i] = random.uniform() < 0.7 ? a.data()[i] : random.below(9);
      }
      const auto directed = [&](const Objects& from, std::uint64_t from_id, const Objects& to,
                                std::uint64_t to_id) {
        double largest = 0;
        for (std::int64_t i = 0; i < shape.product(); ++i) {
          if (from.data()[i] != from_id) continue;
          double nearest = 1e300;
          for (std::int64_t j = 0; j < shape.product(); ++j) {
            if (to.data()[j] != to_id) continue;
            const auto z = static_cast<double>(i / 42 - j / 42) * size.z;
            const auto y = static_cast<double>(i / 7 % 6 - j / 7 % 6) * size.y;
            const auto x = static_cast<double>(i % 7 - j % 7) * size.x;
            nearest = std::min(nearest, std::sqrt(z * z + y * y + x * x));
          }
          largest = std::max(largest, nearest);
        }
        return largest;
      };
      for (const tables::ObjectPair& pair : {tables::ObjectPair{1, 1}, {2, 5}}) {
        const double expected =
            std::max(directed(a, pair.segmented, b, pair.truth), directed(b, pair.truth, a, pair.segmented));
        EXPECT_NEAR(hausdorff_nm(a, b, pair, size), expected, 0.5 / 1024);
      }
    }
  }
}

TEST(ScoreObjects, HausdorffScoreByHand) {
  // Voxels with a diagonal of 3 nm, a region whose shortest edge is 60 nm: distances count up to 30 nm.
  const SizeNm voxel{1, 2, 2};
  const SizeNm region{60, 100, 100};
  tables::ObjectMatches matches;
  matches.true_positives = 2;
  matches.false_positives = 1;
  matches.false_negatives = 1;
  const std::vector<double> distances{0, 6};
  EXPECT_DOUBLE_EQ(hausdorff_score(matches, distances, region, voxel),
                   (1 + std::pow(1.01, -2) + 2 * std::pow(1.01, -10)) / 4);
  const std::vector<double> far{0, 600};
  EXPECT_DOUBLE_EQ(hausdorff_score(matches, far, region, voxel), (1 + 3 * std::pow(1.01, -10)) / 4);
  EXPECT_TRUE(std::isnan(hausdorff_score({}, {}, region, voxel)));
}

}  // namespace
}  // namespace organon::stages
