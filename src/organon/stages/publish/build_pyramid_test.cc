#include "organon/stages/publish/build_pyramid.h"

#include <gtest/gtest.h>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/publish/pyramid_levels.h"
#include "organon/storage/multiscale.h"
#include "organon/voxel/downsample.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{21, 70, 45};
const VoxelGrid kGrid{{10, 4, 5}, {100, -8, 3}};

template <class T>
Array<T> make_voxels() {
  Array<T> voxels(kShape);
  Random random(5);
  for (std::int64_t z = 0; z < kShape.z; ++z)
    for (std::int64_t y = 0; y < kShape.y; ++y)
      for (std::int64_t x = 0; x < kShape.x; ++x)
        voxels(z, y, x) =
            static_cast<T>((z / 5 * 7 + y / 11 * 3 + x / 6) % 5 == 0 ? 0 : z / 3 + y / 7 + random.below(3));
  return voxels;
}

template <class T>
std::string store(const std::filesystem::path& folder, const std::string& container, const Json& attributes) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = data_type_of<T>();
  spec.grid = kGrid;
  const std::string group = (folder / container / "volume").string();
  const auto dataset = storage::create_dataset(group + "/s0", spec);
  dataset->write<T>(spec.domain(), make_voxels<T>().view(), Fsync::kNo);
  if (!attributes.empty()) dataset->set_attributes(attributes);
  return group;
}

blockwise::StageDescription description_of(const std::string& group, const Shape3& block_shape,
                                           const std::string& options = "{}") {
  blockwise::StageDescription description;
  description.verb = "pyramid";
  description.options_json = options;
  description.inputs = {group + "/s0"};
  description.outputs = {group};
  description.block_shape = block_shape;
  return description;
}

void run(const blockwise::StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  const auto result =
      run_stage(description, make_pyramid_stage,
                blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options, silent);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
}

std::string levels_of(const blockwise::StageDescription& description) {
  std::string text;
  for (const auto& level : storage::open_multiscale(description.outputs[0]).levels) {
    const AnyArray voxels = level->read(level->spec().domain());
    text += to_string(level->spec().shape) + to_hex(hash_bytes(voxels.bytes()));
  }
  return text;
}

TEST(PyramidFactors, VoxelsBecomeCubesFirst) {
  const Shape3 chunk = Shape3::cube(64);
  EXPECT_EQ(pyramid_factors({1000, 1000, 1000}, {8, 8, 8}, chunk, -1),
            (std::vector<Shape3>{{2, 2, 2}, {4, 4, 4}, {8, 8, 8}, {16, 16, 16}}));
  EXPECT_EQ(pyramid_factors({500, 4000, 4000}, {40, 4, 4}, chunk, 4),
            (std::vector<Shape3>{{1, 2, 2}, {1, 4, 4}, {1, 8, 8}, {2, 16, 16}}));
  // Within a factor of two counts as cubes.
  EXPECT_EQ(pyramid_factors({128, 128, 128}, {7, 4, 4}, chunk, -1), (std::vector<Shape3>{{2, 2, 2}}));
  EXPECT_EQ(pyramid_factors({128, 128, 128}, {8, 4, 4}, chunk, -1),
            (std::vector<Shape3>{{1, 2, 2}, {2, 4, 4}}));
  EXPECT_TRUE(pyramid_factors({64, 64, 64}, {8, 8, 8}, chunk, -1).empty());
  // A slice has nothing to halve in z; factors end at 32.
  EXPECT_EQ(pyramid_factors({1, 9000, 9000}, {1, 8, 8}, chunk, -1).back(), (Shape3{1, 32, 32}));
}

template <class T>
void expect_levels(const std::string& container, const Json& attributes, const std::string& options,
                   Reduction reduction) {
  const TemporaryFolder folder;
  const std::string group = store<T>(folder.path(), container, attributes);
  run(description_of(group, {16, 8, 24}, options));
  const auto pyramid = storage::open_multiscale(group);
  // 10 x 4 x 5 nm: y and x until they are near 10 nm, then all.
  const std::vector<Shape3> factors = {{1, 1, 1}, {1, 2, 2}, {2, 4, 4}, {4, 8, 8}, {8, 16, 16}};
  ASSERT_EQ(pyramid.levels.size(), factors.size());
  const Array<T> s0 = make_voxels<T>();
  for (std::size_t i = 1; i < factors.size(); ++i) {
    const storage::DatasetSpec& spec = pyramid.levels[i]->spec();
    EXPECT_EQ(spec.grid, kGrid.downsampled(factors[i]));
    Array<T> expected(voxel::downsampled_shape(kShape, factors[i]));
    if (reduction == Reduction::kMean) {
      voxel::downsample_mean<T>(s0, factors[i], expected);
    } else {
      voxel::downsample_mode<T>(s0, factors[i], expected);
    }
    ASSERT_EQ(spec.shape, expected.shape());
    const AnyArray found = pyramid.levels[i]->read(spec.domain());
    EXPECT_TRUE(std::equal(expected.data(), expected.data() + expected.size(), found.view<T>().data()));
    EXPECT_EQ(pyramid.levels[i]->attributes().value("role", ""),
              attributes.contains("role") ? attributes["role"].get<std::string>() : "");
  }
}

TEST(BuildPyramid, EveryLevelComesFromS0) {
  expect_levels<std::uint8_t>("a.n5", {{"role", "raw"}}, "{}", Reduction::kMean);
  expect_levels<std::uint8_t>("a.zarr", {{"role", "labels"}}, "{}", Reduction::kMode);
  expect_levels<std::uint16_t>("a.n5", Json::object(), R"({"kind": "mode"})", Reduction::kMode);
  expect_levels<std::uint32_t>("a.zarr", Json::object(), "{}", Reduction::kMode);
}

TEST(BuildPyramid, KeepsTheStageContract) {
  blockwise::testing::StageUnderTest stage;
  stage.factory = make_pyramid_stage;
  stage.describe = [](const std::filesystem::path& folder, const Shape3& block_shape) {
    std::string group = (folder / "a.n5" / "volume").string();
    if (!std::filesystem::exists(group)) group = store<std::uint8_t>(folder, "a.n5", {{"role", "labels"}});
    return description_of(group, block_shape);
  };
  stage.block_shapes = {{8, 8, 8}, {16, 24, 8}, {64, 128, 128}};
  stage.contents = levels_of;
  blockwise::testing::expect_stage_contract(stage);
}

TEST(BuildPyramid, AShorterPyramidLeavesNoOldLevel) {
  const TemporaryFolder folder;
  const std::string group = store<std::uint8_t>(folder.path(), "a.n5", {{"role", "raw"}});
  run(description_of(group, {}));
  ASSERT_EQ(storage::open_multiscale(group).levels.size(), 5u);
  run(description_of(group, {}, R"({"levels": 2})"));
  EXPECT_EQ(storage::open_multiscale(group).levels.size(), 3u);
}

TEST(BuildPyramid, RefusesLevelsOfOthersAndAnS0Elsewhere) {
  const TemporaryFolder folder;
  const std::string group = store<std::uint8_t>(folder.path(), "a.n5", {{"role", "raw"}});
  auto description = description_of(group, {});
  description.outputs = {group + "_other"};
  EXPECT_THROW(make_pyramid_stage(description), Error);
  storage::DatasetSpec spec;
  spec.shape = {4, 4, 4};
  storage::create_dataset(group + "/s1", spec);
  SilentProgress silent;
  const auto result = run_stage(description_of(group, {}), make_pyramid_stage,
                                blockwise::RunFolder(blockwise::run_folder_of(group)), {}, silent);
  ASSERT_FALSE(result.failures.empty());
  EXPECT_NE(result.failures[0].message.find("not made by organon"), std::string::npos)
      << result.failures[0].message;
}

TEST(Pyramid, LabelColoursAreKeptInZarrAlone) {
  const TemporaryFolder folder;
  const std::string group = store<std::uint8_t>(folder.path(), "a.zarr/labels", Json::object());
  run(description_of(group, {}, R"({"label_colors": ["2=#00ff0080", "1=#ff0000=mito"]})"));
  const std::vector<storage::LabelColor> colors = {{1, {255, 0, 0, 255}, "mito"}, {2, {0, 255, 0, 128}, ""}};
  const auto colors_there = [&] {
    return storage::label_colors_of(storage::read_group_display(group).image_label, group);
  };
  EXPECT_EQ(colors_there(), colors);
  // Made again without: they stay, and a label image is reduced by the most frequent label, whatever its
  // type.
  run(description_of(group, {}, R"({"levels": 1})"));
  EXPECT_EQ(colors_there(), colors);
  const auto levels = storage::open_multiscale(group).levels;
  ASSERT_EQ(levels.size(), 2U);
  const auto seen = levels[1]->read_as<std::uint8_t>(levels[1]->spec().domain());
  const std::string plain = store<std::uint8_t>(folder.path(), "b.n5", {{"role", "labels"}});
  run(description_of(plain, {}, R"({"levels": 1})"));
  const auto expected = storage::open_multiscale(plain).levels[1];
  const auto wanted = expected->read_as<std::uint8_t>(expected->spec().domain());
  EXPECT_TRUE(std::equal(seen.begin(), seen.end(), wanted.begin(), wanted.end()));
  for (const char* options :
       {R"({"label_colors": ["1=#ff"]})", R"({"label_colors": ["1=#ff0000", "1=#00ff00"]})"})
    EXPECT_THROW(make_pyramid_stage(description_of(group, {}, options)), Error) << options;
  EXPECT_THROW(make_pyramid_stage(description_of(plain, {}, R"({"label_colors": ["1=#ff0000"]})")), Error);
}

}  // namespace
}  // namespace organon::stages
