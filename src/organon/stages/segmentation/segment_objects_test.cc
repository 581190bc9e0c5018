#include "organon/stages/segmentation/segment_objects.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/random.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/voxel/label_components.h"
#include "organon/voxel/smooth.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{37, 50, 61};
const VoxelGrid kGrid{{8, 4, 4}, {0, 0, 0}};

// Waves that make objects of many sizes, some across all blocks, with noise that makes tiny ones.
Array<std::uint8_t> make_prediction() {
  Array<std::uint8_t> voxels(kShape);
  Random random(11);
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        const double wave = 3 * std::sin(0.31 * static_cast<double>(z)) *
                            std::sin(0.23 * static_cast<double>(y) + 0.1 * static_cast<double>(z)) *
                            std::cos(0.19 * static_cast<double>(x));
        voxels(z, y, x) =
            static_cast<std::uint8_t>(std::clamp(88 + 42 * wave + 60 * random.normal(), 0.0, 255.0));
      }
    }
  }
  return voxels;
}

std::string store_prediction(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {32, 32, 32};
  spec.grid = kGrid;
  std::string address = "n5://" + (folder / "p.n5" / "mito").string();
  const Array<std::uint8_t> prediction = make_prediction();
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), prediction.view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::string& input, const std::filesystem::path& folder,
                                           const Shape3& block_shape, const std::string& options) {
  blockwise::StageDescription description;
  description.verb = "segment";
  description.options_json = options;
  description.inputs = {input};
  description.outputs = {"n5://" + (folder / "out.n5" / "labels").string()};
  description.block_shape = block_shape;
  return description;
}

constexpr const char* kOptions =
    R"({"sigma_nm": 6, "threshold": 127, "min_volume_nm3": 20000, "chunk_shape": [8, 8, 8]})";

// The same from whole arrays: mirror by hand, one labelling, sizes, ids by raster order.
Array<std::uint64_t> segment_whole(const Array<std::uint8_t>& prediction, Connectivity connectivity) {
  const auto kernels = voxel::gaussian_kernels(6, kGrid.voxel_size_nm);
  const Shape3 halo = voxel::smoothing_halo(kernels);
  const Box domain = Box::of_shape(kShape);
  const Box grown = domain.grow(halo, halo);
  Array<std::uint8_t> input(grown.shape());
  copy_with_border<std::uint8_t>(prediction, domain, domain, Border::kReflect, 0, input, grown);
  Array<std::uint8_t> mask(kShape);
  voxel::smooth_and_threshold(input, kernels, 127, mask);
  Array<std::uint32_t> labels(kShape);
  const auto components = voxel::label_components(mask, connectivity, labels);
  std::vector<std::uint64_t> ids = {0};
  std::uint64_t next = 0;
  for (const auto& component : components.components) {
    ids.push_back(static_cast<double>(component.voxels) * kGrid.voxel_volume_nm3() >= 20000 ? ++next : 0);
  }
  Array<std::uint64_t> result(kShape);
  for (std::int64_t i = 0; i < result.size(); ++i) result.data()[i] = ids[labels.data()[i]];
  EXPECT_GT(next, 1U);
  EXPECT_LT(next, static_cast<std::uint64_t>(components.count()));
  return result;
}

TEST(SegmentObjects, BlocksGiveTheVoxelsOfTheWholeVolume) {
  for (const auto& [name, connectivity] : {std::pair{"face", Connectivity::kFace},
                                           {"face-edge", Connectivity::kFaceEdge},
                                           {"face-edge-vertex", Connectivity::kFaceEdgeVertex}}) {
    const TemporaryFolder folder;
    std::string options = kOptions;
    options.insert(1, std::string("\"connectivity\": \"") + name + "\", ");
    const auto description =
        description_of(store_prediction(folder.path()), folder.path(), {8, 16, 8}, options);
    const auto result = blockwise::testing::run_in({make_segment_stage, {}, {}}, description, 2);
    ASSERT_TRUE(result.failures.empty());
    const auto expected = segment_whole(make_prediction(), connectivity);
    const auto dataset = storage::open_dataset(description.outputs[0]);
    EXPECT_EQ(dataset->spec().data_type, DataType::kUint8);
    const auto labels = dataset->read_as<std::uint64_t>(Box::of_shape(kShape));
    ASSERT_TRUE(std::equal(labels.data(), labels.data() + labels.size(), expected.data())) << name;
  }
}

// Most components lie in one block each, so that blocks number them by rows; others go through many.
TEST(SegmentObjects, ComponentsOfNoiseAreNumberedInRasterOrder) {
  const TemporaryFolder folder;
  const std::string input = store_prediction(folder.path());
  const auto prediction = make_prediction();
  Array<std::uint8_t> mask(kShape);
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data()[i] = prediction.data()[i] >= 210 ? 1 : 0;
  Array<std::uint32_t> expected(kShape);
  ASSERT_GT(voxel::label_components(mask, Connectivity::kFaceEdgeVertex, expected).count(), 300);
  for (const Shape3& block_shape : {Shape3{8, 8, 8}, Shape3{16, 40, 8}, Shape3{64, 64, 64}}) {
    const auto description =
        description_of(input, folder.path(), block_shape,
                       R"({"sigma_nm": 0, "threshold": 210, "min_volume_nm3": 0, "chunk_shape": [8, 8, 8]})");
    const auto result = blockwise::testing::run_in({make_segment_stage, {}, {}}, description, 2);
    ASSERT_TRUE(result.failures.empty());
    const auto labels =
        storage::open_dataset(description.outputs[0])->read_as<std::uint32_t>(Box::of_shape(kShape));
    ASSERT_TRUE(std::equal(labels.data(), labels.data() + labels.size(), expected.data()))
        << to_string(block_shape);
    std::filesystem::remove_all(folder.path() / "out.n5");
    std::filesystem::remove_all(folder.path() / ".organon");
  }
}

TEST(SegmentObjects, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string input = store_prediction(folder.path());
  blockwise::testing::expect_stage_contract({make_segment_stage,
                                             [&](const std::filesystem::path& out, const Shape3& shape) {
                                               return description_of(input, out, shape, kOptions);
                                             },
                                             {{16, 16, 16}, {8, 24, 40}, {256, 256, 256}}});
}

TEST(SegmentObjects, OnlyUint8PredictionsAreTaken) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {4, 4, 4};
  spec.data_type = DataType::kFloat32;
  const std::string address = "n5://" + (folder.path() / "p.n5" / "f").string();
  storage::create_dataset(address, spec);
  EXPECT_THROW(make_segment_stage(description_of(address, folder.path(), {}, "{}")), Error);
}

}  // namespace
}  // namespace organon::stages
