#include "organon/storage/group_display.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/json_file.h"
#include "organon/storage/multiscale.h"

namespace organon::storage {
namespace {

// Each law for both versions of OME-NGFF.
class GroupDisplayTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string address(const std::string& path) const {
    return (folder_.path() / "cell.zarr" / path).string();
  }
  std::shared_ptr<Dataset> make(const std::string& path, DataType type,
                                const Json& attributes = Json::object()) const {
    DatasetSpec spec;
    spec.shape = {8, 8, 8};
    spec.chunk_shape = {8, 8, 8};
    spec.data_type = type;
    auto dataset = create_dataset(GetParam() + address(path) + "/s0", spec);
    if (!attributes.empty()) dataset->set_attributes(attributes);
    return dataset;
  }
  void describe(const std::string& path, const GroupDisplay& display = {}) const {
    write_multiscale_metadata(address(path), display);
  }
  // Wherever a version keeps it.
  Json ngff(const std::string& path) const {
    const Place place = parse_address(address(path)).place();
    if (!is_v3()) return read_json_object(place / ".zattrs").value_or(Json::object());
    const Json node = read_json_object(place / "zarr.json").value_or(Json::object());
    return node.contains("attributes") ? node["attributes"].value("ome", Json::object()) : Json::object();
  }
  bool is_v3() const { return std::string(GetParam()) == "zarr3://"; }

  organon::testing::TemporaryFolder folder_;
};

TEST_P(GroupDisplayTest, IntegersBelowLabelsAreALabelImageOfTheirImage) {
  make("raw", DataType::kUint8);
  describe("raw");
  make("raw/labels/mito", DataType::kUint64, {{"role", "labels"}});
  make("raw/labels/b/er", DataType::kUint8);
  for (int i = 0; i < 2; ++i) {
    describe("raw/labels/mito");
    describe("raw/labels/b/er");
    EXPECT_EQ(ngff("raw/labels")["labels"], (Json{"b/er", "mito"}));
    EXPECT_EQ(ngff("raw/labels/mito")["image-label"]["source"]["image"], "../../");
    EXPECT_EQ(ngff("raw/labels/b/er")["image-label"]["source"]["image"], "../../../");
  }
  EXPECT_EQ(ngff("raw/labels/mito")["image-label"].contains("version"), !is_v3());
  EXPECT_EQ(ngff("raw/labels").value("version", ""), is_v3() ? "0.5" : "");
  EXPECT_EQ(label_images_of(address("raw")), (std::vector<std::string>{"b/er", "mito"}));
  EXPECT_EQ(label_images_of(address("raw/labels")), label_images_of(address("raw")));
  EXPECT_EQ(open_multiscale(address("raw/labels/mito")).levels.size(), 1U);
  EXPECT_FALSE(ngff("raw").contains("image-label"));
  EXPECT_EQ(axes_of(address("raw")).at(0), "z (space, nanometer)");
}

TEST_P(GroupDisplayTest, TheImageMayComeAfterItsLabels) {
  make("raw/labels/mito", DataType::kUint64);
  describe("raw/labels/mito");
  EXPECT_FALSE(ngff("raw/labels/mito")["image-label"].contains("source"));
  make("raw", DataType::kUint8);
  describe("raw");
  EXPECT_EQ(ngff("raw/labels/mito")["image-label"]["source"]["image"], "../../");
}

TEST_P(GroupDisplayTest, WhatIsNoLabelsIsNotMarked) {
  make("labels/floats", DataType::kFloat32);
  make("labels/prediction", DataType::kUint8, {{"role", "prediction"}});
  make("other/mito", DataType::kUint64);
  for (const char* path : {"labels/floats", "labels/prediction", "other/mito"}) {
    describe(path);
    EXPECT_FALSE(ngff(path).contains("image-label")) << path;
  }
  EXPECT_FALSE(ngff("labels").contains("labels"));
  // A folder of that name that holds hierarchies is no group.
  DatasetSpec spec;
  spec.shape = {8, 8, 8};
  const std::string inner = (folder_.path() / "labels/x.zarr").string();
  create_dataset(GetParam() + inner + "/s0", spec);
  write_multiscale_metadata(inner);
  EXPECT_FALSE(read_group_display(inner).is_label_image());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "labels/.zattrs"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "labels/zarr.json"));
}

TEST_P(GroupDisplayTest, EntriesOfOthersStay) {
  make("labels/mito", DataType::kUint64);
  const Place group = parse_address(address("labels")).place();
  const Json others = {{"labels", {"zz", "a"}}, {"note", 3}};
  if (is_v3()) {
    Json node = *read_json_object(group / "zarr.json");
    node["attributes"] = {{"ome", others}, {"mine", 4}};
    write_json(group / "zarr.json", node);
  } else {
    write_json(group / ".zattrs", others);
  }
  describe("labels/mito");
  EXPECT_EQ(ngff("labels")["labels"], (Json{"a", "mito", "zz"}));
  EXPECT_EQ(ngff("labels")["note"], 3);
  if (is_v3()) {
    EXPECT_EQ((*read_json_object(group / "zarr.json"))["attributes"]["mine"], 4);
  }
}

TEST_P(GroupDisplayTest, ColoursStayWhenThePyramidIsDescribedAgain) {
  make("labels/cell", DataType::kUint8);
  describe("labels/cell");
  const std::vector<LabelColor> colors = {{1, {255, 0, 0, 255}, "mito"}, {2, {0, 255, 0, 128}, ""}};
  set_label_colors(address("labels/cell"), colors);
  describe("labels/cell");
  EXPECT_EQ(label_colors_of(read_group_display(address("labels/cell")).image_label, "test"), colors);
  EXPECT_THROW(set_label_colors(address("labels"), colors), Error);
  EXPECT_THROW(set_label_colors((folder_.path() / "a.n5").string(), colors), Error);
  make("labels/floats", DataType::kFloat32);
  describe("labels/floats");
  EXPECT_THROW(set_label_colors(address("labels/floats"), colors), Error);
}

TEST_P(GroupDisplayTest, WhatAnotherPyramidStatedIsTakenOver) {
  GroupDisplay display;
  display.image_label = Json::parse(R"json({"version": "0.4",
      "colors": [{"label-value": 3, "rgba": [1, 2, 3, 4]}],
      "properties": [{"label-value": 3, "area (pixels)": 12.5}], "source": {"image": "../elsewhere"}})json");
  make("labels/mito", DataType::kUint64);
  describe("labels/mito", display);
  Json written = ngff("labels/mito")["image-label"];
  EXPECT_EQ(written.contains("version"), !is_v3());
  written.erase("version");
  Json expected = display.image_label;
  expected.erase("version");
  EXPECT_EQ(written, expected);
  // Also where no folder tells.
  make("mito", DataType::kUint64);
  describe("mito", display);
  EXPECT_EQ(ngff("mito")["image-label"]["source"]["image"], "../elsewhere");
  display = {};
  display.omero = Json::parse(
      R"({"version": "0.4", "channels": [{"color": "00FF00", "window": {"start": 7, "end": 9}}]})");
  make("raw", DataType::kUint8);
  describe("raw", display);
  EXPECT_EQ(ngff("raw")["omero"]["channels"], display.omero["channels"]);
}

TEST_P(GroupDisplayTest, ContrastIsWrittenAsOmeroAndRead) {
  const auto own = make("raw", DataType::kUint8, {{"role", "raw"}, {"contrast_limits", {20, 220}}});
  describe("raw");
  EXPECT_EQ(omero_window_of(read_group_display(address("raw")).omero), (ContrastWindow{20, 220}));
  EXPECT_EQ(contrast_of(*own), (ContrastWindow{20, 220}));
  // The group's counts where the array's own is missing, or means something else.
  own->set_attributes({{"contrast_limits", nullptr}});
  EXPECT_EQ(contrast_of(*own), (ContrastWindow{20, 220}));
  own->set_attributes({{"contrast_limits", "auto"}});
  EXPECT_EQ(contrast_of(open_multiscale(address("raw"))), (ContrastWindow{20, 220}));
  own->set_attributes({{"contrast_limits", {30, 40}}});
  EXPECT_EQ(contrast_of(*own), (ContrastWindow{30, 40}));
  describe("raw");
  EXPECT_EQ(omero_window_of(read_group_display(address("raw")).omero), (ContrastWindow{30, 40}));
  // A dataset that the group does not list has none of it.
  DatasetSpec spec = own->spec();
  EXPECT_EQ(contrast_of(*create_dataset(address("raw/other"), spec)), std::nullopt);
  EXPECT_EQ(contrast_of(*make("plain", DataType::kUint8)), std::nullopt);
}

TEST_P(GroupDisplayTest, DamageIsRefusedByName) {
  make("raw", DataType::kUint8);
  describe("raw");
  const Place group = parse_address(address("raw")).place();
  for (const char* text :
       {R"({"omero": 3})", R"({"omero": {"channels": 3}})", R"({"omero": {"channels": [3]}})",
        R"({"image-label": 3})", R"({"image-label": {"colors": 3}})"}) {
    SCOPED_TRACE(text);
    const Json ngff = Json::parse(text);
    if (is_v3()) {
      Json node = *read_json_object(group / "zarr.json");
      node["attributes"]["ome"] = ngff;
      write_json(group / "zarr.json", node);
    } else {
      write_json(group / ".zattrs", ngff);
    }
    EXPECT_THROW(read_group_display(address("raw")), Error);
    EXPECT_EQ(contrast_of(*open_dataset(address("raw/s0"))), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, GroupDisplayTest, ::testing::Values("zarr://", "zarr3://"),
                         [](const auto& version) {
                           return std::string(version.param) == "zarr://" ? "V04" : "V05";
                         });

}  // namespace
}  // namespace organon::storage
