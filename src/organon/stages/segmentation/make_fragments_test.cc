#include "organon/stages/segmentation/make_fragments.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/random.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/voxel/measure_interfaces.h"
#include "organon/voxel/smooth.h"
#include "organon/voxel/watershed.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{26, 27, 28};
constexpr char kOptions[] = R"({"sigma_nm": 0, "threshold": 100, "chunk_shape": [8, 8, 8]})";
const VoxelGrid kGrid{{6, 4, 4}, {}};

// Random bumps; and a slab of one value through three blocks per axis and more, with one exit in a corner,
// beside one without any.
Array<std::uint8_t> make_prediction() {
  Random random(8);
  Array<std::uint8_t> prediction(kShape);
  for (std::int64_t i = 0; i < prediction.size(); ++i)
    prediction.data()[i] = static_cast<std::uint8_t>(80 + random.below(60));
  const auto fill = [&](const Box& box, std::uint8_t value) {
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z)
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y)
        for (std::int64_t x = box.begin.x; x < box.end.x; ++x) prediction(z, y, x) = value;
  };
  fill({{0, 0, 0}, {25, 25, 3}}, 200);
  fill({{0, 0, 0}, {25, 3, 25}}, 200);
  fill({{22, 0, 0}, {25, 25, 25}}, 200);
  prediction(24, 24, 24) = 210;
  fill({{2, 5, 5}, {20, 24, 8}}, 220);
  fill({{2, 21, 5}, {20, 24, 24}}, 220);
  return prediction;
}

std::string store(const std::filesystem::path& folder, const Array<std::uint8_t>& prediction) {
  storage::DatasetSpec spec;
  spec.shape = prediction.shape();
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint8;
  spec.grid = kGrid;
  const std::string address = "n5://" + (folder / "p.n5" / "mito").string();
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), prediction.view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::string& input, const std::filesystem::path& folder,
                                           const Shape3& block_shape, const std::string& options = kOptions) {
  blockwise::StageDescription description;
  description.verb = "watershed";
  description.options_json = options;
  description.inputs = {input};
  description.outputs = {"n5://" + (folder / "out.n5" / "fragments").string()};
  description.block_shape = block_shape;
  return description;
}

struct Expected {
  Array<std::uint32_t> fragments;
  tables::RegionGraph graph;
};

// From whole arrays.
Expected fragments_of_whole(const Array<std::uint8_t>& prediction, double threshold) {
  const Shape3 shape = prediction.shape();
  Array<std::uint16_t> values(shape);
  Array<std::uint8_t> levels(shape);
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double grey = prediction.data()[i];
    if (grey >= threshold) values.data()[i] = static_cast<std::uint16_t>(256 * grey);
    levels.data()[i] = static_cast<std::uint8_t>(
        std::lround(std::max(grey - (threshold - 1), 0.0) / (255 - (threshold - 1)) * 255));
  }
  Expected expected{Array<std::uint32_t>(shape), {}};
  voxel::watershed(values, expected.fragments);
  const Box whole = Box::of_shape(shape);
  expected.graph = voxel::measure_interfaces<std::uint32_t>(expected.fragments, levels, whole, whole,
                                                            voxel::FaceLevel::kLower);
  return expected;
}

TEST(MakeFragments, BlocksGiveTheVoxelsAndTheGraphOfTheWholeVolume) {
  const TemporaryFolder folder;
  const auto prediction = make_prediction();
  const auto expected = fragments_of_whole(prediction, 100);
  ASSERT_GT(expected.graph.regions.size(), 100U);
  const auto description = description_of(store(folder.path(), prediction), folder.path(), {8, 8, 8});
  ASSERT_TRUE(blockwise::testing::run_in({make_watershed_stage, {}, {}}, description, 2).failures.empty());
  const auto dataset = storage::open_dataset(description.outputs[0]);
  EXPECT_EQ(dataset->spec().data_type, DataType::kUint16);
  const auto fragments = dataset->read_as<std::uint64_t>(Box::of_shape(kShape));
  for (std::int64_t i = 0; i < fragments.size(); ++i)
    ASSERT_EQ(fragments.data()[i], expected.fragments.data()[i]) << i;
  EXPECT_EQ(read_region_graph(description.outputs[0]), expected.graph);
  // The slab is many blocks away from its exit.
  const blockwise::RunFolder run(blockwise::run_folder_of(description.outputs[0]));
  EXPECT_GT(make_watershed_stage(description)->steps_of(run).size(), 8U + 2 * 3U);
}

TEST(MakeFragments, SmoothsBefore) {
  const TemporaryFolder folder;
  const std::string options = R"({"sigma_nm": 8, "threshold": 100, "chunk_shape": [8, 8, 8]})";
  const auto description =
      description_of(store(folder.path(), make_prediction()), folder.path(), {16, 8, 8}, options);
  ASSERT_TRUE(blockwise::testing::run_in({make_watershed_stage, {}, {}}, description, 2).failures.empty());
  const auto rough = fragments_of_whole(make_prediction(), 100).graph.regions.size();
  const auto graph = read_region_graph(description.outputs[0]);
  EXPECT_GT(graph.regions.size(), 2U);
  EXPECT_LT(graph.regions.size(), rough / 10);
}

TEST(MakeFragments, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string input = store(folder.path(), make_prediction());
  blockwise::testing::expect_stage_contract(
      {make_watershed_stage,
       [&](const std::filesystem::path& out, const Shape3& shape) {
         return description_of(input, out, shape);
       },
       {{8, 8, 8}, {16, 8, 24}, {64, 64, 64}},
       [](const blockwise::StageDescription& description) {
         return blockwise::testing::voxels_of(description) +
                to_hex(hash_bytes(read_region_graph(description.outputs[0]).encode()));
       }});
}

}  // namespace
}  // namespace organon::stages
