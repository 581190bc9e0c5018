#include "organon/storage/precomputed/segment_properties.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

SegmentProperties make_properties() {
  SegmentProperties properties;
  properties.ids = {3, 18446744073709551615ULL, 2};
  properties.labels = {"er 1", "mito \"2\"", ""};
  properties.descriptions = {"a", "b", "c"};
  properties.tags = {{"er", "endoplasmic reticulum"}, {"cut", ""}};
  properties.tags_of = {{0}, {}, {0, 1}};
  properties.texts = {{"class", "of organelle", {"er", "mito", "er"}}};
  properties.numbers = {{"volume_nm3", "", DataType::kFloat32, {0.5, 1e30, -2}},
                        {"count", "of contacts", DataType::kInt32, {0, -5, 2147483647}}};
  return properties;
}

TEST(SegmentProperties, InfoIsAsTheFormatSays) {
  const Json expected = parse_json(R"({
    "@type": "neuroglancer_segment_properties",
    "inline": {
      "ids": ["3", "18446744073709551615", "2"],
      "properties": [
        {"id": "label", "type": "label", "values": ["er 1", "mito \"2\"", ""]},
        {"id": "description", "type": "description", "values": ["a", "b", "c"]},
        {"id": "tags", "type": "tags", "tags": ["er", "cut"],
         "tag_descriptions": ["endoplasmic reticulum", ""], "values": [[0], [], [0, 1]]},
        {"id": "class", "type": "string", "description": "of organelle", "values": ["er", "mito", "er"]},
        {"id": "volume_nm3", "type": "number", "data_type": "float32", "values": [0.5, 1e30, -2.0]},
        {"id": "count", "type": "number", "description": "of contacts", "data_type": "int32",
         "values": [0, -5, 2147483647]}
      ]
    }})",
                                   "expected");
  const Json found = segment_properties_info_of(make_properties());
  EXPECT_EQ(found, expected) << to_text(found);
  EXPECT_EQ(parse_json(to_text(found), "text"), expected);
}

TEST(SegmentProperties, AllButIdsMayBeMissing) {
  SegmentProperties properties;
  properties.ids = {1};
  EXPECT_EQ(segment_properties_info_of(properties)["inline"],
            (Json{{"ids", {"1"}}, {"properties", Json::array()}}));
  EXPECT_EQ(segment_properties_info_of({})["inline"]["ids"], Json::array());
}

TEST(SegmentProperties, WhatItCannotHoldIsRefused) {
  const std::vector<std::pair<std::function<void(SegmentProperties&)>, std::string>> changes = {
      {[](auto& p) { p.ids[0] = 0; }, "background"},
      {[](auto& p) { p.ids[0] = 2; }, "twice"},
      {[](auto& p) { p.labels.pop_back(); }, "labels"},
      {[](auto& p) { p.descriptions.emplace_back("d"); }, "descriptions"},
      {[](auto& p) { p.tags_of.clear(); }, "tags"},
      {[](auto& p) { p.tags[1].name = "ER"; }, "twice"},
      {[](auto& p) { p.tags[1].name = "a b"; }, "blank"},
      {[](auto& p) { p.tags[1].name = "#er"; }, "begins with #"},
      {[](auto& p) {
         p.tags_of[2] = {1, 0};
       },
       "ascending"},
      {[](auto& p) { p.tags_of[2] = {2}; }, "ascending"},
      {[](auto& p) { p.texts[0].values.clear(); }, "class"},
      {[](auto& p) { p.texts[0].id = "label"; }, "twice"},
      {[](auto& p) { p.numbers[1].id = "class"; }, "twice"},
      {[](auto& p) { p.numbers[1].id = ""; }, "no name"},
      {[](auto& p) { p.numbers[0].data_type = DataType::kFloat64; }, "float64"},
      {[](auto& p) { p.numbers[0].values[1] = std::numeric_limits<double>::quiet_NaN(); }, "volume_nm3"},
      {[](auto& p) { p.numbers[0].values[1] = 1e39; }, "volume_nm3"},
      {[](auto& p) { p.numbers[1].values[1] = 0.5; }, "count"},
      {[](auto& p) { p.numbers[1].values[1] = 3e9; }, "count"}};
  for (const auto& [change, word] : changes) {
    SegmentProperties properties = make_properties();
    change(properties);
    try {
      segment_properties_info_of(properties);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace organon::storage
