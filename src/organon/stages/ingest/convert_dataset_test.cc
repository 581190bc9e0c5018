#include "organon/stages/ingest/convert_dataset.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/blockwise/verify.h"
#include "organon/storage/digest.h"
#include "organon/storage/multiscale.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{22, 37, 41};
const VoxelGrid kGrid{{8, 4, 4}, {100, 0, -20}};

AnyArray random_voxels(DataType type, const Shape3& shape, std::uint64_t seed) {
  Random random(seed);
  AnyArray voxels(type, shape);
  dispatch(type, [&](auto zero) {
    using T = decltype(zero);
    const auto view = voxels.view<T>();
    for (std::int64_t z = 0; z < shape.z; ++z)
      for (std::int64_t y = 0; y < shape.y; ++y)
        for (std::int64_t x = 0; x < shape.x; ++x)
          view(z, y, x) = z < 8 && y < 8 ? T{0} : static_cast<T>(random.below(100));
  });
  return voxels;
}

std::shared_ptr<storage::Dataset> make_source(const std::string& address, DataType type = DataType::kUint8,
                                              const Shape3& shape = kShape, const VoxelGrid& grid = kGrid) {
  storage::DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = type;
  spec.grid = grid;
  const auto dataset = storage::create_dataset(address, spec);
  dataset->write(spec.domain(), random_voxels(type, shape, 4), Fsync::kNo);
  dataset->set_attributes({{"role", "raw"}, {"contrast_limits", {3, 90}}});
  return dataset;
}

blockwise::StageDescription convert(const std::string& from, const std::string& to, const Json& options = {},
                                    const std::string& box_nm = "") {
  blockwise::StageDescription description;
  description.verb = "convert";
  description.options_json = options.is_null() ? "{}" : options.dump();
  description.inputs = {from};
  description.outputs = {to};
  description.box_nm = box_nm;
  return description;
}

blockwise::RunResult run(const blockwise::StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  return run_stage(description, make_convert_stage,
                   blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options, silent);
}

void expect_equal(const AnyArray& a, const AnyArray& b) {
  ASSERT_EQ(a.type(), b.type());
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin()));
}

TEST(Convert, KeepsTheStageContract) {
  blockwise::testing::expect_stage_contract(
      {make_convert_stage,
       [](const std::filesystem::path& folder, const Shape3& block_shape) {
         const std::string source = (folder / "a.n5/raw/s0").string();
         if (!std::filesystem::exists(source)) make_source(source);
         auto description = convert(source, (folder / "b.zarr/raw").string(),
                                    {{"chunk_shape", {5, 10, 6}}, {"data_type", "uint16"}, {"codec", "zstd"}},
                                    "116,8,0,200,120,100");
         description.block_shape = block_shape;
         return description;
       },
       {{5, 10, 6}, {10, 10, 12}, {40, 40, 60}}});
}

TEST(Convert, EveryFormatToEveryOther) {
  Random random(9);
  for (const char* from : {"a.n5/x", "a.zarr/x", "a.precomputed/x"}) {
    for (const char* to : {"b.n5/x", "b.zarr/x", "b.precomputed/x"}) {
      for (const DataType type : {DataType::kUint8, DataType::kUint64, DataType::kFloat32}) {
        SCOPED_TRACE(fmt::format("{} {} {}", from, to, to_string(type)));
        const TemporaryFolder folder;
        storage::DatasetSpec spec;
        spec.shape = kShape;
        spec.data_type = type;
        spec.codec = storage::codecs_of(storage::format_for_new(from), type).front();
        spec.chunk_shape = {8, 8, 8};
        spec.grid = kGrid;
        const auto source = storage::create_dataset((folder.path() / from).string(), spec);
        source->write(spec.domain(), random_voxels(type, kShape, random.below(1000)), Fsync::kNo);
        const std::string out = (folder.path() / to).string();
        ASSERT_TRUE(run(convert(source->address(), out, {{"chunk_shape", {6, 9, 7}}})).failures.empty());
        const auto made = storage::open_dataset(out);
        expect_equal(made->read(made->spec().domain()), source->read(spec.domain()));
        EXPECT_EQ(made->spec().grid, source->spec().grid);
        EXPECT_EQ(made->spec().chunk_shape, (Shape3{6, 9, 7}));
      }
    }
  }
}

TEST(Convert, WhatIsCutOutStaysWhereItIs) {
  const TemporaryFolder folder;
  const auto source = make_source((folder.path() / "a.n5/x").string());
  const std::string out = (folder.path() / "b.n5/x").string();
  run(convert(source->address(), out, {{"box", {3, 5, 7, 20, 30, 40}}}));
  const auto made = storage::open_dataset(out);
  const Box box{{3, 5, 7}, {20, 30, 40}};
  expect_equal(made->read(made->spec().domain()), source->read(box));
  EXPECT_EQ(made->spec().grid.to_nm({0, 0, 0}), kGrid.to_nm(box.begin));
  EXPECT_EQ(made->attributes()["contrast_limits"], (Json{3, 90}));
  // The same by nanometres: voxels whose centres lie in the box.
  run(convert(source->address(), out, {}, "124,20,8,252,116,136"));
  const auto by_nm = storage::open_dataset(out);
  expect_equal(by_nm->read(by_nm->spec().domain()), source->read(box));
}

TEST(Convert, APyramidGoesAlongWithItsMetadata) {
  const TemporaryFolder folder;
  const std::string group = (folder.path() / "a.n5/raw").string();
  make_source(group + "/s0");
  make_source(group + "/s1", DataType::kUint8, {11, 18, 20}, {{16, 8, 8}, {104, 2, -18}});
  storage::write_multiscale_metadata(group);
  for (const char* to : {"b.zarr/raw", "b.precomputed"}) {
    SCOPED_TRACE(to);
    const std::string out = (folder.path() / to).string();
    ASSERT_TRUE(run(convert(group, out)).failures.empty());
    const auto made = storage::open_multiscale(out).levels;
    const auto source = storage::open_multiscale(group).levels;
    ASSERT_EQ(made.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      expect_equal(made[i]->read(made[i]->spec().domain()), source[i]->read(source[i]->spec().domain()));
      EXPECT_EQ(made[i]->spec().grid, source[i]->spec().grid);
    }
  }
  // A part of it: each level's voxels in it.
  const std::string part = (folder.path() / "part.n5/raw").string();
  ASSERT_TRUE(run(convert(group, part, {{"box", {4, 8, 8, 12, 24, 24}}})).failures.empty());
  const auto levels = storage::open_multiscale(part).levels;
  EXPECT_EQ(levels[0]->spec().shape, (Shape3{8, 16, 16}));
  EXPECT_EQ(levels[1]->spec().shape, (Shape3{4, 8, 8}));
  EXPECT_EQ(levels[1]->spec().grid.offset_nm, (PointNm{136, 34, 14}));
}

// From one chunk for all channels into every format, all of them and one alone; a part of them too.
TEST(Convert, ChannelsGoTogetherOrAlone) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 16, 8};
  spec.data_type = DataType::kUint16;
  spec.grid = kGrid;
  spec.channels.shape = spec.channels.chunk = {3};
  const std::string source = (folder.path() / "a.zarr/x/s0").string();
  const auto all = storage::create_dataset(source, spec);
  all->write(spec.domain(), random_voxels(spec.data_type, storage::stack_of(kShape, 3), 5), Fsync::kNo);
  storage::write_multiscale_metadata((folder.path() / "a.zarr/x").string());
  const auto digest_of = [](const std::string& address) {
    return storage::digest_dataset(*storage::open_dataset(address));
  };
  const Json options{{"chunk_shape", {5, 10, 6}}};
  const std::string folder_text = folder.path().string() + "/";
  for (const std::string format : {"n5", "zarr", "zarr3", "precomputed"}) {
    const std::string to = fmt::format("{0}://{1}{0}_all.zarr/x", format, folder_text);
    ASSERT_TRUE(run(convert(folder_text + "a.zarr/x", to, options)).failures.empty());
    for (int channel = 0; channel < 3; ++channel)
      EXPECT_EQ(digest_of(fmt::format("{}/s0#{}", to, channel)),
                digest_of(fmt::format("{}#{}", source, channel)));
  }
  const std::string one = folder_text + "one.n5/x";
  run(convert(source + "#1", one, options));
  EXPECT_EQ(digest_of(one), digest_of(source + "#1"));
  EXPECT_TRUE(storage::open_dataset(one)->spec().channels.shape.empty());
  const std::string part = folder_text + "part.n5/x";
  run(convert(source, part, {{"box", {2, 3, 4, 12, 33, 30}}, {"data_type", "float32"}}));
  EXPECT_EQ(storage::open_dataset(part + "#2")->read_as<double>(Box::of_shape({10, 30, 26})).view()(1, 2, 3),
            storage::open_dataset(source + "#2")->read_as<double>(spec.domain()).view()(3, 5, 7));
}

// Scales of precomputed share an info: what is known of one says nothing of the others.
TEST(Convert, ScalesOfPrecomputedAreReplacedOneByOne) {
  const TemporaryFolder folder;
  const std::string source = (folder.path() / "a.n5/x").string();
  const storage::DatasetSpec spec = make_source(source)->spec();
  const std::string volume = (folder.path() / "v.precomputed").string();
  const auto foreign =
      storage::create_dataset(volume + "/foreign", storage::fitted_to(storage::Format::kPrecomputed, spec));
  foreign->write(spec.domain(), random_voxels(spec.data_type, kShape, 6), Fsync::kNo);
  const Hash128 digest = storage::digest_dataset(*foreign);
  for (const std::int64_t edge : {16, 32, 32, 16}) {
    ASSERT_TRUE(run(convert(source, volume + "/s0", {{"chunk_shape", {edge}}})).failures.empty());
    const auto made = storage::open_dataset(volume + "/s0");
    EXPECT_EQ(made->spec().chunk_shape, Shape3::cube(edge));
    EXPECT_EQ(storage::digest_dataset(*made), storage::digest_dataset(*storage::open_dataset(source)));
  }
  EXPECT_THROW(run(convert(source, volume + "/foreign", {{"chunk_shape", {16}}})), Error);
  EXPECT_EQ(storage::digest_dataset(*storage::open_dataset(volume + "/foreign")), digest);
}

TEST(Convert, ASmallerPyramidLeavesNoLevelsOfALargerOne) {
  const TemporaryFolder folder;
  const auto address = [&](const std::string& path) { return (folder.path() / path).string(); };
  for (int level = 0; level < 3; ++level) make_source(address(fmt::format("large.zarr/x/s{}", level)));
  make_source(address("small.zarr/x/s0"));
  for (const char* group : {"large.zarr/x", "small.zarr/x"})
    storage::write_multiscale_metadata(address(group));
  for (const char* out : {"o.zarr/x", "o.n5/x"}) {
    for (const auto& [from, count] : {std::pair{"large.zarr/x", 3U}, {"small.zarr/x", 1U}}) {
      ASSERT_TRUE(run(convert(address(from), address(out))).failures.empty());
      EXPECT_EQ(storage::open_multiscale(address(out)).levels.size(), count) << out;
    }
  }
}

// Nothing of one channel may be taken for another's where the output is made again, as by growth.
TEST(Convert, AnotherChannelIsAnotherInput) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 16, 8};
  spec.grid = kGrid;
  spec.channels.shape = spec.channels.chunk = {3};
  const std::string foreign = (folder.path() / "a.zarr/x").string();
  const auto all = storage::create_dataset(foreign, spec);
  all->write(spec.domain(), random_voxels(spec.data_type, storage::stack_of(kShape, 3), 5), Fsync::kNo);
  const std::string own = (folder.path() / "own.zarr/x").string();
  ASSERT_TRUE(run(convert(foreign, own)).failures.empty());
  const std::string out = (folder.path() / "b.n5/x").string();
  for (const std::string& source : {foreign + "#1", foreign + "#2", own + "#1", own + "#0", own + "#0"}) {
    ASSERT_TRUE(run(convert(source, out)).failures.empty());
    EXPECT_EQ(storage::digest_dataset(*storage::open_dataset(out)),
              storage::digest_dataset(*storage::open_dataset(source)))
        << source;
  }
  EXPECT_THROW(run(convert(foreign, out + "#1")), Error);
  // An array is not made over one of its channels.
  EXPECT_THROW(run(convert(own + "#1", own)), Error);
  EXPECT_EQ(storage::digest_dataset(*storage::open_dataset(own + "#2")),
            storage::digest_dataset(*storage::open_dataset(foreign + "#2")));
}

TEST(Convert, AChannelTakesItsOwnContrast) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = spec.chunk_shape = {4, 4, 4};
  spec.channels.shape = spec.channels.chunk = {2};
  const std::string group = (folder.path() / "a.zarr").string();
  storage::create_dataset(group + "/s0", spec);
  const Json omero = parse_json(R"({"channels":[{"label":"a","window":{"start":0,"end":100}},
                                                {"label":"b","window":{"start":20,"end":120}}]})",
                                "omero");
  storage::write_multiscale_metadata(group, {.image_label = nullptr, .omero = omero});
  const std::string out = (folder.path() / "b.zarr/x").string();
  ASSERT_TRUE(run(convert(group + "#1", out)).failures.empty());
  EXPECT_EQ(storage::read_group_display(out).omero["channels"].size(), 1U);
  const auto window = storage::contrast_of(*storage::open_dataset(out + "/s0"));
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->low, 20);
  EXPECT_EQ(window->high, 120);
}

// Arrays of which the chunks hold some channels each.
TEST(Convert, ChannelsInChunksOfTheirOwnAreVerified) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.zarr";
  write_text_atomically(
      path / ".zarray",
      R"({"zarr_format":2,"shape":[3,4,4,4],"chunks":[1,4,4,4],"dtype":"|u1","compressor":null,
                           "fill_value":0,"filters":null,"order":"C"})");
  write_text_atomically(path / "1.0.0.0", std::string(64, 'a'));
  write_text_atomically(path / "2.0.0.0", std::string(63, 'a'));
  SilentProgress silent;
  const blockwise::Verification result = blockwise::verify_dataset(path.string(), silent);
  EXPECT_EQ(result.num_chunks, 3);
  EXPECT_EQ(result.num_stored, 2);
  ASSERT_EQ(result.damage.size(), 1U);
  EXPECT_NE(result.damage[0].reason.find("2.0.0.0"), std::string::npos) << result.damage[0].reason;
}

TEST(Convert, ColoursAndContrastOfTheGroupGoAlong) {
  const TemporaryFolder folder;
  const auto address = [&](const char* path) { return (folder.path() / path).string(); };
  const auto labels = make_source(address("a.zarr/labels/mito/s0"), DataType::kUint16);
  labels->set_attributes({{"role", nullptr}, {"contrast_limits", nullptr}});
  storage::write_multiscale_metadata(address("a.zarr/labels/mito"));
  const std::vector<storage::LabelColor> colors = {{1, {255, 0, 0, 255}, "mito"}, {7, {0, 0, 9, 1}, "er"}};
  storage::set_label_colors(address("a.zarr/labels/mito"), colors);
  const auto raw = make_source(address("a.zarr/s0"));
  storage::write_multiscale_metadata(address("a.zarr"));
  raw->set_attributes({{"contrast_limits", nullptr}});
  // Through the other version and back.
  run(convert(address("a.zarr/labels/mito"), "zarr3://" + address("b.zarr/labels/mito")));
  run(convert(address("b.zarr/labels/mito"), address("c.zarr/mito")));
  for (const char* path : {"b.zarr/labels/mito", "c.zarr/mito"}) {
    SCOPED_TRACE(path);
    const Json label = storage::read_group_display(address(path)).image_label;
    EXPECT_EQ(storage::label_colors_of(label, path), colors);
    EXPECT_EQ(storage::source_image_of(label), "../../");
    EXPECT_EQ(storage::open_dataset(address(path) + "/s0")->attributes()["role"], "labels");
  }
  EXPECT_EQ(storage::label_images_of(address("b.zarr")), (std::vector<std::string>{"mito"}));
  run(convert(address("a.zarr"), "zarr3://" + address("d.zarr/raw")));
  EXPECT_EQ(storage::read_group_display(address("d.zarr/raw")).omero,
            storage::read_group_display(address("a.zarr")).omero);
  // Formats without it keep the contrast as organon's own attribute.
  run(convert(address("a.zarr"), address("d.n5/raw")));
  EXPECT_EQ(storage::open_dataset(address("d.n5/raw/s0"))->attributes()["contrast_limits"], (Json{3, 90}));
  run(convert(address("a.zarr/s0"), address("one.n5/raw")));
  EXPECT_EQ(storage::open_dataset(address("one.n5/raw"))->attributes()["contrast_limits"], (Json{3, 90}));
}

TEST(Convert, ValuesThatDoNotFitAreRefusedOrClipped) {
  const TemporaryFolder folder;
  const auto source = make_source((folder.path() / "a.n5/x").string(), DataType::kInt16);
  AnyArray chunk = source->read(Box::at({8, 8, 8}, {8, 8, 8}));
  chunk.view<std::int16_t>()(1, 2, 3) = -7;
  source->write(Box::at({8, 8, 8}, {8, 8, 8}), chunk, Fsync::kNo);
  const std::string out = (folder.path() / "b.n5/x").string();
  const auto refused = run(convert(source->address(), out, {{"data_type", "uint8"}}));
  ASSERT_EQ(refused.failures.size(), 1U);
  EXPECT_NE(refused.failures[0].message.find("voxel 9,10,11: -7 cannot be stored as uint8"),
            std::string::npos)
      << refused.failures[0].message;
  const auto clipped =
      run(convert(source->address(), out, {{"data_type", "uint8"}, {"out_of_range", "clip"}}));
  EXPECT_TRUE(clipped.failures.empty());
  EXPECT_EQ(storage::open_dataset(out)->read_as<std::uint8_t>(Box::at({9, 10, 11}, {1, 1, 1}))(0, 0, 0), 0);
}

TEST(Convert, ShardsAreWholeChunksOfFormatsThatHaveThem) {
  const TemporaryFolder folder;
  const auto source = make_source((folder.path() / "a.n5/x").string());
  const std::string out = "zarr3://" + (folder.path() / "b.zarr/x").string();
  const auto result =
      run(convert(source->address(), out, {{"chunk_shape", {4, 6, 5}}, {"shard_shape", {8, 12, 20}}}));
  ASSERT_TRUE(result.failures.empty());
  EXPECT_EQ(result.num_blocks, 3 * 4 * 3);
  const auto made = storage::open_dataset(out);
  EXPECT_EQ(made->spec().shard_shape, (Shape3{8, 12, 20}));
  expect_equal(made->read(made->spec().domain()), source->read(source->spec().domain()));
  const Box part{{3, 5, 7}, {9, 30, 12}};
  expect_equal(made->read(part), source->read(part));
  // And back.
  const std::string back = (folder.path() / "c.n5/x").string();
  ASSERT_TRUE(run(convert(out, back)).failures.empty());
  const auto again = storage::open_dataset(back);
  EXPECT_EQ(storage::stored_shape(again->spec()), (Shape3{4, 6, 5}));
  expect_equal(again->read(again->spec().domain()), source->read(source->spec().domain()));
}

TEST(Convert, ShardsOfPrecomputedAreBoxesOfItsIds) {
  const TemporaryFolder folder;
  const auto source = make_source((folder.path() / "a.n5/x").string());
  const std::string out = (folder.path() / "b.precomputed/s0").string();
  const Json options{{"chunk_shape", {4, 6, 5}}, {"shard_shape", {8, 12, 20}}};
  ASSERT_TRUE(run(convert(source->address(), out, options)).failures.empty());
  const auto made = storage::open_dataset(out);
  EXPECT_EQ(made->spec().shard_shape, (Shape3{8, 12, 20}));
  expect_equal(made->read(made->spec().domain()), source->read(source->spec().domain()));
  const Box part{{3, 5, 7}, {9, 30, 12}};
  expect_equal(made->read(part), source->read(part));
  // Shards that reach beyond the volume, and once more over what is there.
  const std::string beyond = (folder.path() / "c.precomputed/s0").string();
  for (int round = 0; round < 2; ++round)
    ASSERT_TRUE(run(convert(out, beyond, {{"chunk_shape", {4, 6, 5}}, {"shard_shape", {64, 96, 80}}}))
                    .failures.empty());
  const auto again = storage::open_dataset(beyond);
  EXPECT_EQ(again->chunk_grid().count(), 1);
  expect_equal(again->read(again->spec().domain()), source->read(source->spec().domain()));
  try {
    make_convert_stage(convert(source->address(), (folder.path() / "d.precomputed/s0").string(),
                               {{"chunk_shape", {4, 6, 5}}, {"shard_shape", {12, 12, 20}}}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(error.message().find("the nearest are 8,12,20"), std::string::npos) << error.message();
  }
}

TEST(Convert, RefusesWhatMakesNoSense) {
  const TemporaryFolder folder;
  const std::string source = make_source((folder.path() / "a.n5/x").string())->address();
  const std::string out = (folder.path() / "b.n5/x").string();
  for (const auto& [options, word] :
       std::vector<std::pair<Json, std::string>>{{{{"box", {0, 0, 0, 23, 1, 1}}}, "box"},
                                                 {{{"box", {5, 0, 0, 5, 1, 1}}}, "box"},
                                                 {{{"box", {1, 2, 3}}}, "box"},
                                                 {{{"data_type", "uint7"}}, "uint7"},
                                                 {{{"shard_shape", {16, 16, 16}}}, "shards"},
                                                 {{{"codec", "jpeg"}}, "n5 has gzip"}}) {
    try {
      make_convert_stage(convert(source, out, options));
      ADD_FAILURE() << options.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
    }
  }
  EXPECT_THROW(make_convert_stage(convert(source, (folder.path() / "plain/x").string())), Error);
}

}  // namespace
}  // namespace organon::stages
