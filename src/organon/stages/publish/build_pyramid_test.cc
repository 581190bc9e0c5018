#include "organon/stages/publish/build_pyramid.h"

#include <gtest/gtest.h>

#include <type_traits>

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

// s0 in shards (or not), random; its levels compared with those of all voxels at once.
struct ShardCase {
  std::string container;
  Shape3 shape;
  Shape3 chunk;
  Shape3 shard;
  SizeNm voxel_size_nm{4, 4, 4};
};

template <class T>
Array<T> random_voxels(const Shape3& shape, Random& random, bool is_crowded) {
  Array<T> voxels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x)
        voxels(z, y, x) =
            static_cast<T>(is_crowded ? random.below(1 << 30) : z / 5 + y / 7 + random.below(3));
  return voxels;
}

template <class T>
std::string store(const std::filesystem::path& folder, const ShardCase& of, const Array<T>& voxels) {
  storage::DatasetSpec spec;
  spec.shape = of.shape;
  spec.chunk_shape = of.chunk;
  spec.shard_shape = of.shard;
  spec.data_type = data_type_of<T>();
  spec.grid = {of.voxel_size_nm, {0, 0, 0}};
  const std::string group = of.container.find("://") == std::string::npos
                                ? (folder / of.container).string()
                                : of.container + (folder / "volume").string();
  const std::string address = group + "/s0";
  spec = storage::fitted_to(storage::format_for_new(address), spec);
  EXPECT_EQ(storage::has_shards(spec), of.shard.product() > 0);
  storage::create_dataset(address, spec)->write<T>(spec.domain(), voxels.view(), Fsync::kNo);
  return group;
}

// Shards that hold something other than zeros, and the files that are there.
template <class T>
void expect_stored_in_units(const storage::Dataset& level, const Array<T>& voxels) {
  const BlockGrid units = level.chunk_grid();
  std::int64_t num_files = 0;
  for (std::int64_t i = 0; i < units.count(); ++i) {
    const Box box = units.box_of(i);
    bool has_any = false;
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) has_any |= voxels(z, y, x) != T{};
    EXPECT_EQ(level.chunk_exists(units.position_of(i)), has_any);
    num_files += has_any ? 1 : 0;
  }
  std::int64_t num_found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(level.path())) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != "zarr.json" && name != "attributes.json") ++num_found;
  }
  EXPECT_EQ(num_found, num_files) << level.address();
}

template <class T>
Array<T> reduced(const Array<T>& s0, const Shape3& factor, Reduction reduction) {
  Array<T> result(voxel::downsampled_shape(s0.shape(), factor));
  if (reduction == Reduction::kMean) {
    voxel::downsample_mean<T>(s0, factor, result);
    return result;
  }
  // The most frequent of several fractions is nothing anybody asks for: there is no such function to link
  // with.
  if constexpr (std::is_integral_v<T>) {
    voxel::downsample_mode<T>(s0, factor, result);
  } else {
    ADD_FAILURE() << "the mode of fractions";
  }
  return result;
}

template <class T>
void expect_sharded_levels(const ShardCase& of, Reduction reduction, std::size_t num_levels,
                           bool is_crowded = false) {
  SCOPED_TRACE(of.container + " " + to_string(of.shape) + " in shards of " + to_string(of.shard));
  const TemporaryFolder folder;
  Random random(7);
  const Array<T> s0 = random_voxels<T>(of.shape, random, is_crowded);
  const std::string group = store<T>(folder.path(), of, s0);
  run(description_of(group, {},
                     reduction == Reduction::kMean ? R"({"kind": "mean"})" : R"({"kind": "mode"})"));
  const auto levels = storage::open_multiscale(group).levels;
  ASSERT_EQ(levels.size(), num_levels + 1);
  const auto factors = pyramid_factors(of.shape, of.voxel_size_nm, of.chunk, -1);
  for (std::size_t i = 1; i < levels.size(); ++i) {
    SCOPED_TRACE(i);
    const Array<T> expected = reduced<T>(s0, factors[i - 1], reduction);
    const auto& spec = levels[i]->spec();
    EXPECT_EQ(spec.shard_shape, of.shard);
    const AnyArray found = levels[i]->read(spec.domain());
    ASSERT_EQ(found.shape(), expected.shape());
    EXPECT_TRUE(std::equal(expected.data(), expected.data() + expected.size(), found.view<T>().data()));
    if (of.container.find("precomputed") == std::string::npos)
      expect_stored_in_units<T>(*levels[i], expected);
  }
}

TEST(BuildPyramid, LevelsOfShardsAreShards) {
  using std::uint64_t;
  using std::uint8_t;
  expect_sharded_levels<uint8_t>({"a.zarr3", {70, 45, 90}, {4, 4, 4}, {16, 16, 16}}, Reduction::kMean, 5);
  expect_sharded_levels<uint8_t>({"zarr3://", {70, 45, 90}, {4, 4, 4}, {8, 8, 8}}, Reduction::kMode, 5);
  expect_sharded_levels<float>({"zarr3://", {33, 64, 65}, {4, 4, 4}, {64, 64, 64}}, Reduction::kMean, 5);
  // Shards that halves cut, flat shards, chunks of other shapes, voxels that are no cubes.
  expect_sharded_levels<uint8_t>({"zarr3://", {50, 61, 80}, {4, 4, 4}, {12, 12, 12}}, Reduction::kMean, 5);
  expect_sharded_levels<uint64_t>({"zarr3://", {40, 40, 70}, {4, 4, 4}, {4, 16, 20}}, Reduction::kMode, 5);
  expect_sharded_levels<uint64_t>({"zarr3://", {31, 61, 50}, {5, 3, 4}, {10, 12, 24}, {12, 4, 5}},
                                  Reduction::kMode, 5);
  expect_sharded_levels<uint8_t>({"zarr3://", {1, 90, 77}, {4, 4, 4}, {8, 8, 8}}, Reduction::kMean, 5);
  // Without shards, chunks that cells cross: a slice, an odd number.
  expect_sharded_levels<uint8_t>({"zarr3://", {11, 40, 37}, {1, 16, 8}, {}}, Reduction::kMean, 4);
  expect_sharded_levels<uint64_t>({"zarr3://", {40, 37, 35}, {5, 3, 7}, {}}, Reduction::kMode, 4);
}

// So many ids in an open chunk that levels are made by themselves from there on, in shards that are begun.
TEST(BuildPyramid, CrowdedCellsComeFromS0Too) {
  expect_sharded_levels<std::uint32_t>({"zarr3://", {140, 200, 200}, {32, 32, 32}, {64, 64, 64}},
                                       Reduction::kMode, 3, true);
}

// Blocks begin where the box does, so that their ids are not those of the whole; the coarsest level needs
// more of the finer ones than the box meets.
TEST(BuildPyramid, APartHasTheVoxelsOfTheWhole) {
  for (const ShardCase& of : {ShardCase{"a.n5", {20, 24, 300}, {4, 4, 4}, {}},
                              ShardCase{"zarr3://", {20, 24, 300}, {4, 4, 4}, {8, 8, 8}}}) {
    SCOPED_TRACE(of.container);
    const TemporaryFolder folder;
    Random random(3);
    const auto s0 = random_voxels<std::uint16_t>(of.shape, random, false);
    const std::string group = store<std::uint16_t>(folder.path(), of, s0);
    auto description = description_of(group, {}, R"({"kind": "mode"})");
    description.box_nm = "20,30,700,60,80,900";
    run(description);
    const Box box{{5, 8, 175}, {15, 20, 225}};
    const auto levels = storage::open_multiscale(group).levels;
    ASSERT_EQ(levels.size(), 6U);
    for (std::size_t i = 1; i < levels.size(); ++i) {
      SCOPED_TRACE(i);
      const std::int64_t factor = std::int64_t{1} << i;
      const auto whole = reduced<std::uint16_t>(s0, Shape3::cube(factor), Reduction::kMode);
      const Box part = level_domain(box, Shape3::cube(factor), levels[i]->spec());
      const auto found = levels[i]->read_as<std::uint16_t>(part);
      Array<std::uint16_t> expected(part.shape());
      copy_voxels<std::uint16_t>(whole.view().part(part), expected.view());
      EXPECT_TRUE(std::equal(expected.data(), expected.data() + expected.size(), found.data()));
    }
  }
}

TEST(BuildPyramid, ShardsKeepTheStageContract) {
  blockwise::testing::StageUnderTest stage;
  stage.factory = make_pyramid_stage;
  const ShardCase of{"zarr3://", {60, 70, 45}, {4, 4, 4}, {8, 8, 8}};
  stage.describe = [&](const std::filesystem::path& folder, const Shape3& block_shape) {
    const std::string group = of.container + (folder / "volume").string();
    if (!std::filesystem::exists(folder / "volume")) {
      Random random(9);
      store<std::uint32_t>(folder, of, random_voxels<std::uint32_t>(of.shape, random, false));
    }
    return description_of(group, block_shape);
  };
  stage.block_shapes = {{8, 8, 8}, {64, 128, 128}};
  stage.contents = levels_of;
  blockwise::testing::expect_stage_contract(stage);
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

// A precomputed volume is a group, though with one scale it opens as a dataset too.
TEST(BuildPyramid, OfPrecomputedIsThatOfOthers) {
  const TemporaryFolder folder;
  const std::string plain = store<std::uint8_t>(folder.path(), "a.n5", {{"role", "raw"}});
  run(description_of(plain, {}));
  const std::string expected = levels_of(description_of(plain, {}));
  const auto s0 = storage::open_dataset(plain + "/s0");
  for (const Shape3& shard : {Shape3{}, Shape3{16, 16, 16}}) {
    const std::string group = (folder.path() / ("v" + std::to_string(shard.x) + ".precomputed")).string();
    storage::DatasetSpec spec = storage::fitted_to(storage::Format::kPrecomputed, s0->spec());
    spec.shard_shape = shard;
    const auto made = storage::create_dataset(group + "/s0", spec);
    made->write(spec.domain(), s0->read(spec.domain()), Fsync::kNo);
    made->set_attributes({{"role", "raw"}});
    run(description_of(group, {}));
    EXPECT_EQ(levels_of(description_of(group, {})), expected);
  }
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
  EXPECT_TRUE(
      std::equal(seen.data(), seen.data() + seen.size(), wanted.data(), wanted.data() + wanted.size()));
  for (const char* options :
       {R"({"label_colors": ["1=#ff"]})", R"({"label_colors": ["1=#ff0000", "1=#00ff00"]})"})
    EXPECT_THROW(make_pyramid_stage(description_of(group, {}, options)), Error) << options;
  EXPECT_THROW(make_pyramid_stage(description_of(plain, {}, R"({"label_colors": ["1=#ff0000"]})")), Error);
}

}  // namespace
}  // namespace organon::stages
