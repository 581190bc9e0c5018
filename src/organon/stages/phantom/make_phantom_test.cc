#include "organon/stages/phantom/make_phantom.h"

#include <gtest/gtest.h>

#include "organon/base/files.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/phantom/form_image.h"
#include "organon/phantom/label_voxels.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr const char* kOptions =
    R"({"shape": [24, 40, 36], "voxel_size_nm": [20, 16, 16], "seed": 5, "contrast": "jurkat", "chunk_shape": [16]})";

blockwise::StageDescription description_of(const std::filesystem::path& folder, const Shape3& block_shape) {
  blockwise::StageDescription description;
  description.verb = "phantom";
  description.options_json = kOptions;
  description.outputs = {folder.string()};
  description.block_shape = block_shape;
  return description;
}

// The suite looks at datasets; the stage's output is the folder around them.
std::unique_ptr<blockwise::Stage> stage_of_datasets(const blockwise::StageDescription& description) {
  blockwise::StageDescription in_folder = description;
  in_folder.outputs = {
      storage::parse_address(description.outputs.at(0)).path.parent_path().parent_path().string()};
  return make_phantom_stage(in_folder);
}

TEST(MakePhantom, ObeysTheStageContract) {
  blockwise::testing::expect_stage_contract({stage_of_datasets,
                                             [](const std::filesystem::path& folder, const Shape3& shape) {
                                               blockwise::StageDescription description =
                                                   description_of(folder, shape);
                                               description.outputs =
                                                   phantom_addresses((folder / "cell").string());
                                               return description;
                                             },
                                             {{32, 32, 32}, {16, 48, 64}, {256, 256, 256}}});
}

TEST(MakePhantom, WritesWhatThePhantomLibraryMakes) {
  const TemporaryFolder temporary;
  const auto folder = temporary.path() / "cell";
  const auto result = blockwise::testing::run_in({make_phantom_stage, {}, {}}, description_of(folder, {}), 2);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
  const auto addresses = phantom_addresses(folder.string());
  const auto raw = storage::open_dataset(addresses[0]);
  const auto labels = storage::open_dataset(addresses[1]);
  EXPECT_EQ(raw->spec().shape, Shape3(24, 40, 36));
  EXPECT_EQ(labels->spec().shape, Shape3(48, 80, 72));
  EXPECT_EQ(labels->spec().grid.downsampled(Shape3::cube(2)), raw->spec().grid);
  EXPECT_EQ(raw->attributes()["role"], "raw");
  EXPECT_EQ(labels->attributes()["role"], "labels");
  const Json limits = raw->attributes()["contrast_limits"];
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_LT(limits[0].get<double>() + 30, limits[1].get<double>());

  const phantom::Cell cell = phantom::make_cell({480, 640, 576}, 5);
  const Box domain = labels->spec().domain();
  const phantom::LabelledVoxels expected = phantom::label_voxels(cell, labels->spec().grid, domain);
  const auto stored = labels->read_as<std::uint8_t>(domain);
  ASSERT_TRUE(std::equal(stored.data(), stored.data() + stored.size(), expected.labels.data()));
  const auto image =
      phantom::form_image(cell, phantom::contrast_named("jurkat"), raw->spec().grid, raw->spec().domain());
  const auto stored_image = raw->read_as<std::uint8_t>(raw->spec().domain());
  ASSERT_TRUE(std::equal(image.data(), image.data() + image.size(), stored_image.data()));

  // Every object's voxels stand in its class's instances, the envelope in those of nucleus and ER, exit sites
  // in their own and the ER's.
  for (std::size_t k = 0; k < phantom::kOrganelles.size(); ++k) {
    const auto instances = storage::open_dataset(addresses[2 + k])->read_as<std::uint64_t>(domain);
    const bool is_nucleus = phantom::kOrganelles[k] == phantom::Organelle::kNucleus;
    const bool is_er = phantom::kOrganelles[k] == phantom::Organelle::kEr;
    const ObjectId er = cell.first_object(phantom::Organelle::kEr)->id;
    for (std::int64_t i = 0; i < instances.size(); ++i) {
      const std::uint32_t id = expected.objects.data()[i];
      const bool is_of_class = is_nucleus ? phantom::is_in_nucleus(stored.data()[i])
                               : is_er    ? stored.data()[i] >= 16 && stored.data()[i] <= 23
                                          : id != 0 && cell.object(id).organelle == phantom::kOrganelles[k];
      ASSERT_EQ(instances.data()[i], !is_of_class ? 0U : is_nucleus ? 1U : is_er ? er : id);
    }
  }

  const ObjectTable objects = tables::read_csv(folder / "tables" / "objects.csv");
  EXPECT_EQ(objects.num_rows(), cell.objects.size());
  EXPECT_EQ(objects.column<std::string>("class")[0], "nucleus");
  EXPECT_GT(objects.column<double>("volume_nm3")[0], 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "tables" / "microtubules.csv"));
  EXPECT_GT(tables::read_csv(folder / "tables" / "close_pairs.csv").num_rows(), 0U);
}

TEST(MakePhantom, WrongOptionsAreRefused) {
  const TemporaryFolder folder;
  for (const char* options : {R"({"contrast": "blue"})", R"({"shape": [64, 64]})",
                              R"({"voxel_size_nm": [0]})", R"({"voxel_size_nm": [8, 8]})"}) {
    auto description = description_of(folder.path(), {});
    description.options_json = options;
    EXPECT_THROW(make_phantom_stage(description), Error) << options;
  }
  auto description = description_of(folder.path(), {});
  description.options_json = R"({"shape": [10, 64, 64]})";
  EXPECT_THROW(make_phantom_stage(description)->plans(), Error);
}

}  // namespace
}  // namespace organon::stages
