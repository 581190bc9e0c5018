#include "organon/storage/zarr/ngff_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/zarr/ngff_omero.h"

namespace organon::storage {
namespace {

ErrorKind kind_of(const std::string& text) {
  try {
    label_colors_of(parse_json(text, "test"), "test");
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

// The example of the specification of OME-NGFF 0.4.
constexpr std::string_view kSpecification = R"json({
  "version": "0.4",
  "colors": [{"label-value": 1, "rgba": [255, 255, 255, 255]}, {"label-value": 4, "rgba": [0, 255, 255, 128]}],
  "properties": [{"label-value": 1, "area (pixels)": 1200, "class": "foo"},
                 {"label-value": 4, "area (pixels)": 1650}],
  "source": {"image": "../../"}})json";

TEST(LabelColors, OfTheSpecificationAreRead) {
  const auto colors = label_colors_of(parse_json(kSpecification, "test"), "test");
  EXPECT_EQ(colors, (std::vector<LabelColor>{{1, {255, 255, 255, 255}, "foo"}, {4, {0, 255, 255, 128}, ""}}));
}

TEST(LabelColors, WrittenAreReadAndKeepOtherProperties) {
  Json label = parse_json(kSpecification, "test");
  const std::vector<LabelColor> colors = {{4, {1, 2, 3, 4}, "mito"}, {-2, {9, 8, 7, 255}, ""}};
  set_label_colors(label, colors);
  EXPECT_EQ(label_colors_of(label, "test"),
            (std::vector<LabelColor>{{-2, {9, 8, 7, 255}, ""}, {4, {1, 2, 3, 4}, "mito"}}));
  EXPECT_EQ(label["properties"], Json::parse(R"json([{"label-value": -2},
      {"label-value": 4, "area (pixels)": 1650, "name": "mito"}])json"));
  EXPECT_EQ(label["source"]["image"], "../../");
  Json bare;
  set_label_colors(bare, std::vector<LabelColor>{{1, {1, 2, 3, 4}, ""}});
  EXPECT_FALSE(bare.contains("properties"));
  EXPECT_THROW(set_label_colors(bare, std::vector<LabelColor>{{1, {}, ""}, {1, {}, "b"}}), Error);
}

TEST(LabelColors, OutsideTheStandardAreRefused) {
  for (const char* text :
       {R"([])", R"({"colors": 3})", R"({"colors": [3]})", R"({"colors": [{"rgba": [1, 2, 3, 4]}]})",
        R"({"colors": [{"label-value": 1.5, "rgba": [1, 2, 3, 4]}]})",
        R"({"colors": [{"label-value": 1, "rgba": [1, 2, 3]}]})",
        R"({"colors": [{"label-value": 1, "rgba": [1, 2, 3, 256]}]})",
        R"({"colors": [{"label-value": 1, "rgba": [1, 2, 3, -1]}]})",
        R"({"colors": [{"label-value": 1, "rgba": [1, 2, 3, 1.0]}]})",
        R"({"colors": [{"label-value": 1}, {"label-value": 1}]})", R"({"properties": {}})",
        R"({"properties": [{"label-value": "1"}], "colors": []})"})
    EXPECT_EQ(kind_of(text), ErrorKind::kCorruptData) << text;
  EXPECT_EQ(kind_of(R"({"colors": [{"label-value": 18446744073709551615, "rgba": [1, 2, 3, 4]}]})"),
            ErrorKind::kUnsupported);
  // A colour is optional, and a name that a terminal would obey is none.
  EXPECT_TRUE(
      label_colors_of(Json::parse(R"({"colors": [{"label-value": 1, "rgba": null}]})"), "test").empty());
  EXPECT_EQ(label_colors_of(Json::parse(R"({"colors": [{"label-value": 1, "rgba": [0, 0, 0, 0]}],
      "properties": [{"label-value": 1, "name": "\u001b[2J"}]})"),
                            "test")
                .at(0)
                .name,
            "");
}

TEST(LabelColors, OfTheCommandLine) {
  EXPECT_EQ(parse_label_color("1=#ff8000"), (LabelColor{1, {255, 128, 0, 255}, ""}));
  EXPECT_EQ(parse_label_color("-7=#FF8000c0=mito = x"), (LabelColor{-7, {255, 128, 0, 192}, "mito = x"}));
  for (const char* text : {"", "1", "1=", "=#ff8000", "1=ff8000", "1=#ff800", "1=#ff80000", "1=#gg8000",
                           "1=#+f8000", "1=#ff8000=", "99999999999999999999=#ff8000", "1 =#ff8000"})
    EXPECT_THROW(parse_label_color(text), Error) << text;
}

TEST(LabelPaths, StayBelowTheirFolder) {
  for (const char* path : {"a", "a/b", "...", "a..b", ".hidden", "a b"})
    EXPECT_TRUE(is_safe_node_path(path)) << path;
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "./a",
                           "a\\..\\b", "a\nb", "\x1b[2J"})
    EXPECT_FALSE(is_safe_node_path(path)) << path;
  EXPECT_FALSE(is_safe_node_path(std::string(5000, 'a')));
  EXPECT_EQ(label_paths_of(Json::parse(R"({"labels": ["b", "../x", 3, "/y", "a/0"]})")),
            (std::vector<std::string>{"b", "a/0"}));
  EXPECT_TRUE(label_paths_of(Json::parse(R"({"labels": "b"})")).empty());
}

// As a set of texts would have it.
TEST(LabelPaths, AddedInAnyOrderAreSortedAndStandOnce) {
  Random random(3);
  Json ngff;
  std::set<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    const std::string path(1, static_cast<char>('a' + random.below(20)));
    add_label_path(ngff, path);
    expected.insert(path);
    EXPECT_EQ(label_paths_of(ngff), std::vector<std::string>(expected.begin(), expected.end()));
  }
  Json foreign = Json::parse(R"({"labels": ["z", {"path": "later"}]})");
  add_label_path(foreign, "a");
  EXPECT_EQ(foreign["labels"].size(), 3U);
}

TEST(OmeroWindow, WrittenIsRead) {
  Json omero;
  set_omero_window(omero, {20, 220.5}, DataType::kUint8, "raw");
  EXPECT_EQ(omero_window_of(omero), (ContrastWindow{20, 220.5}));
  EXPECT_EQ(omero["channels"][0]["window"],
            Json::parse(R"({"min": 0, "max": 255, "start": 20, "end": 220.5})"));
  EXPECT_EQ(omero["channels"][0]["color"], "FFFFFF");
  Json floats;
  set_omero_window(floats, {-1, 1}, DataType::kFloat32, "raw");
  EXPECT_EQ(floats["channels"][0]["window"]["min"], -1);
}

TEST(OmeroWindow, OfOthersIsKeptButForTheContrast) {
  Json omero = Json::parse(R"({"id": 7, "rdefs": {"model": "color"}, "channels": [
      {"color": "00FF00", "label": "EM", "window": {"min": 5, "max": 90, "start": 6, "end": 80}}, {"color": "FF0000"}]})");
  EXPECT_EQ(omero_window_of(omero), (ContrastWindow{6, 80}));
  Json expected = omero;
  set_omero_window(omero, {10, 20}, DataType::kUint16, "raw");
  expected["channels"][0]["window"]["start"] = 10;
  expected["channels"][0]["window"]["end"] = 20;
  EXPECT_EQ(omero, expected);
}

TEST(OmeroWindow, ThatIsNoneCountsAsNone) {
  for (const char* text : {"3", "{}", R"({"channels": {}})", R"({"channels": []})", R"({"channels": [3]})",
                           R"({"channels": [{"window": 3}]})", R"({"channels": [{"window": {"start": 3}}]})",
                           R"({"channels": [{"window": {"start": "1", "end": 3}}]})",
                           R"({"channels": [{"window": {"start": 3, "end": 3}}]})"}) {
    Json omero = Json::parse(text);
    EXPECT_EQ(omero_window_of(omero), std::nullopt) << text;
    set_omero_window(omero, {1, 2}, DataType::kUint8, "raw");
    EXPECT_EQ(omero_window_of(omero), (ContrastWindow{1, 2})) << text;
  }
  EXPECT_EQ(contrast_window_of(Json{1, 2}), (ContrastWindow{1, 2}));
  for (const Json& other : {Json{2, 1}, Json{1}, Json("1,2"), Json{1, "2"}})
    EXPECT_EQ(contrast_window_of(other), std::nullopt);
}

}  // namespace
}  // namespace organon::storage
