#include "organon/app/network_report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

constexpr std::int64_t kGib = std::int64_t{1} << 30;

TEST(NetworkReport, APresetHasItsSizesAndTheLargestTileThatFits) {
  const NetworkReport report = report_on({"paper", {}, 34, 200 * kGib});
  EXPECT_EQ(report.num_parameters, nn::num_parameters(nn::paper_network(), 34));
  EXPECT_EQ(report.receptive_radius, Shape3::cube(89));
  ASSERT_GT(report.rows.size(), 6U);
  EXPECT_EQ(report.rows[1].tile.input, Shape3::cube(216));
  EXPECT_EQ(report.rows[1].output, Shape3::cube(36));
  EXPECT_EQ(report.rows[1].tile.shape, Shape3::cube(36));
  EXPECT_DOUBLE_EQ(report.rows[1].operations_per_voxel,
                   nn::forward_operations(nn::paper_network(), 34, Shape3::cube(216)) / (36.0 * 36 * 36));
  for (std::size_t i = 1; i < report.rows.size(); ++i)
    EXPECT_LT(report.rows[i].overhead, report.rows[i - 1].overhead);
  EXPECT_GT(report.rows.back().overhead, 1);
  ASSERT_TRUE(report.largest.has_value());
  EXPECT_LE(report.rows.back().prediction_bytes, 200 * kGib);
  EXPECT_NE(to_text(report).find("216^3"), std::string::npos);
  // Without memory sizes are told all the same.
  const NetworkReport poor = report_on({"paper", {}, 34, kGib});
  EXPECT_FALSE(poor.largest.has_value());
  EXPECT_EQ(poor.rows.size(), 6U);
  EXPECT_NE(to_text(poor).find("No tile fits 1.0 GiB"), std::string::npos);
}

TEST(NetworkReport, FinerOutputsCountPerVoxelOfTheirOwn) {
  const NetworkReport report = report_on({"paper_8nm", {}, 14, 100 * kGib});
  // 198 yields 32 voxels, less than a step of 36.
  EXPECT_EQ(report.rows[0].tile.input, Shape3::cube(216));
  EXPECT_EQ(report.rows[0].output, Shape3::cube(68));
  EXPECT_EQ(report.rows[0].tile.shape, Shape3::cube(36));
  EXPECT_GT(report.rows.back().overhead, 1);
}

TEST(NetworkReport, SettingsChangeAPreset) {
  const NetworkReport report =
      report_on({"compact", {"features=4,8", "pooling=1x2x2", "stem=1", "kernels=1x3x3"}, 2, 8 * kGib, 0});
  EXPECT_EQ(report.options.features, (std::vector<std::int64_t>{4, 8}));
  EXPECT_EQ(report.multiple, (Shape3{1, 2, 2}));
  EXPECT_DOUBLE_EQ(report.rows.back().overhead, 1);  // nothing is lost without a halo
  EXPECT_THROW(report_on({"compact", {"feature=4"}}), Error);
  EXPECT_THROW(report_on({"compact", {"features"}}), Error);
  EXPECT_THROW(report_on({"compact", {"pooling=2,2"}}), Error);
}

TEST(NetworkReport, AFileTellsWhatItWasTrainedFor) {
  const TemporaryFolder folder;
  nn::NetworkFile file;
  file.info.options = nn::compact_network();
  file.info.classes = {"mito", "er"};
  file.info.voxel_size_nm = {8, 8, 8};
  file.step = 1200;
  write_text_atomically(folder.path() / "network.organon", nn::encode_network(file));
  write_text_atomically(folder.path() / "training.json",
                        R"({"options": {"steps": 2000, "patch": 64}, "waited_share": 0.123})");
  const NetworkReport report = report_on({folder.path().string(), {}, 0, 8 * kGib});
  EXPECT_EQ(report.classes, file.info.classes);
  EXPECT_EQ(report.num_classes, 2);
  EXPECT_EQ(report.step, 1200);
  const Json json = parse_json(to_json(report), "report");
  EXPECT_EQ(json["voxel_size_nm"], (Json{8, 8, 8}));
  EXPECT_EQ(json["training"]["options"]["steps"], 2000);
  EXPECT_EQ(json["num_parameters"], nn::num_parameters(nn::compact_network(), 2));
  EXPECT_EQ(json["receptive_radius_nm"][0], 8 * json["receptive_radius_voxels"][0].get<double>());
  EXPECT_NE(to_text(report).find("mito, er"), std::string::npos);
  EXPECT_NE(to_text(report).find("12.3 % of its time for samples"), std::string::npos);
  EXPECT_THROW(report_on({folder.path().string(), {"stem=1"}}), Error);
  EXPECT_THROW(report_on({(folder.path() / "none").string(), {}}), Error);
  try {
    report_on({"papier", {}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("paper_8nm"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace organon::app
