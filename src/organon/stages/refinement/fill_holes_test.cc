#include "organon/stages/refinement/fill_holes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{24, 30, 26};

// Hollow balls with holes across blocks, two of them touching so that one hole borders both, one open to the
// edge.
Array<std::uint16_t> make_labels() {
  Array<std::uint16_t> labels(kShape);
  struct Ball {
    Index3 centre;
    double outer;
    double inner;
    std::uint16_t id;
  };
  const std::vector<Ball> balls = {
      {{8, 8, 8}, 7, 4, 3}, {{16, 20, 16}, 7.5, 6, 900}, {{12, 15, 2}, 5, 3, 7}, {{20, 5, 21}, 4, 1.5, 8}};
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        for (const Ball& ball : balls) {
          const Index3 d = Index3{z, y, x} - ball.centre;
          const double r = std::sqrt(static_cast<double>(d.z * d.z + d.y * d.y + d.x * d.x));
          if (r <= ball.outer && r >= ball.inner) labels(z, y, x) = ball.id;
        }
      }
    }
  }
  // A hole between two ids: a closed box whose walls belong to both.
  for (std::int64_t z = 1; z < 6; ++z) {
    for (std::int64_t y = 20; y < 25; ++y) {
      for (std::int64_t x = 18; x < 23; ++x) {
        const bool wall = z == 1 || z == 5 || y == 20 || y == 24 || x == 18 || x == 22;
        labels(z, y, x) = wall ? (x == 22 ? 5 : 6) : 0;
      }
    }
  }
  Random random(5);
  for (int i = 0; i < 40; ++i) {
    labels(static_cast<std::int64_t>(random.below(24)), static_cast<std::int64_t>(random.below(30)),
           static_cast<std::int64_t>(random.below(26))) = 0;
  }
  return labels;
}

// Flood fill of each background component, looking at all 26 neighbours of each voxel.
Array<std::uint16_t> fill_by_flooding(const Array<std::uint16_t>& labels) {
  Array<std::uint16_t> result = labels.clone();
  Array<std::uint8_t> seen(kShape);
  const Box domain = Box::of_shape(kShape);
  for (std::int64_t start = 0; start < labels.size(); ++start) {
    if (labels.data()[start] != 0 || seen.data()[start] != 0) continue;
    std::vector<Index3> component = {
        {start / (kShape.y * kShape.x), start / kShape.x % kShape.y, start % kShape.x}};
    seen.data()[start] = 1;
    std::set<std::uint16_t> met;
    bool touches_edge = false;
    for (std::size_t i = 0; i < component.size(); ++i) {
      for (std::int64_t z = -1; z <= 1; ++z) {
        for (std::int64_t y = -1; y <= 1; ++y) {
          for (std::int64_t x = -1; x <= 1; ++x) {
            const Index3 near = component[i] + Index3{z, y, x};
            if (!domain.contains(near)) {
              touches_edge = true;
              continue;
            }
            if (labels(near) != 0) {
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

std::string store_labels(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint16;
  const std::string address = "n5://" + (folder / "l.n5" / "mito").string();
  const Array<std::uint16_t> labels = make_labels();
  storage::create_dataset(address, spec)->write<std::uint16_t>(spec.domain(), labels.view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::string& input, const std::filesystem::path& folder,
                                           const Shape3& block_shape) {
  blockwise::StageDescription description;
  description.verb = "refine";
  description.inputs = {input};
  description.outputs = {"n5://" + (folder / "out.n5" / "labels").string()};
  description.block_shape = block_shape;
  return description;
}

TEST(FillHoles, BlocksGiveTheVoxelsOfFlooding) {
  const TemporaryFolder folder;
  const auto description = description_of(store_labels(folder.path()), folder.path(), {8, 8, 8});
  ASSERT_TRUE(blockwise::testing::run_in({make_refine_stage, {}, {}}, description, 2).failures.empty());
  const auto filled =
      storage::open_dataset(description.outputs[0])->read_as<std::uint16_t>(Box::of_shape(kShape));
  const auto labels = make_labels();
  const auto expected = fill_by_flooding(labels);
  std::int64_t changed = 0;
  for (std::int64_t i = 0; i < filled.size(); ++i) {
    ASSERT_EQ(filled.data()[i], expected.data()[i]) << i;
    changed += expected.data()[i] != labels.data()[i];
  }
  EXPECT_GT(changed, 200);
  EXPECT_EQ(filled(3, 22, 20), 0) << "a hole between two ids stays open";
}

TEST(FillHoles, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string input = store_labels(folder.path());
  blockwise::testing::expect_stage_contract({make_refine_stage,
                                             [&](const std::filesystem::path& out, const Shape3& shape) {
                                               return description_of(input, out, shape);
                                             },
                                             {{8, 8, 8}, {16, 8, 24}, {64, 64, 64}}});
}

}  // namespace
}  // namespace organon::stages
