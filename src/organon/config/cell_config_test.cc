#include "organon/config/cell_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"

namespace organon::config {
namespace {

constexpr char kSound[] = R"(name = "cell1"   # of the published page
format = "zarr"

[raw]
source = "slices"
voxel_size_nm = [8, 4, 4]

[classes.mito]
ids = [3, 4, 5]
min_volume_nm3 = 1e7

[[crops]]
labels = "/data/crop"
box_nm = [0, 0, 0, 100, 100, 100]

[segment]
sigma_nm = 10
)";

class CellConfigTest : public ::testing::Test {
 protected:
  CellConfig read(const std::string& text) {
    write_text_atomically(path(), text);
    return read_cell_config(path());
  }
  std::filesystem::path path() const { return folder_.path() / "cell.toml"; }

  // The message with which `text` is refused.
  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.message();
    }
    return "accepted";
  }
  static std::string changed(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
  void expect_refused(const std::string& from, const std::string& to, const std::string& place,
                      const std::string& words) {
    const std::string message = refusal(changed(kSound, from, to));
    EXPECT_NE(message.find("cell.toml:" + place), std::string::npos) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }

 private:
  organon::testing::TemporaryFolder folder_;
};

TEST_F(CellConfigTest, ReadsWhatIsThere) {
  const CellConfig config = read(kSound);
  EXPECT_EQ(config.name, "cell1");
  EXPECT_EQ(config.format, "zarr");
  EXPECT_EQ(config.raw_source, (path().parent_path() / "slices").string()) << "relative to the file";
  EXPECT_EQ(config.raw_voxel_size_nm, (std::vector<double>{8, 4, 4}));
  ASSERT_EQ(config.classes.size(), 1U);
  EXPECT_EQ(config.classes[0].ids, (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_EQ(config.classes[0].segment.values.at("min_volume_nm3"), "10000000");
  ASSERT_EQ(config.crops.size(), 1U);
  EXPECT_EQ(config.crops[0].labels, "/data/crop");
  EXPECT_EQ(config.crops[0].box_nm, "0,0,0,100,100,100");
  EXPECT_EQ(config.crops[0].role, "train");
  EXPECT_EQ(config.stages.at("segment").values.at("sigma_nm"), "10");
}

// Classes with a watershed or a parent once had standard values instead.
TEST_F(CellConfigTest, WhatHoldsForAllObjectsHoldsForEachPredictedClass) {
  const std::string text = std::string(kSound) +
                           "[classes.er]\nids = [16]\nwatershed = true\n"
                           "[classes.er-part]\nfrom = \"er\"\noutside = [\"mito\"]\n";
  const CellConfig config = read(text);
  ASSERT_EQ(config.classes.size(), 3U);
  for (const ClassConfig& organelle : config.classes) {
    EXPECT_EQ(organelle.segment.values.contains("sigma_nm"), organelle.is_predicted()) << organelle.name;
    if (organelle.is_predicted()) {
      EXPECT_EQ(organelle.segment.values.at("sigma_nm"), "10");
    }
  }
}

TEST_F(CellConfigTest, ATableMaskTurnsTheMaskOn) {
  EXPECT_FALSE(read(kSound).has_mask);
  const std::string empty = changed(kSound, "[segment]", "[mask]\n\n[segment]");
  EXPECT_TRUE(read(empty).has_mask);
  EXPECT_EQ(read(empty).mask_polygons, "");
  const CellConfig config =
      read(changed(kSound, "[segment]", "[mask]\nmargin_nm = 100\npolygons = \"mask.json\"\n\n[segment]"));
  EXPECT_TRUE(config.has_mask);
  EXPECT_EQ(config.mask_polygons, (path().parent_path() / "mask.json").string()) << "relative to the file";
  EXPECT_EQ(config.stages.at("mask").values, (std::map<std::string, std::string>{{"margin_nm", "100"}}));
  expect_refused("[segment]", "[mask]\npolygons = 3\n[segment]", "17", "expected text");
}

TEST_F(CellConfigTest, NamesPlaceAndNearestWordOfFaults) {
  expect_refused("voxel_size_nm", "voxelsize_nm", "6", "did you mean 'voxel_size_nm'?");
  expect_refused("[segment]", "[segmnt]", "16", "did you mean 'segment'?");
  expect_refused("ids", "id", "9", "did you mean 'ids'?");
  expect_refused("[8, 4, 4]", "[8, 4, 0]", "6", "nm above 0, found 0");
  expect_refused("[8, 4, 4]", "0", "6", "nm above 0, found 0");
  expect_refused("[8, 4, 4]", "[8, 4]", "6", "z,y,x");
  expect_refused("[8, 4, 4]", "\"8\"", "6", "expected numbers");
  expect_refused("\"slices\"", "5", "5", "expected text");
  expect_refused("[3, 4, 5]", "[3.5]", "9", "whole numbers");
  expect_refused("\"zarr\"", "\"tiff\"", "2", "expected n5 or zarr, found 'tiff'");
  expect_refused("[0, 0, 0, 100, 100, 100]", "[0, 0, 0]", "14", "z0,y0,x0,z1,y1,x1");
  expect_refused("\"slices\"", "\"slices", "5", "");
  expect_refused("[[crops]]", "[crops]", "12", "expected [[crops]]");
}

TEST_F(CellConfigTest, RefusesWhatIsMissing) {
  EXPECT_NE(refusal("name = \"a\"\n").find("[raw] is missing"), std::string::npos);
  EXPECT_NE(refusal(changed(kSound, "[classes.mito]\nids = [3, 4, 5]\nmin_volume_nm3 = 1e7\n", ""))
                .find("no class"),
            std::string::npos);
  EXPECT_NE(
      refusal(changed(kSound, "[[crops]]\nlabels = \"/data/crop\"\nbox_nm = [0, 0, 0, 100, 100, 100]\n", ""))
          .find("nothing to learn from"),
      std::string::npos);
  EXPECT_THROW(read_cell_config(path().parent_path() / "none.toml"), Error);
}

TEST_F(CellConfigTest, ATaxonomyGivesClassesTheirIds) {
  const std::string text = changed(changed(kSound, "format = \"zarr\"", "taxonomy = \"heinrich2021\""),
                                   "[classes.mito]\nids = [3, 4, 5]\n", R"([classes.centrosome]
[classes.cent-dapp]
[classes.cent-sdapp]
[classes.mt]
[classes.MVB_membrane]
color = "#010203"
[classes.spine]
ids = [77]
[classes.mito]
)");
  const CellConfig config = read(text);
  const auto find = [&](const std::string& name) {
    return *std::find_if(config.classes.begin(), config.classes.end(),
                         [&](const ClassConfig& one) { return one.name == name; });
  };
  EXPECT_EQ(find("mito").ids, (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_EQ(find("mito").color, "#3fb34f");
  EXPECT_EQ(find("centrosome").add_nm, 2);
  EXPECT_EQ(find("centrosome").joined, (std::vector<std::string>{"cent-dapp", "cent-sdapp"}));
  EXPECT_EQ(find("mt").joined, (std::vector<std::string>{"centrosome"})) << "by its name here";
  EXPECT_EQ(find("MVB_membrane").ids, (std::vector<std::int64_t>{10}));
  EXPECT_EQ(find("MVB_membrane").color, "#010203");
  EXPECT_EQ(find("MVB_membrane").balance_as, "") << "its organelle is not learned here";
  EXPECT_EQ(find("spine").ids, (std::vector<std::int64_t>{77}));
  EXPECT_TRUE(find("spine").atoms.empty());

  const CellConfig few = read(changed(text, "[classes.cent-dapp]\n", ""));
  for (const ClassConfig& organelle : few.classes) {
    EXPECT_TRUE(organelle.name != "centrosome" || organelle.joined.empty()) << "not all of them are learned";
  }
  EXPECT_NE(refusal(changed(text, "[classes.mt]", "[classes.mtt]")).find("did you mean 'mt'?"),
            std::string::npos);
  EXPECT_NE(refusal(changed(text, "heinrich2021", "lab.toml")).find("lab.toml"), std::string::npos);
}

TEST_F(CellConfigTest, CropsSayWhatTheirAnnotatorsDid) {
  const std::string text = changed(changed(kSound, "format = \"zarr\"", "taxonomy = \"heinrich2021\""),
                                   "labels = \"/data/crop\"\n", R"(labels = "/data/crop"
present = ["mito", "ribo"]
absent = "ld"
unannotated = ["er"]
partial = ["ves_lum"]
unlabelled_id = 255
role = "holdout"
masks = {mito = "masks/mito"}
own_labels = {ribo = "/data/ribo"}
)");
  const CropConfig crop = read(text).crops.at(0);
  EXPECT_EQ(crop.present, (std::vector<std::string>{"mito", "ribo"}));
  EXPECT_EQ(crop.absent, (std::vector<std::string>{"ld"}));
  EXPECT_EQ(crop.unannotated, (std::vector<std::string>{"er"}));
  EXPECT_EQ(crop.partial, (std::vector<std::string>{"ves_lum"}));
  EXPECT_EQ(crop.unlabelled_id, 255);
  EXPECT_EQ(crop.role, "holdout");
  EXPECT_EQ(crop.masks.at("mito"), (path().parent_path() / "masks/mito").string());
  EXPECT_EQ(crop.own_labels.at("ribo"), "/data/ribo");
  EXPECT_NE(refusal(changed(text, "\"er\"", "\"err\"")).find("unannotated: 'err'"), std::string::npos);
  EXPECT_NE(refusal(changed(text, "\"ld\"", "\"mito\"")).find("mito is said to be present and absent"),
            std::string::npos);
}

TEST_F(CellConfigTest, LimitsOutOfOrderAreRefused) {
  expect_refused("[raw]\n", "[raw]\ncontrast_limits = [200, 100]\n", "5", "low below high");
}

TEST_F(CellConfigTest, ClassesAreMadeOfOthers) {
  const std::string text = changed(kSound, "[[crops]]", R"([classes.er]
ids = [16]
watershed = true
merge_threshold = 0.9
edits = "er.json"

[classes.er-periph]
from = "er"
outside = "mito"
outside_expand_nm = 80

[classes.mito-mem]
ids = [3]
parent = "mito"

[[crops]])");
  const CellConfig config = read(text);
  const auto named = [&](const std::string& name) {
    return *std::find_if(config.classes.begin(), config.classes.end(),
                         [&](const ClassConfig& organelle) { return organelle.name == name; });
  };
  EXPECT_TRUE(named("er").has_watershed);
  EXPECT_EQ(named("er").agglomerate.values.at("threshold"), "0.9");
  EXPECT_EQ(named("er").edits, (path().parent_path() / "er.json").string());
  EXPECT_EQ(named("er-periph").outside, std::vector<std::string>{"mito"});
  EXPECT_EQ(named("er-periph").outside_expand_nm, 80);
  EXPECT_FALSE(named("er-periph").is_predicted());
  EXPECT_EQ(named("mito-mem").parent, "mito");
  for (const auto& [from, to, words] :
       {std::tuple{"from = \"er\"", "from = \"ev\"", "there is no class 'ev'"},
        {"merge_threshold = 0.9", "inside = \"er-periph\"", "need one another"},
        {"from = \"er\"", "parent = \"er\"", "ids are missing"},
        {"watershed = true", "watershed = 1", "expected true or false"},
        {"outside_expand_nm = 80", "outside_expand_nm = -1", "expected one number"},
        {"outside = \"mito\"", "outside = [1]", "expected names"}}) {
    const std::string message = refusal(changed(text, from, to));
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

TEST_F(CellConfigTest, DefaultsOfThePaperAreTakenWhereTheyAreAskedFor) {
  const std::string asked = changed(kSound, "format =", "defaults = \"heinrich2021\"\nformat =");
  const std::string text = changed(asked, "[[crops]]", R"([classes.endo]
ids = [8, 9]
sigma_nm = 4

[classes.er-periph]

[classes.er]
ids = [16]

[[crops]])");
  const CellConfig config = read(text);
  ASSERT_EQ(config.classes.size(), 4U);
  for (const ClassConfig& organelle : config.classes) {
    if (organelle.name == "mito") {
      EXPECT_TRUE(organelle.has_watershed);
      EXPECT_EQ(organelle.segment.values.at("min_volume_nm3"), "10000000") << "cell.toml wins";
    } else if (organelle.name == "endo") {
      EXPECT_EQ(organelle.segment.values.at("sigma_nm"), "4");
      EXPECT_EQ(organelle.segment.values.at("min_volume_nm3"), "500000");
      EXPECT_EQ(organelle.outside, std::vector<std::string>{"mito"});
      EXPECT_EQ(organelle.outside_expand_nm, 30);
    } else if (organelle.name == "er-periph") {
      EXPECT_EQ(organelle.from, "er");
      EXPECT_TRUE(organelle.outside.empty()) << "there is no nucleus";
    }
  }
  EXPECT_EQ(read(kSound).classes[0].segment.values.at("sigma_nm"), "10") << "not asked for";
  expect_refused("format =", "defaults = \"mine\"\nformat =", "2", "heinrich2021");
}

}  // namespace
}  // namespace organon::config
