#include "organon/nn/export_script.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/nn/network.h"
#include "organon/nn/predictor.h"

namespace organon::nn {
namespace {

using organon::testing::TemporaryFolder;

// libtorch may sum in another order for another number of inputs.
constexpr double kTolerance = 1e-5;

Array<float> noise(const Shape3& shape, unsigned seed) {
  std::mt19937 random(seed);
  Array<float> values(shape);
  for (std::int64_t i = 0; i < values.size(); ++i)
    values.data()[i] = static_cast<float>(random() % 2001) / 1000 - 1;
  return values;
}

NetworkOptions small(NetworkOptions options) {
  const std::size_t levels = options.features.size();
  options.features = {4, 8, 12, 16};
  options.features.resize(levels);
  if (options.last_features != 0) options.last_features = 6;
  return options;
}

NetworkOptions small_valid() {
  NetworkOptions options = small(paper_network());
  options.features = {4, 6, 8};
  options.pooling = {"2", "2"};
  return options;
}

// One step of training, so that the running statistics are not those of the beginning.
void train_once(Network& network, const Shape3& input) {
  const NetworkInfo& info = network.info();
  TrainingBatch batch;
  for (unsigned i = 0; i < 2; ++i) {
    batch.raw.push_back(noise(input, i));
    const Shape3 output = output_shape(info.options, input);
    std::vector<Array<float>> targets;
    std::vector<Array<std::uint8_t>> masks;
    for (std::size_t c = 0; c < info.classes.size(); ++c) {
      targets.push_back(noise(output, i + 10));
      Array<std::uint8_t> mask = Array<std::uint8_t>::uninitialized(output);
      std::fill(mask.data(), mask.data() + mask.size(), std::uint8_t{1});
      masks.push_back(std::move(mask));
    }
    batch.targets.push_back(std::move(targets));
    batch.masks.push_back(std::move(masks));
  }
  network.train_step(batch, {});
}

// The module of a network predicts what the network does, for the tile that its facts name.
void expect_same(const NetworkOptions& options, const Shape3& tile, std::size_t num_inputs = 2) {
  const TemporaryFolder folder;
  NetworkInfo info;
  info.options = options;
  info.classes = {"a", "b"};
  info.voxel_size_nm = {8, 4, 4};
  Network network(info, "cpu");
  if (options.normalization == "batch") train_once(network, smallest_input(options, Shape3::cube(1)));
  network.set_boundary_levels({0.0625, -0.25});
  network.save(folder.path() / "network.organon");
  const auto path = folder.path() / "exported.pt";
  const ScriptInfo facts = export_script(
      decode_network(read_text(folder.path() / "network.organon"), "network.organon"), path, tile);

  const PredictorInfo read = read_predictor_info(path);
  EXPECT_EQ(read.classes, info.classes);
  EXPECT_EQ(read.voxel_size_nm, info.voxel_size_nm);
  EXPECT_EQ(read.output_scale, options.output_scale);
  EXPECT_EQ(read.script->input_shape, facts.input_shape);
  EXPECT_EQ(read.script->output, ScriptInfo::Output::kDistance);
  ASSERT_GE(facts.output_shape.smallest(), tile.smallest());

  std::vector<Array<float>> inputs;
  while (inputs.size() < num_inputs)
    inputs.push_back(noise(facts.input_shape, static_cast<unsigned>(inputs.size())));
  const auto expected = network.predict(inputs);
  const auto found = Predictor({path}, {"cpu"}).predict(inputs);
  // As prediction in tiles takes it.
  const auto used = tile_of(options, facts.input_shape, 0);
  ASSERT_TRUE(used.has_value());
  ASSERT_EQ(facts.margin(), used->halo);
  double largest = 0, highest = 0, lowest = 0;
  for (std::size_t i = 0; i < num_inputs; ++i) {
    for (std::size_t c = 0; c < info.classes.size(); ++c) {
      ASSERT_EQ(found[i][c].shape(), used->shape);
      for (std::int64_t z = 0; z < used->shape.z; ++z) {
        for (std::int64_t y = 0; y < used->shape.y; ++y) {
          for (std::int64_t x = 0; x < used->shape.x; ++x) {
            const float value = expected[i][c](z + used->begin.z, y + used->begin.y, x + used->begin.x);
            largest = std::max<double>(largest, std::abs(found[i][c](z, y, x) - value));
            highest = std::max<double>(highest, value);
            lowest = std::min<double>(lowest, value);
          }
        }
      }
    }
  }
  EXPECT_LT(largest, kTolerance);
  EXPECT_GT(highest - lowest, 1e-3) << "this network predicts nothing that could differ";
}

TEST(ExportScript, Compact) { expect_same(small(compact_network()), Shape3::cube(32)); }

TEST(ExportScript, ValidAsThePaper) {
  expect_same(small_valid(), Shape3::cube(8));
  NetworkOptions options = small_valid();
  options.alignment = "paper";
  expect_same(options, Shape3::cube(8));
}

TEST(ExportScript, ThePapersTopologyAndAlignment) {
  NetworkOptions options = small(paper_network());
  options.features = {2, 3, 4, 5};
  options.alignment = "paper";
  expect_same(options, Shape3::cube(18), 1);
}

TEST(ExportScript, OutputsFinerThanTheInput) {
  for (const char* alignment : {"centred", "paper"}) {
    NetworkOptions options = small_valid();
    options.output_scale = 2;
    options.alignment = alignment;
    expect_same(options, Shape3::cube(16));
  }
  NetworkOptions same = small(compact_network());
  same.output_scale = 2;
  expect_same(same, Shape3::cube(32));
}

TEST(ExportScript, AnisotropicPoolingAndKernels) {
  for (const char* padding : {"same", "replicate", "valid"}) {
    NetworkOptions options;
    options.features = {4, 6, 8};
    options.pooling = {"1x2x2", "2"};
    options.kernels = {"1x3x3", "3", "3x1x5"};
    options.stem = 1;
    options.padding = padding;
    expect_same(options, {4, 8, 12});
  }
}

TEST(ExportScript, EveryNormalization) {
  for (const char* normalization : {"batch", "group", "instance", "none"}) {
    NetworkOptions options = small(compact_network());
    options.features = {8, 16};
    options.pooling = {"2"};
    options.normalization = normalization;
    expect_same(options, Shape3::cube(16));
  }
}

TEST(ExportScript, ResidualsSkipsAndStems) {
  NetworkOptions options = small_valid();
  options.residual = "true";
  options.convolutions = 3;
  expect_same(options, Shape3::cube(4));
  options.skip = "add";
  options.last_features = 0;
  options.stem = 2;
  expect_same(options, Shape3::cube(8));
  NetworkOptions joined = small(compact_network());
  joined.skip = "concatenate";
  joined.last_features = 12;
  joined.stem = 3;
  joined.convolutions = 1;
  joined.residual = "false";
  expect_same(joined, Shape3::cube(24));
  NetworkOptions flat;
  flat.features = {4};
  flat.pooling = {};
  expect_same(flat, Shape3::cube(6));
}

TEST(ExportScript, OneModuleTakesAllSizesThatFit) {
  const TemporaryFolder folder;
  NetworkInfo info;
  info.options = small_valid();
  info.classes = {"a"};
  info.voxel_size_nm = {4, 4, 4};
  const Network network(info, "cpu");
  network.save(folder.path() / "network.organon");
  const auto path = folder.path() / "exported.pth";
  ScriptInfo facts = export_script(
      decode_network(read_text(folder.path() / "network.organon"), "network.organon"), path, {4, 4, 4});
  const Shape3 input = facts.input_shape + Shape3{4, 8, 0};
  const auto tile = tile_of(info.options, input, 0);
  ASSERT_TRUE(tile.has_value());
  facts.input_shape = tile->input;
  facts.output_shape = tile->shape;
  write_text_atomically(script_info_path(path), to_json(facts));
  const Predictor predictor({path}, {"cpu"});
  std::vector<Array<float>> inputs;
  inputs.push_back(noise(input, 1));
  const auto found = predictor.predict(inputs);
  const auto expected = network.predict(inputs);
  const Index3 last = Index3(tile->shape) - Index3{1, 1, 1};
  EXPECT_NEAR(found[0][0](0, 0, 0), expected[0][0](tile->begin.z, tile->begin.y, tile->begin.x), kTolerance);
  EXPECT_NEAR(found[0][0](last.z, last.y, last.x),
              expected[0][0](tile->begin.z + last.z, tile->begin.y + last.y, tile->begin.x + last.x),
              kTolerance);
  inputs[0] = noise(input + Shape3{1, 0, 0}, 1);
  try {
    predictor.predict(inputs);
    ADD_FAILURE() << "an input that does not pool evenly";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("fails on an input of"), std::string::npos) << error.message();
  }
}

TEST(ExportScript, RefusesWhatItCannotDo) {
  const TemporaryFolder folder;
  NetworkInfo info;
  info.options = small_valid();
  info.classes = {"a"};
  info.voxel_size_nm = {4, 4, 4};
  Network(info, "cpu").save(folder.path() / "network.organon");
  NetworkFile file = decode_network(read_text(folder.path() / "network.organon"), "network.organon");
  const auto kind = [&](const std::string& name, const Shape3& tile) {
    try {
      export_script(file, folder.path() / name, tile);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << name;
    return ErrorKind::kInternal;
  };
  EXPECT_EQ(kind("module.organon", {4, 4, 4}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("module.pt", Shape3::cube(5000)), ErrorKind::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "module.json"));
  export_script(file, folder.path() / "module.pt", {4, 4, 4});
  EXPECT_EQ(kind("module.pt", {4, 4, 4}), ErrorKind::kAlreadyExists);
  for (NetworkFile::Tensor& tensor : file.tensors) {
    if (tensor.name == "mean.head.bias") tensor.values.push_back(0);
  }
  EXPECT_EQ(kind("other.pt", {4, 4, 4}), ErrorKind::kCorruptData);
}

}  // namespace
}  // namespace organon::nn
