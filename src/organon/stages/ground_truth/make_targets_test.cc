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

voxel::TargetOptions target_options() {
  voxel::TargetOptions options;
  options.limit_nm = 24;
  options.factor = {2, 2, 2};
  return options;
}

// The voxel function on the part of the labels inside `box`, all at once.
Array<std::uint8_t> whole(const Box& box, const std::vector<std::uint64_t>& ids) {
  const Array<std::uint64_t> all = make_labels<std::uint64_t>();
  Array<std::uint64_t> labels(box.shape());
  copy_voxels<std::uint64_t>(std::as_const(all).view().part(box), labels);
  Array<std::uint8_t> annotated(box.shape());
  Array<std::uint8_t> member(box.shape());
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const std::uint64_t id = labels.data()[i];
    annotated.data()[i] = id != 9;
    member.data()[i] =
        id != 9 && (ids.empty() ? id != 0 : std::find(ids.begin(), ids.end(), id) != ids.end());
  }
  voxel::TargetOptions options = target_options();
  const Shape3 shape{box.shape().z / 2, box.shape().y / 2, box.shape().x / 2};
  Array<float> target(shape);
  Array<std::uint8_t> mask(shape);
  const Box inner = Box::of_shape(box.shape());
  const Array<float> to_unannotated =
      voxel::distance_to_unannotated(annotated, inner, kGrid.voxel_size_nm, options, options.limit_nm);
  voxel::make_target(member, to_unannotated, inner, kGrid.voxel_size_nm, options, target, mask);
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

// A second volume at half the voxel size, 0 where nothing was painted; a third, at that of the targets, a
// mask; a fourth, as coarse, known where something is painted in the first.
std::string store_bytes(const std::string& address, const Array<std::uint8_t>& voxels,
                        const VoxelGrid& grid) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {16, 16, 16};
  spec.data_type = DataType::kUint8;
  spec.grid = grid;
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

TEST(MakeTargets, VolumesMasksConstantsAndJoinedClassesAreAsIfMadeByHand) {
  const TemporaryFolder folder;
  auto description = description_of(store_labels<std::uint16_t>(folder.path()), folder.path(), {8, 8, 16});
  const std::string base = "n5://" + (folder.path() / "labels.n5").string();
  Random random(8);
  Array<std::uint8_t> own({48, 68, 84}, 1);
  for (std::int64_t i = 0; i < own.size(); ++i) {
    if (random.uniform() < 0.0005) own.data()[i] = static_cast<std::uint8_t>(random.below(4));
  }
  Array<std::uint8_t> mask({12, 17, 20}, 1);  // one voxel short of the targets along x
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = random.uniform() < 0.99;
  Array<std::uint8_t> coarse({12, 17, 21});
  for (std::int64_t i = 0; i < coarse.size(); ++i) coarse.data()[i] = random.uniform() < 0.3 ? 2 : 0;
  description.inputs.push_back(store_bytes(base + "/own", own, {{2, 2, 2}, {1, 1, 1}}));
  description.inputs.push_back(store_bytes(base + "/mask", mask, {{8, 8, 8}, {4, 4, 4}}));
  description.inputs.push_back(store_bytes(base + "/coarse", coarse, {{8, 8, 8}, {4, 4, 4}}));
  description.options_json =
      R"({"classes": ["all", "own", "both", "thin", "none", "coarse"],
          "ids": ["3+4", "1:2+3", "0:3+4", "3+4", "-", "3:2"], "add_nm": [0, 6, 0, -3, 0, 0],
          "joined": ["", "", "own+none", "", "all", ""], "masks": [2, -1, -1, -1, -1, 0],
          "unlabelled_id": [9, 0, -1, -1], "voxel_size_nm": 8, "limit_nm": 24, "chunk_shape": [8, 8, 8]})";
  ASSERT_TRUE(run(description).failures.empty());

  const Shape3 cells{12, 17, 21};
  const auto make = [&](const Array<std::uint8_t>& member, const Array<std::uint8_t>& annotated,
                        double add_nm, std::int64_t factor, Array<std::uint8_t>& known) {
    voxel::TargetOptions options = target_options();
    options.factor = Shape3::cube(factor);
    options.add_nm = add_nm;
    Array<float> target(cells);
    known = Array<std::uint8_t>(cells);
    const double size = 8.0 / static_cast<double>(factor);
    const Box inner = Box::of_shape(member.shape());
    const Array<float> to_unannotated = voxel::distance_to_unannotated(
        annotated, inner, {size, size, size}, options, options.limit_nm + std::abs(add_nm));
    voxel::make_target(member, to_unannotated, inner, {size, size, size}, options, target, known);
    return target;
  };
  const Array<std::uint64_t> labels = make_labels<std::uint64_t>();
  Array<std::uint8_t> member(kShape), annotated(kShape), masked(kShape), own_member(own.shape()),
      own_annotated(own.shape());
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        member(z, y, x) = labels(z, y, x) == 3 || labels(z, y, x) == 4;
        annotated(z, y, x) = labels(z, y, x) != 9;
        masked(z, y, x) = annotated(z, y, x) != 0 && x / 2 < 20 && mask(z / 2, y / 2, x / 2) != 0;
      }
    }
  }
  for (std::int64_t i = 0; i < own.size(); ++i) {
    own_member.data()[i] = own.data()[i] >= 2;
    own_annotated.data()[i] = own.data()[i] != 0;
  }
  Array<std::uint8_t> coarse_member(cells), coarse_annotated(cells);
  for (std::int64_t z = 0; z < cells.z; ++z) {
    for (std::int64_t y = 0; y < cells.y; ++y) {
      for (std::int64_t x = 0; x < cells.x; ++x) {
        coarse_member(z, y, x) = coarse(z, y, x) == 2;
        coarse_annotated(z, y, x) = labels(2 * z, 2 * y, 2 * x) != 0;
      }
    }
  }
  Array<std::uint8_t> known_all, known_own, known_both, known_thin, known_coarse;
  const Array<float> all = make(member, masked, 0, 2, known_all);
  const Array<float> own_target = make(own_member, own_annotated, 6, 4, known_own);
  const Array<float> both = make(member, annotated, 0, 2, known_both);
  const Array<float> coarse_target = make(coarse_member, coarse_annotated, 0, 1, known_coarse);
  // Annotated as "both" is, so that what lies near the border is not looked at anew, with another constant.
  const Array<float> thin = make(member, annotated, -3, 2, known_thin);
  const auto found_thin = read_class(description, "thin");
  const auto found_all = read_class(description, "all");
  const auto found_own = read_class(description, "own");
  const auto found_both = read_class(description, "both");
  const auto found_none = read_class(description, "none");
  const auto found_coarse = read_class(description, "coarse");
  const auto stored = [](float target, bool is_known) {
    return is_known ? std::max<std::uint8_t>(1, voxel::quantize_prediction(target)) : std::uint8_t{0};
  };
  std::int64_t num_joined = 0, num_coarse = 0;
  for (std::int64_t i = 0; i < cells.product(); ++i) {
    const bool is_all = known_all.data()[i] != 0;
    const bool is_own = known_own.data()[i] != 0;
    ASSERT_EQ(found_all.data()[i], stored(all.data()[i], is_all)) << i;
    ASSERT_EQ(found_own.data()[i], stored(own_target.data()[i], is_own)) << i;
    ASSERT_EQ(found_thin.data()[i], stored(thin.data()[i], known_thin.data()[i] != 0)) << i;
    ASSERT_EQ(found_both.data()[i],
              stored(std::max(both.data()[i], own_target.data()[i]), known_both.data()[i] != 0 || is_own))
        << i;
    ASSERT_EQ(found_none.data()[i], stored(all.data()[i], is_all)) << i;
    ASSERT_EQ(found_coarse.data()[i], stored(coarse_target.data()[i], known_coarse.data()[i] != 0)) << i;
    num_coarse += known_coarse.data()[i];
    num_joined += is_own && own_target.data()[i] > both.data()[i];
  }
  EXPECT_GT(num_joined, 0);
  EXPECT_GT(num_coarse, 0);
}

TEST(MakeTargets, LabelsThatDoNotReduceToTheTargetsAreRefused) {
  const TemporaryFolder folder;
  auto description = description_of(store_labels<std::uint8_t>(folder.path()), folder.path(), {});
  for (const char* options :
       {R"({"classes": ["a"], "ids": ["1"], "voxel_size_nm": 6})",
        R"({"classes": ["a"], "ids": ["1"], "voxel_size_nm": 2})",
        R"({"classes": ["a", "b"], "ids": ["1"], "voxel_size_nm": 8})",
        R"({"classes": ["a"], "ids": ["x"], "voxel_size_nm": 8})",
        R"({"classes": ["a"], "ids": ["1:3"], "voxel_size_nm": 8})",
        R"({"classes": ["a"], "ids": ["1&"], "voxel_size_nm": 8})",
        R"({"classes": ["a"], "ids": [":1"], "voxel_size_nm": 8})",
        R"({"classes": ["a"], "ids": [""], "voxel_size_nm": 8})", R"({"classes": [], "ids": []})",
        R"({"classes": ["a"], "ids": ["1"], "joined": ["b"]})",
        R"({"classes": ["a"], "ids": ["1"], "joined": ["a"]})",
        R"({"classes": ["a"], "ids": ["1"], "masks": [1]})",
        R"({"classes": ["a"], "ids": ["1"], "add_nm": [138]})",
        R"({"classes": ["a"], "ids": ["1"], "add_nm": [1, 2]})",
        R"({"classes": ["a"], "ids": ["1"], "unlabelled_id": [0, 0]})",
        R"({"classes": ["a"], "ids": ["1"], "voxel_size_nm": [8, 8]})"}) {
    description.options_json = options;
    EXPECT_THROW(make_targets_stage(description), Error) << options;
  }
}

}  // namespace
}  // namespace organon::stages
