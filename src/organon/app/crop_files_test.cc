#include "organon/app/crop_files.h"

#include <gtest/gtest.h>

#include "organon/app/stage_list.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

class CropFilesTest : public ::testing::Test {
 protected:
  CropFilesTest() {
    storage::DatasetSpec spec;
    spec.shape = {20, 24, 30};
    spec.chunk_shape = {16, 16, 16};
    spec.data_type = DataType::kUint8;
    spec.grid = {{8, 4, 4}, {100, 0, 0}};
    const auto raw = storage::create_dataset(raw_, spec);
    Array<std::uint8_t> voxels(spec.shape);
    for (std::int64_t i = 0; i < voxels.size(); ++i) voxels.data()[i] = static_cast<std::uint8_t>(i % 251);
    raw->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
    cut_.raw = raw_;
    cut_.box_nm = "116,8,12,172,48,80";
    cut_.folder = folder_.path() / "paint";
    cut_.taxonomy = config::load_taxonomy(config::kStandardTaxonomy);
  }

  static int run(const blockwise::StageDescription& description) {
    const auto result = blockwise::testing::run_in({make_stage, {}, {}}, description, 1);
    for (const auto& failure : result.failures) ADD_FAILURE() << failure.message;
    return result.failures.empty() ? 0 : 1;
  }

  // What people do, without one: labels of another array in the file's place.
  void paint(const Shape3& shape, const VoxelGrid& grid) const {
    storage::DatasetSpec spec;
    spec.shape = shape;
    spec.chunk_shape = {16, 16, 16};
    spec.data_type = DataType::kUint8;
    spec.grid = grid;
    const std::string address = "n5://" + (folder_.path() / "painted.n5/labels").string();
    Array<std::uint8_t> voxels(shape);
    voxels(1, 2, 3) = 3;
    voxels(1, 2, 4) = 17;
    voxels(1, 2, 5) = 17;
    voxels(2, 2, 5) = 200;
    storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
    std::filesystem::remove(cut_.folder / ("labels." + cut_.format));
    blockwise::StageDescription description;
    description.verb = "export";
    description.options_json = stage_verb("export").options().table.to_json();
    description.inputs = {address};
    description.outputs = {(cut_.folder / ("labels." + cut_.format)).string()};
    ASSERT_EQ(run(description), 0);
  }

  TemporaryFolder folder_;
  std::string raw_ = "n5://" + (folder_.path() / "cell.n5/raw").string();
  std::string labels_ = "n5://" + (folder_.path() / "cell.n5/crops/7").string();
  CropCut cut_;
};

TEST_F(CropFilesTest, WhatWasPaintedComesBackToItsPlace) {
  for (const char* format : {"nrrd", "tif"}) {
    SCOPED_TRACE(format);
    cut_.format = format;
    cut_.folder = folder_.path() / format;
    labels_ = "n5://" + (folder_.path() / "cell.n5" / format).string();
    ASSERT_EQ(cut_crop(cut_, run), 0);
    EXPECT_TRUE(std::filesystem::exists(cut_.folder / ("raw." + cut_.format)));
    EXPECT_FALSE(std::filesystem::exists(cut_.folder / ".empty.n5"));
    EXPECT_NE(read_text(cut_.folder / "itksnap_labels.txt").find("3 31 122 46 1 1 1 \"mito_mem\""),
              std::string::npos);
    // Voxels with centres from 116 to 172, 8 to 48 and 12 to 80 nm. A program that forgets where they were.
    paint({8, 11, 18}, {{1, 1, 1}, {0, 0, 0}});
    const TakenCrop taken = take_crop(cut_.folder, labels_, cut_.taxonomy, run);
    ASSERT_EQ(taken.code, 0);
    const auto labels = storage::open_dataset(labels_);
    EXPECT_EQ(labels->spec().grid, (VoxelGrid{{8, 4, 4}, {116, 8, 12}}));
    EXPECT_EQ(labels->read_as<std::uint64_t>({{1, 2, 3}, {2, 3, 6}}).data()[1], 17U);
    EXPECT_NE(taken.report.find("of no atom"), std::string::npos) << taken.report;
    EXPECT_NE(taken.toml.find(R"(present = ["mito_mem", "er_lum"])"), std::string::npos) << taken.toml;
  }
}

TEST_F(CropFilesTest, LabelsThatSomebodyPaintedStay) {
  ASSERT_EQ(cut_crop(cut_, run), 0);
  paint({8, 11, 18}, {{8, 4, 4}, {116, 8, 12}});
  const std::string painted = read_text(cut_.folder / "labels.nrrd");
  ASSERT_EQ(cut_crop(cut_, run), 0);
  EXPECT_EQ(read_text(cut_.folder / "labels.nrrd"), painted);
  cut_.box_nm = "116,8,12,172,48,60";
  EXPECT_THROW(cut_crop(cut_, run), Error) << "another crop";
  EXPECT_EQ(read_text(cut_.folder / "labels.nrrd"), painted);
}

TEST_F(CropFilesTest, OtherShapesAndMissingFilesAreRefused) {
  EXPECT_THROW(take_crop(cut_.folder, labels_, cut_.taxonomy, run), Error);
  cut_.box_nm = "0,0,0,1,1,1";
  EXPECT_THROW(cut_crop(cut_, run), Error) << "raw begins at 100 nm";
  cut_.box_nm = "116,8,12,172,48,80";
  ASSERT_EQ(cut_crop(cut_, run), 0);
  paint({8, 11, 17}, {{8, 4, 4}, {116, 8, 12}});
  try {
    take_crop(cut_.folder, labels_, cut_.taxonomy, run);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("resampled, cut or turned"), std::string::npos) << error.message();
  }
  std::filesystem::copy_file(cut_.folder / "raw.nrrd", cut_.folder / "labels.tif");
  EXPECT_THROW(take_crop(cut_.folder, labels_, cut_.taxonomy, run), Error) << "two files of labels";
}

}  // namespace
}  // namespace organon::app
