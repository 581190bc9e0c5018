#include "organon/stages/segmentation/agglomerate_fragments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/segmentation/make_fragments.h"
#include "organon/stages/segmentation/merge_report.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{24, 30, 60};
const VoxelGrid kGrid{{8, 4, 4}, {}};

// Signed distances of three balls in a row, in nm: the first two overlap in a broad neck, the second and the
// third touch in a thin one.
Array<std::uint8_t> make_prediction() {
  struct Ball {
    PointNm centre;
    double radius_nm;
  };
  const std::vector<Ball> balls = {{{96, 60, 52}, 44}, {{96, 60, 92}, 44}, {{96, 60, 172}, 46}};
  Random random(5);
  Array<std::uint8_t> prediction(kShape);
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        double inside = -1e9;
        for (const Ball& ball : balls) {
          const PointNm at = kGrid.to_nm({z, y, x});
          inside = std::max(inside, ball.radius_nm - std::hypot(at.z - ball.centre.z, at.y - ball.centre.y,
                                                                at.x - ball.centre.x));
        }
        prediction(z, y, x) = static_cast<std::uint8_t>(
            std::clamp(std::lround(128 * std::tanh(inside / 50) + 127 + 6 * random.normal()), 0L, 255L));
      }
    }
  }
  return prediction;
}

// The fragments of the balls, in `folder`.
std::string make_fragments(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint8;
  spec.grid = kGrid;
  const std::string prediction = "n5://" + (folder / "p.n5" / "mito").string();
  storage::create_dataset(prediction, spec)
      ->write<std::uint8_t>(spec.domain(), make_prediction().view(), Fsync::kNo);
  blockwise::StageDescription description;
  description.verb = "watershed";
  description.options_json = R"({"sigma_nm": 4, "threshold": 127, "chunk_shape": [8, 8, 8]})";
  description.inputs = {prediction};
  description.outputs = {"n5://" + (folder / "f.n5" / "fragments").string()};
  EXPECT_TRUE(blockwise::testing::run_in({make_watershed_stage, {}, {}}, description, 2).failures.empty());
  return description.outputs[0];
}

blockwise::StageDescription description_of(const std::string& fragments, const std::filesystem::path& folder,
                                           const std::string& options,
                                           const Shape3& block_shape = {8, 16, 16}) {
  blockwise::StageDescription description;
  description.verb = "agglomerate";
  description.options_json = options;
  description.inputs = {fragments};
  description.outputs = {"n5://" + (folder / "out.n5" / "labels").string()};
  description.block_shape = block_shape;
  return description;
}

Array<std::uint64_t> objects_of(const blockwise::StageDescription& description) {
  EXPECT_TRUE(blockwise::testing::run_in({make_agglomerate_stage, {}, {}}, description, 2).failures.empty());
  return storage::open_dataset(description.outputs[0])->read_as<std::uint64_t>(Box::of_shape(kShape));
}

std::set<std::uint64_t> ids_of(const Array<std::uint64_t>& objects) {
  return {objects.data(), objects.data() + objects.size()};
}

TEST(AgglomerateFragments, DeepInterfacesAreMergedAndThinNecksStay) {
  const TemporaryFolder folder;
  const std::string fragments = make_fragments(folder.path());
  ASSERT_GE(read_region_graph(fragments).regions.size(), 3U);
  for (const char* options :
       {R"({"min_volume_nm3": 1e5})", R"({"quantile": 50, "threshold": 0.8, "min_volume_nm3": 1e5})",
        R"({"statistic": "highest", "relative": true, "threshold": 0.6, "min_volume_nm3": 1e5})"}) {
    const auto objects = objects_of(description_of(fragments, folder.path(), options));
    EXPECT_EQ(objects(12, 15, 13), 1U) << options;
    EXPECT_EQ(objects(12, 15, 23), 1U) << options;
    EXPECT_EQ(objects(12, 15, 43), 2U) << options;
    EXPECT_EQ(ids_of(objects), (std::set<std::uint64_t>{0, 1, 2})) << options;
  }
}

TEST(AgglomerateFragments, TheReportTellsTheNumberOfObjectsAtEveryThreshold) {
  const TemporaryFolder folder;
  const std::string fragments = make_fragments(folder.path());
  auto description = description_of(fragments, folder.path(), R"({"threshold": 0.5, "min_volume_nm3": 0})");
  const auto num_objects = ids_of(objects_of(description)).size() - 1;
  const std::filesystem::path out = storage::open_dataset(description.outputs[0])->path();
  const Json report = parse_json(read_text(out / "cuts.json"), "cuts.json");
  EXPECT_EQ(report.at("cuts").at(100).at("objects").get<std::size_t>(), num_objects);
  EXPECT_EQ(report.at("cuts").at(0).at("objects").get<std::size_t>(),
            read_region_graph(fragments).regions.size());
  EXPECT_NE(read_text(out / "cuts.txt").find("0.500"), std::string::npos);
  EXPECT_NE(read_text(out / "cuts.svg").find("polyline"), std::string::npos);
  for (const int at : {20, 60, 140, 200}) {
    description.options_json = fmt::format(R"({{"threshold": {}, "min_volume_nm3": 50000}})", at / 200.0);
    EXPECT_EQ(report.at("cuts").at(static_cast<std::size_t>(at)).contains("objects"), true);
    const auto kept = ids_of(objects_of(description)).size() - 1;
    const Json again = parse_json(read_text(out / "cuts.json"), "cuts.json");
    EXPECT_EQ(again.at("cuts").at(static_cast<std::size_t>(at)).at("objects_kept").get<std::size_t>(), kept);
  }
}

TEST(AgglomerateFragments, FragmentsWithoutAGraphAreRefused) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {4, 4, 4};
  spec.data_type = DataType::kUint32;
  const std::string address = "n5://" + (folder.path() / "l.n5" / "labels").string();
  storage::create_dataset(address, spec);
  try {
    blockwise::testing::run_in({make_agglomerate_stage, {}, {}},
                               description_of(address, folder.path(), "{}", {}), 1);
    ADD_FAILURE() << "ran without a graph";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(std::string(error.what()).find("organon watershed"), std::string::npos) << error.what();
  }
}

// Tables are by id: an id far beyond the others once asked for all memory, and the highest wrote out of
// bounds.
TEST(AgglomerateFragments, AGraphThatNamesOtherFragmentsIsRefused) {
  for (const std::uint64_t id : {std::uint64_t{7}, std::uint64_t{1} << 50, ~std::uint64_t{0}}) {
    const TemporaryFolder folder;
    storage::DatasetSpec spec;
    spec.shape = {4, 4, 4};
    spec.data_type = DataType::kUint32;
    const std::string address = "n5://" + (folder.path() / "l.n5" / "labels").string();
    const auto dataset = storage::create_dataset(address, spec);
    tables::RegionGraph graph;
    graph.regions = {{1, 10, 200}, {id, 10, 200}};
    write_file_atomically(dataset->path() / "region_graph", graph.encode(), Fsync::kNo);
    const auto result = blockwise::testing::run_in({make_agglomerate_stage, {}, {}},
                                                   description_of(address, folder.path(), "{}", {}), 1);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_NE(result.failures[0].message.find("region graph"), std::string::npos)
        << result.failures[0].message;
  }
}

TEST(AgglomerateFragments, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string fragments = make_fragments(folder.path());
  blockwise::testing::expect_stage_contract(
      {make_agglomerate_stage,
       [&](const std::filesystem::path& out, const Shape3& shape) {
         return description_of(fragments, out, R"({"threshold": 0.7, "min_volume_nm3": 0})", shape);
       },
       {{8, 16, 16}, {24, 8, 8}, {64, 64, 64}},
       [](const blockwise::StageDescription& description) {
         const std::filesystem::path out = storage::open_dataset(description.outputs[0])->path();
         return blockwise::testing::voxels_of(description) + read_text(out / "merges.csv") +
                read_text(out / "cuts.csv");
       }});
}

}  // namespace
}  // namespace organon::stages
