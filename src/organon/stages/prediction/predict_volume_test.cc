#include "organon/stages/prediction/predict_volume.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/array/border.h"
#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/nn/network.h"
#include "organon/nn/network_cost.h"
#include "organon/stages/prediction/tile_grid.h"
#include "organon/voxel/training_targets.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{21, 30, 37};

Array<std::uint8_t> make_raw(const Shape3& shape) {
  Array<std::uint8_t> raw(shape);
  Random random(4);
  for (std::int64_t i = 0; i < raw.size(); ++i) raw.data()[i] = static_cast<std::uint8_t>(random.below(256));
  return raw;
}

std::string store(const std::filesystem::path& folder, const std::string& name,
                  const Array<std::uint8_t>& voxels, double voxel_size_nm) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {16, 16, 16};
  spec.grid = {{voxel_size_nm, voxel_size_nm, voxel_size_nm}, {0, 0, 0}};
  const std::string address = "n5://" + (folder / "in.n5" / name).string();
  const auto dataset = storage::create_dataset(address, spec);
  dataset->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  dataset->set_attributes({{"contrast_limits", {20, 220}}});
  return address;
}

nn::NetworkInfo same_info() {
  nn::NetworkInfo info;
  info.options.features = {4, 6};
  info.options.pooling = {"2"};
  info.options.stem = 1;
  info.options.convolutions = 1;
  info.classes = {"a"};
  info.voxel_size_nm = {8, 8, 8};
  return info;
}

nn::NetworkInfo valid_info() {
  nn::NetworkInfo info = same_info();
  info.options.padding = "valid";
  info.options.normalization = "none";
  return info;
}

// Outputs of 4 nm from raw of 8 nm.
nn::NetworkInfo finer(nn::NetworkInfo info) {
  info.options.output_scale = 2;
  return info;
}

std::string store_network(const std::filesystem::path& folder, const nn::NetworkInfo& info) {
  nn::Network(info).save(folder / "network" / "network.organon");
  return (folder / "network").string();
}

blockwise::StageDescription description_of(const std::vector<std::string>& inputs,
                                           const std::filesystem::path& folder, const std::string& options,
                                           const Shape3& block_shape = {}) {
  blockwise::StageDescription description;
  description.verb = "predict";
  description.options_json = options;
  description.inputs = inputs;
  description.outputs = {"n5://" + (folder / "out.n5" / "predictions").string()};
  description.block_shape = block_shape;
  return description;
}

blockwise::RunResult run(const blockwise::StageDescription& description) {
  return blockwise::testing::run_in({make_predict_stage, {}, {}}, description, 2);
}

Array<std::uint8_t> read_class(const blockwise::StageDescription& description,
                               const std::string& name = "a") {
  const auto dataset = storage::open_dataset(description.outputs[0] + "/" + name);
  return dataset->read_as<std::uint8_t>(dataset->spec().domain());
}

// The whole volume in one tile, mirrored at its faces; on the output's grid.
Array<float> whole_prediction(const nn::NetworkInfo& info, const Shape3& input, std::int64_t halo) {
  const auto tile = nn::tile_of(info.options, input, halo);
  const Array<std::uint8_t> raw = make_raw(kShape);
  const Box domain = Box::of_shape(kShape);
  Array<std::uint8_t> bordered(input);
  copy_with_border<std::uint8_t>(raw, domain, domain, Border::kReflect, 0, bordered,
                                 Box::at(Index3{} - Index3(tile->halo), input));
  std::vector<Array<float>> inputs;
  inputs.emplace_back(input);
  for (std::int64_t i = 0; i < bordered.size(); ++i) {
    inputs[0].data()[i] = std::clamp((static_cast<float>(bordered.data()[i]) - 20) / 100 - 1, -1.0F, 1.0F);
  }
  const Array<float> output = std::move(nn::Network(info).predict(inputs)[0][0]);
  Array<float> result(kShape * info.options.output_scale);
  copy_voxels<float>(output.view().part(Box::at(tile->begin, result.shape())), result);
  return result;
}

// Predictions by tiles are those of the whole. Shapes of tiles change the last bits of sums, and with them
// now and then a rounding.
void expect_seamless(const Array<std::uint8_t>& found, const Array<float>& whole) {
  ASSERT_EQ(found.shape(), whole.shape());
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found.data()[i], voxel::quantize_prediction(whole.data()[i]), 1) << i;
    sum += std::abs(found.data()[i] - 127);
  }
  EXPECT_GT(sum, found.size());  // not all alike
}

constexpr const char* kOptions =
    R"({"tile": 16, "halo": 16, "flips": 1, "precision": "float32", "chunk_shape": [8, 8, 8]})";

TEST(PredictVolume, ValidTilesHaveNoSeams) {
  for (const nn::NetworkInfo& info : {valid_info(), finer(valid_info())}) {
    const TemporaryFolder folder;
    const auto description = description_of(
        {store(folder.path(), "raw", make_raw(kShape), 8), store_network(folder.path(), info)}, folder.path(),
        R"({"tile": 8, "flips": 1, "precision": "float32", "chunk_shape": [8, 8, 8]})");
    const auto result = run(description);
    ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
    const std::int64_t scale = info.options.output_scale;
    // Some more than the volume, as a tile is not the whole output.
    const Shape3 input = nn::smallest_input(info.options, Shape3::cube((kShape.largest() + 2) * scale));
    expect_seamless(read_class(description), whole_prediction(info, input, 0));
  }
}

TEST(PredictVolume, SameTilesHaveNoSeamsWhereTheHaloCoversTheReceptiveField) {
  for (const nn::NetworkInfo& info : {same_info(), finer(same_info())}) {
    const TemporaryFolder folder;
    ASSERT_LE(nn::receptive_radius(info.options).largest(), 16);
    const auto description =
        description_of({store(folder.path(), "raw", make_raw(kShape), 8), store_network(folder.path(), info)},
                       folder.path(), kOptions);
    ASSERT_TRUE(run(description).failures.empty());
    expect_seamless(read_class(description), whole_prediction(info, {64, 64, 80}, 16));
  }
}

// A network whose taps in the centres of kernels are 1 repeats what is brighter than the middle.
TEST(PredictVolume, FinerOutputsLieWhereTheirVoxelsAre) {
  const TemporaryFolder folder;
  for (nn::NetworkInfo info : {finer(valid_info()), finer(same_info())}) {
    info.options.features = {1};
    info.options.pooling = {};
    info.options.normalization = "none";
    const std::string network = store_network(folder.path() / info.options.padding, info);
    const auto path = folder.path() / info.options.padding / "network" / "network.organon";
    nn::NetworkFile file = nn::decode_network(read_text(path), "network");
    for (auto& tensor : file.tensors) {
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] = tensor.name.ends_with("weight") && (tensor.values.size() == 1 || i == 13) ? 1 : 0;
    }
    write_text_atomically(path, nn::encode_network(file));
    Array<std::uint8_t> raw({9, 10, 11}, 20);
    const Index3 bright{3, 4, 7};
    raw(bright) = 220;
    const std::string raw_address = store(folder.path(), "raw_" + info.options.padding, raw, 8);
    const auto description = description_of(
        {raw_address, network}, folder.path() / info.options.padding,
        R"({"tile": 8, "halo": 4, "flips": 8, "precision": "float32", "chunk_shape": [4, 8, 8]})");
    ASSERT_TRUE(run(description).failures.empty());
    const auto dataset = storage::open_dataset(description.outputs[0] + "/a");
    EXPECT_EQ(dataset->spec().shape, (Shape3{18, 20, 22}));
    EXPECT_EQ(dataset->spec().grid, (VoxelGrid{{4, 4, 4}, {-2, -2, -2}}));
    const VoxelGrid raw_grid = storage::open_dataset(raw_address)->spec().grid;
    const Array<std::uint8_t> found = read_class(description);
    for (std::int64_t z = 0; z < 18; ++z) {
      for (std::int64_t y = 0; y < 20; ++y) {
        for (std::int64_t x = 0; x < 22; ++x) {
          const PointNm centre = dataset->spec().grid.to_nm({z, y, x});
          ASSERT_EQ(found(z, y, x), raw_grid.voxel_containing(centre) == bright ? 255 : 127)
              << z << " " << y << " " << x;
        }
      }
    }
  }
}

TEST(PredictVolume, ObeysTheStageContract) {
  nn::NetworkInfo flat = valid_info();
  flat.options.pooling = {"1x2x2"};
  flat.options.kernels = {"1x3x3", "3"};
  for (const nn::NetworkInfo& info :
       {same_info(), valid_info(), flat, finer(same_info()), finer(valid_info())}) {
    const TemporaryFolder folder;
    const std::string raw = store(folder.path(), "raw", make_raw({19, 22, 27}), 8);
    const std::string network = store_network(folder.path(), info);
    blockwise::testing::StageUnderTest stage{
        [](const blockwise::StageDescription& description) {
          // The suite reads the outputs that are named: here the one class's dataset.
          auto group = description;
          group.outputs = {std::filesystem::path(description.outputs[0]).parent_path().string()};
          return make_predict_stage(group);
        },
        [&](const std::filesystem::path& out, const Shape3& shape) {
          auto description = description_of(
              {raw, network}, out, R"({"tile": 12, "halo": 4, "flips": 2, "chunk_shape": [8, 8, 8]})", shape);
          description.outputs[0] += "/a";
          return description;
        },
        {{8, 16, 8}, {24, 8, 40}, {256, 256, 256}}};
    blockwise::testing::expect_stage_contract(stage);
  }
}

TEST(PredictVolume, FlipsAreAverages) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const std::string network = store_network(folder.path(), same_info());
  const auto with = [&](int flips, const char* name) {
    const auto description = description_of(
        {raw, network}, folder.path() / name,
        R"({"tile": 64, "halo": 0, "chunk_shape": [8, 8, 8], "flips": )" + std::to_string(flips) + "}");
    EXPECT_TRUE(run(description).failures.empty());
    return read_class(description);
  };
  const auto one = with(1, "1");
  const auto eight = with(8, "8");
  std::int64_t differ = 0;
  for (std::int64_t i = 0; i < one.size(); ++i) {
    differ += one.data()[i] != eight.data()[i];
    ASSERT_NEAR(one.data()[i], eight.data()[i], 80);
  }
  EXPECT_GT(differ, one.size() / 10);
}

TEST(PredictVolume, OutsideTheMaskIsZeroAndTheRestUnchanged) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const std::string network = store_network(folder.path(), same_info());
  // Twice as coarse as raw; voxel centres of raw at 8 i nm lie in mask voxel (i + 1) / 2.
  Array<std::uint8_t> mask({11, 16, 19});
  for (std::int64_t z = 3; z < 8; ++z) {
    for (std::int64_t y = 2; y < 6; ++y) {
      for (std::int64_t x = 0; x < 19; ++x) mask(z, y, x) = 1;
    }
  }
  const std::string mask_address = store(folder.path(), "mask", mask, 16);
  const auto free = description_of({raw, network}, folder.path() / "free", kOptions);
  const auto masked = description_of({raw, network, mask_address}, folder.path() / "masked", kOptions);
  ASSERT_TRUE(run(free).failures.empty());
  ASSERT_TRUE(run(masked).failures.empty());
  const auto all = read_class(free);
  const auto part = read_class(masked);
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        const Index3 at{(z + 1) / 2, (y + 1) / 2, (x + 1) / 2};
        const bool inside = mask(at) != 0;
        ASSERT_EQ(part(z, y, x), inside ? all(z, y, x) : 0) << z << " " << y << " " << x;
      }
    }
  }
  const auto dataset = storage::open_dataset(masked.outputs[0] + "/a");
  EXPECT_FALSE(dataset->chunk_exists({0, 3, 0}));
  EXPECT_EQ(dataset->attributes()["mask_ds"], "mask");
}

TEST(PredictVolume, BlocksOutsideACoarseMaskNeedNoRaw) {
  const TemporaryFolder folder;
  const Shape3 shape{16, 64, 64};
  const std::string raw = store(folder.path(), "raw", make_raw(shape), 8);
  const std::string network = store_network(folder.path(), same_info());
  // Cells of 8 raw voxels, as organon mask makes them: their first centre lies 3.5 raw voxels further.
  storage::DatasetSpec spec;
  spec.shape = {2, 8, 8};
  spec.chunk_shape = {8, 8, 8};
  spec.grid = VoxelGrid{{8, 8, 8}, {0, 0, 0}}.downsampled({8, 8, 8});
  const std::string mask_address = "n5://" + (folder.path() / "in.n5" / "coarse").string();
  Array<std::uint8_t> mask(spec.shape);
  mask(0, 1, 1) = mask(1, 1, 1) = 1;
  storage::create_dataset(mask_address, spec)
      ->write<std::uint8_t>(spec.domain(), std::as_const(mask).view(), Fsync::kNo);
  const auto free = description_of({raw, network}, folder.path() / "free", kOptions);
  ASSERT_TRUE(run(free).failures.empty());
  const auto all = read_class(free);
  // Far from the mask raw is damaged: whoever reads it fails.
  const auto dataset = storage::open_dataset(raw);
  write_text_atomically(folder.path() / "in.n5" / "raw" / "3" / "3" / "0", "damage");
  EXPECT_THROW(dataset->read(Box{{0, 48, 48}, {16, 64, 64}}), Error);
  const auto masked = description_of({raw, network, mask_address}, folder.path() / "masked", kOptions);
  const auto result = run(masked);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
  const auto part = read_class(masked);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const bool inside = y >= 8 && y < 16 && x >= 8 && x < 16;
        ASSERT_EQ(part(z, y, x), inside ? all(z, y, x) : 0) << z << " " << y << " " << x;
      }
    }
  }
}

TEST(PredictVolume, AMaskThatDoesNotMeetRawIsRefused) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const std::string network = store_network(folder.path(), same_info());
  storage::DatasetSpec spec;
  spec.shape = {4, 4, 4};
  spec.grid = {{64, 64, 64}, {0, 1e6, 0}};
  const std::string mask = "n5://" + (folder.path() / "in.n5" / "elsewhere").string();
  storage::create_dataset(mask, spec);
  try {
    make_predict_stage(description_of({raw, network, mask}, folder.path(), kOptions));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("do not meet"), std::string::npos) << error.message();
  }
}

TEST(PredictVolume, RawOfAnotherVoxelSizeNeedsAWord) {
  const TemporaryFolder folder;
  const std::string network = store_network(folder.path(), same_info());
  const std::string near = store(folder.path(), "near", make_raw(kShape), 8.7);
  const std::string far = store(folder.path(), "far", make_raw(kShape), 5);
  EXPECT_NO_THROW(make_predict_stage(description_of({near, network}, folder.path(), kOptions)));
  try {
    make_predict_stage(description_of({far, network}, folder.path(), kOptions));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("trained at 8,8,8 nm"), std::string::npos) << error.message();
  }
  std::string options = kOptions;
  options.insert(1, R"("allow_voxel_size": true, )");
  EXPECT_NO_THROW(make_predict_stage(description_of({far, network}, folder.path(), options)));
  // Of a pyramid the level that fits is taken.
  store(folder.path(), "pyramid/s0", make_raw({42, 60, 74}), 4);
  store(folder.path(), "pyramid/s1", make_raw(kShape), 8);
  const auto description = description_of({"n5://" + (folder.path() / "in.n5" / "pyramid").string(), network},
                                          folder.path(), kOptions);
  ASSERT_TRUE(run(description).failures.empty());
  const auto dataset = storage::open_dataset(description.outputs[0] + "/a");
  EXPECT_EQ(dataset->spec().shape, kShape);
  const Json attributes = dataset->attributes();
  EXPECT_EQ(attributes["prediction"]["raw"], "s1");
  // As the paper's: grey values over 255, times scale, plus shift, are -1 at 20 and 1 at 220.
  EXPECT_EQ(attributes["raw_normalize_factor"], 255);
  const auto seen = [&](double grey) {
    return grey / attributes["raw_normalize_factor"].get<double>() * attributes["raw_scale"].get<double>() +
           attributes["raw_shift"].get<double>();
  };
  EXPECT_NEAR(seen(20), -1, 1e-9);
  EXPECT_NEAR(seen(220), 1, 1e-9);
  EXPECT_EQ(attributes["raw_data_path"], (folder.path() / "in.n5").string());
  EXPECT_EQ(attributes["raw_ds"], "pyramid/s1");
  EXPECT_EQ(attributes["parent_dataset_id"], "in");
  EXPECT_EQ(attributes["mask_ds"], nullptr);
  EXPECT_EQ(attributes["label"], "a");
  EXPECT_EQ(attributes["iteration"], 0);
}

TEST(PredictVolume, AFolderOfNetworksPredictsTheirMean) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const auto several = folder.path() / "several";
  std::vector<Array<std::uint8_t>> alone;
  for (const std::uint64_t seed : {1, 2, 3}) {
    nn::NetworkInfo info = same_info();
    info.seed = seed;
    const std::string name = std::to_string(seed);
    nn::Network(info).save(several / (name + ".organon"));
    const auto one =
        description_of({raw, (several / (name + ".organon")).string()}, folder.path() / name, kOptions);
    ASSERT_TRUE(run(one).failures.empty());
    alone.push_back(read_class(one));
  }
  const auto all = description_of({raw, several.string()}, folder.path(), kOptions);
  ASSERT_TRUE(run(all).failures.empty());
  const Array<std::uint8_t> mean = read_class(all);
  std::int64_t different = 0;
  for (std::int64_t i = 0; i < mean.size(); ++i) {
    const double expected = (alone[0].data()[i] + alone[1].data()[i] + alone[2].data()[i]) / 3.0;
    ASSERT_NEAR(mean.data()[i], expected, 1) << "each was rounded by itself";
    different += alone[0].data()[i] != alone[1].data()[i];
  }
  EXPECT_GT(different, mean.size() / 2);
  nn::NetworkInfo other = same_info();
  other.classes = {"b"};
  nn::Network(other).save(several / "4.organon");
  EXPECT_THROW(make_predict_stage(all), Error);
  std::filesystem::create_directory(folder.path() / "empty");
  EXPECT_THROW(
      make_predict_stage(description_of({raw, (folder.path() / "empty").string()}, folder.path(), kOptions)),
      Error);
}

TEST(TileGrid, TheLargestTilesFitTheMemory) {
  const Shape3 volume{4096, 4096, 4096};
  const Shape3 chunks{64, 64, 64};
  const std::int64_t memory = std::int64_t{32} << 30;
  for (const char* name : {"compact", "paper"}) {
    const nn::NetworkOptions network = nn::network_preset(name);
    const auto with = [&](std::int64_t bytes) {
      return make_largest_tile_grid(network, 14, volume, chunks, bytes, 32);
    };
    const TileGrid tiles = with(memory);
    EXPECT_LE(nn::prediction_bytes(network, 14, tiles.input), memory);
    EXPECT_GT(tiles.shape.product(), with(memory / 2).shape.product());
    // The next larger one of whole chunks, or of the network's steps, does not fit.
    const std::int64_t more = tiles.shape.largest() + 64;
    EXPECT_GT(nn::prediction_bytes(network, 14, make_tile_grid(network, volume, chunks, more, 32).input),
              memory);
    EXPECT_THROW(with(1 << 20), Error);
  }
}

TEST(PredictVolume, TilesOfAMemoryAreTheSameVoxelsWithinARounding) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const std::string network = store_network(folder.path(), same_info());
  const auto with = [&](const char* name, const std::string& tile) {
    return description_of(
        {raw, network}, folder.path() / name,
        "{" + tile + R"(, "halo": 16, "flips": 1, "precision": "float32", "chunk_shape": [8, 8, 8]})");
  };
  const auto standard = with("standard", R"("tile": 16)");
  const auto largest = with("largest", R"("tile": 0, "tile_memory_gib": 0.5)");
  ASSERT_TRUE(run(standard).failures.empty());
  ASSERT_TRUE(run(largest).failures.empty());
  const auto tile = storage::open_dataset(largest.outputs[0] + "/a")->attributes()["prediction"]["tile"];
  EXPECT_EQ(tile, Json({24, 32, 40})) << "the whole volume";
  const auto one = read_class(standard);
  const auto other = read_class(largest);
  for (std::int64_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one.data()[i], other.data()[i], 1);
  for (const char* wrong : {R"("tile": 0)", R"("tile": 5)", R"("tile": 0, "tile_memory_gib": 0.01)"})
    EXPECT_THROW(make_predict_stage(with("wrong", wrong)), Error) << wrong;
}

TEST(PredictVolume, PrecisionIsPartOfWhatMakesTheVoxels) {
  const TemporaryFolder folder;
  const std::string raw = store(folder.path(), "raw", make_raw(kShape), 8);
  const std::string network = store_network(folder.path(), same_info());
  const auto stage_of = [&](const char* precision) {
    return make_predict_stage(
        description_of({raw, network}, folder.path(), std::string(R"({"precision": ")") + precision + "\"}"));
  };
  // Left to the device, processors made for bfloat16 are a kind of their own: a run keeps to one of them.
  EXPECT_EQ(stage_of("auto")->device_types(), (std::vector<std::string>{"cuda", "cpu_bfloat16", "cpu"}));
  EXPECT_EQ(stage_of("float32")->device_types(), (std::vector<std::string>{"cuda", "cpu"}));
  EXPECT_THROW(stage_of("float16"), Error);
}

TEST(TileGrid, ModulesHaveTheirOwnTiles) {
  nn::ScriptInfo script;
  script.input_shape = {64, 80, 96};
  script.output_shape = {64, 40, 48};
  const TileGrid tiles = make_script_tile_grid(script, {100, 100, 100}, 128, 16);
  EXPECT_EQ(tiles.input, script.input_shape);
  EXPECT_EQ(tiles.shape, (Shape3{32, 40, 48})) << "along z the module leaves out nothing by itself";
  EXPECT_EQ(tiles.halo, (Shape3{16, 20, 24}));
  EXPECT_EQ(tiles.begin, (Index3{16, 0, 0}));
  EXPECT_THROW(make_script_tile_grid(script, {100, 100, 100}, 128, 32), Error);
  script.input_shape = script.output_shape = {1, 256, 256};
  script.is_slice_wise = true;
  const TileGrid slices = make_script_tile_grid(script, {100, 700, 700}, 48, 32);
  EXPECT_EQ(slices.shape, (Shape3{48, 192, 192}));
  EXPECT_EQ(slices.input, (Shape3{48, 256, 256}));
  EXPECT_EQ(slices.halo, (Shape3{0, 32, 32}));
  script.input_shape = {32, 32, 32};
  script.output_shape = {40, 40, 40};
  script.output_scale = 2;
  script.is_slice_wise = false;
  const TileGrid finer = make_script_tile_grid(script, {100, 100, 100}, 48, 8);
  EXPECT_EQ(finer.shape, (Shape3{32, 32, 32}));
  EXPECT_EQ(finer.halo, (Shape3{8, 8, 8}));
  EXPECT_EQ(finer.begin, (Index3{4, 4, 4}));
}

TEST(TileGrid, TilesFitTheNetworkAndCoverTheVolume) {
  const nn::NetworkOptions compact = nn::compact_network();
  const TileGrid tiles = make_tile_grid(compact, {165, 768, 1024}, {64, 64, 64}, 128, 30);
  EXPECT_EQ(tiles.shape, (Shape3{192, 128, 128}));
  EXPECT_EQ(tiles.halo, Shape3::cube(32));
  EXPECT_EQ(tiles.input, (Shape3{256, 192, 192}));
  EXPECT_EQ(tiles.input_box({0, 1, 2}), Box::at({-32, 96, 224}, tiles.input));
  const TileGrid fine = make_tile_grid(nn::paper_8nm_network(), {1000, 1000, 1000}, {64, 64, 64}, 128, 0);
  EXPECT_EQ(fine.shape, Shape3::cube(144));
  EXPECT_EQ(fine.input, Shape3::cube(270));
  EXPECT_EQ(fine.halo, Shape3::cube(99));
  EXPECT_EQ(fine.begin, Index3::cube(16));
  EXPECT_EQ(fine.input_box({0, 1, -1}), Box::at({-99, -27, -171}, fine.input));
  // A thin volume has thin tiles.
  const TileGrid thin = make_tile_grid(nn::paper_network(), {20, 1000, 1000}, {64, 64, 64}, 100, 0);
  EXPECT_EQ(thin.shape, (Shape3{36, 108, 108}));
  EXPECT_EQ(thin.input, (Shape3{216, 288, 288}));
  const TileGrid paper = make_tile_grid(nn::paper_network(), {1000, 1000, 1000}, {64, 64, 64}, 180, 0);
  EXPECT_EQ(paper.shape, Shape3::cube(180));
  EXPECT_EQ(paper.input, Shape3::cube(360));
  EXPECT_EQ(paper.halo, Shape3::cube(90));
}

}  // namespace
}  // namespace organon::stages
