#include "organon/app/crop_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

// Of the taxonomy: 3, 4 and 5 make mito, 34 ribo, 35 is cytosol, which nobody learns.
class CropReportTest : public ::testing::Test {
 protected:
  CropReportTest() {
    store("raw", Array<std::uint8_t>({8, 8, 8}));
    Array<std::uint8_t> labels({8, 8, 8});
    std::int64_t at = 0;
    const auto paint = [&](std::uint8_t id, std::int64_t count) {
      std::fill_n(labels.data() + at, count, id);
      at += count;
    };
    paint(35, 179);
    paint(3, 10);
    paint(4, 6);
    paint(14, 2);
    paint(77, 3);
    paint(16, 56);
    store("labels", labels);
    Array<std::uint8_t> ribo({8, 8, 8});
    std::fill_n(ribo.data(), 64, std::uint8_t{34});
    store("ribo", ribo);
  }

  std::string address(const std::string& name) const { return (folder_.path() / "in.n5" / name).string(); }
  std::shared_ptr<storage::Dataset> store(const std::string& name, const Array<std::uint8_t>& voxels,
                                          const VoxelGrid& grid = {{4, 4, 4}, {0, 0, 0}}) const {
    storage::DatasetSpec spec;
    spec.shape = voxels.shape();
    spec.chunk_shape = {8, 8, 8};
    spec.data_type = DataType::kUint8;
    spec.grid = grid;
    auto dataset = storage::create_dataset(address(name), spec);
    dataset->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
    return dataset;
  }
  CropReport report(const std::string& classes, const std::string& crop,
                    const std::filesystem::path& pictures = {}) const {
    const config::CellConfig cell =
        config::parse_cell_config("taxonomy = \"heinrich2021\"\n[raw]\nsource = \"in.n5/raw\"\n" + classes +
                                      "[[crops]]\nname = \"c\"\n" + crop,
                                  folder_.path() / "cell.toml");
    return report_crop(cell, CellStages(cell, folder_.path()), 0, pictures);
  }
  static const CropClass& of(const CropReport& report, const std::string& name) {
    const auto found = std::find_if(report.classes.begin(), report.classes.end(),
                                    [&](const CropClass& one) { return one.name == name; });
    EXPECT_NE(found, report.classes.end()) << name;
    return *found;
  }

  static constexpr const char* kClasses =
      "[classes.er]\n[classes.golgi]\n[classes.ld]\n[classes.mito]\n[classes.ribo]\n";
  static constexpr const char* kCrop =
      "labels = \"in.n5/labels\"\npresent = [\"mito\", \"golgi\", \"ribo\"]\nabsent = [\"ld\"]\n"
      "partial = [\"er_mem\"]\nown_labels = {ribo = \"in.n5/ribo\"}\n";
  TemporaryFolder folder_;
};

TEST_F(CropReportTest, CountsTheVoxelsOfEachClass) {
  const CropReport found = report(kClasses, kCrop);
  EXPECT_EQ(found.grid, "8 x 8 x 8 voxels of 4 x 4 x 4 nm");
  ASSERT_EQ(found.classes.size(), 5U);
  const std::vector<std::tuple<std::string, bool, std::int64_t, std::string>> expected = {
      {"er", false, 0, "er_mem is partly annotated"},
      {"golgi", true, 0, "present"},
      {"ld", true, 2, "absent"},
      {"mito", true, 16, "present"},
      {"ribo", true, 64, "present"}};
  for (const auto& [name, is_learned, voxels, state] : expected) {
    SCOPED_TRACE(name);
    const CropClass& one = of(found, name);
    EXPECT_EQ(one.is_learned, is_learned);
    EXPECT_EQ(one.voxels, voxels);
    EXPECT_EQ(one.state, state);
    // Half of the labels is 0, and what lies there of ribosomes' own volume says nothing, either.
    EXPECT_EQ(one.annotated, is_learned ? 256 : 0);
  }
}

TEST_F(CropReportTest, TellsWhatEachSetupLearns) {
  const CropReport found = report(kClasses, kCrop);
  std::map<std::string, std::pair<std::size_t, std::vector<std::string>>> setups;
  for (const CropSetup& setup : found.setups) setups[setup.name] = {setup.num_classes, setup.learned};
  const std::map<std::string, std::pair<std::size_t, std::vector<std::string>>> expected = {
      {"all", {34, {"mito", "mito-mem", "mito-ribo", "golgi", "golgi-mem", "ld", "ld-mem", "ribo"}}},
      {"many", {14, {"mito", "mito-mem"}}},
      {"few-mito", {3, {"mito", "mito-mem", "mito-ribo"}}},
      {"few-golgi", {2, {"golgi", "golgi-mem"}}},
      {"few-ribo", {1, {"ribo"}}},
      {"few-ld", {2, {"ld", "ld-mem"}}}};
  EXPECT_EQ(setups, expected) << "whether or not this cell has these classes";
}

TEST_F(CropReportTest, ProblemsNameCropAndClass) {
  EXPECT_EQ(report(kClasses, kCrop).problems,
            (std::vector<std::string>{"crop c: " + address("labels") +
                                          ": 1 ids belong to no class or atom of heinrich2021: 77 (3 voxels)",
                                      "crop c: golgi is said to be present, and no voxel is",
                                      "crop c: ld is said to be absent, and 2 voxels are there"}));
  EXPECT_TRUE(report("[classes.mito]\n[classes.er]\n", "labels = \"in.n5/ribo\"\n").problems.empty())
      << "without lists nothing is said that could be wrong";
  EXPECT_EQ(report("[classes.er]\n", "labels = \"in.n5/ribo\"\npresent = [\"mito_mem\"]\n").problems,
            (std::vector<std::string>{"crop c: none of the classes is annotated: it teaches nothing"}));
}

TEST_F(CropReportTest, LabelsMustLieInRaw) {
  store("beyond", Array<std::uint8_t>({4, 8, 8}), {{4, 4, 4}, {20, 0, 0}});
  EXPECT_EQ(report("[classes.mito]\n", "labels = \"in.n5/beyond\"\n").problems,
            (std::vector<std::string>{"crop c: its labels lie from 20,0,0 to 32,28,28 nm, raw " +
                                      address("raw") + " from 0,0,0 to 28,28,28 nm"}));
  store("fine", Array<std::uint8_t>({8, 8, 8}), {{2, 2, 2}, {3, 3, 3}});
  EXPECT_TRUE(report("[classes.mito]\n", "labels = \"in.n5/fine\"\n").problems.empty());
}

TEST_F(CropReportTest, OfClassesWithArraysThoseThatAreThereAreLearned) {
  const auto annotate = [&](const std::string& name, const Array<std::uint8_t>& voxels) {
    const Json encoding = {{"absent", 0}, {"present", 1}, {"unknown", 255}};
    store("group/" + name, voxels)
        ->set_attributes(
            {{"cellmap",
              {{"annotation",
                {{"annotation_type", {{"type", "semantic_segmentation"}, {"encoding", encoding}}}}}}}});
  };
  Array<std::uint8_t> mito({8, 8, 8});
  std::fill_n(mito.data(), 7, std::uint8_t{1});
  std::fill_n(mito.data() + 7, 12, std::uint8_t{255});
  annotate("mito", mito);
  annotate("ribo", Array<std::uint8_t>({8, 8, 8}));
  const CropReport found = report(kClasses, "labels = \"in.n5/group\"\n");
  EXPECT_EQ(of(found, "mito").state, "present");
  EXPECT_EQ(of(found, "mito").voxels, 7);
  EXPECT_EQ(of(found, "mito").annotated, 500);
  EXPECT_EQ(of(found, "ribo").state, "absent");
  EXPECT_EQ(of(found, "er").state, "no array");
  EXPECT_FALSE(of(found, "er").is_learned);
  EXPECT_EQ(found.problems, std::vector<std::string>());
  std::vector<std::string> setups;
  for (const CropSetup& setup : found.setups) setups.push_back(setup.name);
  std::sort(setups.begin(), setups.end());
  EXPECT_EQ(setups, (std::vector<std::string>{"all", "few-mito", "few-ribo", "many"}));
}

TEST_F(CropReportTest, IsSaidToPeopleAndPrograms) {
  const CropReport found = report(kClasses, kCrop, folder_.path() / "pictures");
  EXPECT_EQ(found.picture, (folder_.path() / "pictures/c.png").string());
  EXPECT_TRUE(std::filesystem::exists(found.picture));
  const std::string text = to_text(found);
  EXPECT_NE(text.find("\n  mito                         16    6.250%  present\n"), std::string::npos) << text;
  EXPECT_NE(text.find("no: er_mem is partly annotated\n"), std::string::npos) << text;
  EXPECT_NE(text.find("set-up few-ribo     learns 1 of 1: ribo\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  ! crop c: ld is said to be absent"), std::string::npos) << text;
  const Json crop = parse_json(to_json({found}), "report")["crops"].at(0);
  EXPECT_EQ(crop["crop"], "c");
  EXPECT_EQ(crop["role"], "train");
  EXPECT_EQ(crop["problems"], Json(found.problems));
  EXPECT_EQ(crop["classes"].at(3), (Json{{"class", "mito"},
                                         {"state", "present"},
                                         {"is_learned", true},
                                         {"voxels", 16},
                                         {"annotated_voxels", 256}}));
}

}  // namespace
}  // namespace organon::app
