#include "organon/stages/ground_truth/make_targets.h"

#include <gtest/gtest.h>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/voxel/training_targets.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{24, 34, 42};
const VoxelGrid kGrid{{4, 4, 4}, {2, 2, 2}};
constexpr const char* kOptions =
    R"({"classes": ["a", "b"], "ids": ["3+4", "any"], "voxel_size_nm": 8, "limit_nm": 24, "unlabelled_id": 9,
        "chunk_shape": [8, 8, 8]})";

template <class Id>
Array<Id> make_labels() {
  Array<Id> labels(kShape);
  Random random(2);
  for (int ball = 0; ball < 30; ++ball) {
    const Index3 centre{static_cast<std::int64_t>(random.below(24)),
                        static_cast<std::int64_t>(random.below(34)),
                        static_cast<std::int64_t>(random.below(42))};
    const auto radius = static_cast<std::int64_t>(2 + random.below(5));
    const auto id = static_cast<Id>(ball % 15 == 14 ? 9 : random.below(6));
    const Box box = Box::at(centre, {1, 1, 1}).grow(radius).intersect(Box::of_shape(kShape));
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
          const Index3 d = Index3{z, y, x} - centre;
          if (d.z * d.z + d.y * d.y + d.x * d.x <= radius * radius) labels(z, y, x) = id;
        }
      }
    }
  }
  return labels;
}

template <class Id>
std::string store_labels(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {16, 16, 16};
  spec.data_type = data_type_of<Id>();
  spec.grid = kGrid;
  std::string address = "n5://" + (folder / "labels.n5" / "all").string();
  storage::create_dataset(address, spec)->write<Id>(spec.domain(), make_labels<Id>().view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::string& labels, const std::filesystem::path& folder,
                                           const Shape3& block_shape) {
  blockwise::StageDescription description;
  description.verb = "targets";
  description.options_json = kOptions;
  description.inputs = {labels};
  description.outputs = {"n5://" + (folder / "out.n5" / "targets").string()};
  description.block_shape = block_shape;
  return description;
}

blockwise::RunResult run(const blockwise::StageDescription& description) {
  return blockwise::testing::run_in({make_targets_stage, {}, {}}, description, 2);
}

Array<std::uint8_t> read_class(const blockwise::StageDescription& description, const std::string& name) {
  const auto dataset = storage::open_dataset(target_address(description.outputs[0], name));
  return dataset->read_as<std::uint8_t>(dataset->spec().domain());
}

// The voxel function on the part of the labels inside `box`, all at once.
Array<std::uint8_t> whole(const Box& box, const std::vector<std::uint64_t>& ids) {
  const Array<std::uint64_t> all = make_labels<std::uint64_t>();
  Array<std::uint64_t> labels(box.shape());
  copy_voxels<std::uint64_t>(std::as_const(all).view().part(box), labels);
  Array<std::uint8_t> annotated(box.shape());
  for (std::int64_t i = 0; i < labels.size(); ++i) annotated.data()[i] = labels.data()[i] != 9;
  voxel::TargetOptions options;
  options.limit_nm = 24;
  options.factor = 2;
  const Shape3 shape{box.shape().z / 2, box.shape().y / 2, box.shape().x / 2};
  Array<float> target(shape);
  Array<std::uint8_t> mask(shape);
  voxel::make_target(labels, annotated, Box::of_shape(box.shape()), ids, kGrid.voxel_size_nm, options, target,
                     mask);
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    mask.data()[i] = mask.data()[i] != 0
                         ? std::max<std::uint8_t>(1, voxel::quantize_prediction(target.data()[i]))
                         : std::uint8_t{0};
  }
  return mask;
}

TEST(MakeTargets, BlocksGiveTheVoxelsOfTheWholeVolume) {
  const TemporaryFolder folder;
  const auto description =
      description_of(store_labels<std::uint64_t>(folder.path()), folder.path(), {8, 16, 8});
  ASSERT_TRUE(run(description).failures.empty());
  for (const auto& [name, ids] : {std::pair{"a", std::vector<std::uint64_t>{3, 4}}, {"b", {}}}) {
    const auto expected = whole(Box::of_shape(kShape), ids);
    const auto found = read_class(description, name);
    ASSERT_EQ(found.shape(), (Shape3{12, 17, 21}));
    ASSERT_TRUE(std::equal(found.data(), found.data() + found.size(), expected.data())) << name;
    EXPECT_GT(std::count(found.data(), found.data() + found.size(), 0), 0);
    EXPECT_GT(std::count_if(found.data(), found.data() + found.size(), [](auto v) { return v > 127; }), 0);
  }
  const auto dataset = storage::open_dataset(target_address(description.outputs[0], "a"));
  EXPECT_EQ(dataset->spec().grid, (VoxelGrid{{8, 8, 8}, {4, 4, 4}}));
}

TEST(MakeTargets, TypesOfLabelsChangeNothing) {
  const TemporaryFolder folder;
  const auto small = description_of(store_labels<std::uint8_t>(folder.path() / "a"), folder.path() / "a", {});
  const auto large =
      description_of(store_labels<std::uint32_t>(folder.path() / "b"), folder.path() / "b", {});
  ASSERT_TRUE(run(small).failures.empty());
  ASSERT_TRUE(run(large).failures.empty());
  const auto expected = whole(Box::of_shape(kShape), {3, 4});
  const auto found = read_class(small, "a");
  ASSERT_TRUE(std::equal(found.data(), found.data() + found.size(), expected.data()));
  const auto same = read_class(large, "a");
  ASSERT_TRUE(std::equal(found.data(), found.data() + found.size(), same.data()));
}

TEST(MakeTargets, NothingIsKnownOutsideTheBox) {
  const TemporaryFolder folder;
  auto description = description_of(store_labels<std::uint16_t>(folder.path()), folder.path(), {});
  // Label voxels z 6..17, y 8..29, x 10..33.
  description.box_nm = "26,34,42,70,118,134";
  ASSERT_TRUE(run(description).failures.empty());
  const Box box{{6, 8, 10}, {18, 30, 34}};
  const auto expected = whole(box, {});
  const auto found = read_class(description, "b");
  for (std::int64_t z = 0; z < found.shape().z; ++z) {
    for (std::int64_t y = 0; y < found.shape().y; ++y) {
      for (std::int64_t x = 0; x < found.shape().x; ++x) {
        const Index3 at = Index3{z, y, x} - Index3{3, 4, 5};
        const bool inside = Box::of_shape(expected.shape()).contains(at);
        ASSERT_EQ(found(z, y, x), inside ? expected(at) : 0) << z << " " << y << " " << x;
      }
    }
  }
}

TEST(MakeTargets, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string labels = store_labels<std::uint32_t>(folder.path());
  blockwise::testing::StageUnderTest stage{
      make_targets_stage,
      [&](const std::filesystem::path& out, const Shape3& shape) {
        auto description = description_of(labels, out, shape);
        // The suite reads the outputs that are named.
        description.outputs = {target_address(description.outputs[0], "a")};
        return description;
      },
      {{8, 8, 8}, {8, 16, 24}, {256, 256, 256}}};
  // One class, whose dataset stands for the group: its address is the group's with the class behind it.
  stage.factory = [](const blockwise::StageDescription& description) {
    auto group = description;
    group.outputs = {std::filesystem::path(description.outputs[0]).parent_path().string()};
    return make_targets_stage(group);
  };
  blockwise::testing::expect_stage_contract(stage);
}

TEST(MakeTargets, LabelsThatDoNotReduceToTheTargetsAreRefused) {
  const TemporaryFolder folder;
  auto description = description_of(store_labels<std::uint8_t>(folder.path()), folder.path(), {});
  for (const char* options : {R"({"classes": ["a"], "ids": ["1"], "voxel_size_nm": 6})",
                              R"({"classes": ["a"], "ids": ["1"], "voxel_size_nm": 2})",
                              R"({"classes": ["a", "b"], "ids": ["1"], "voxel_size_nm": 8})",
                              R"({"classes": ["a"], "ids": ["x"], "voxel_size_nm": 8})"}) {
    description.options_json = options;
    EXPECT_THROW(make_targets_stage(description), Error) << options;
  }
}

}  // namespace
}  // namespace organon::stages
