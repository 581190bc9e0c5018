#include "organon/nn/script_info.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::nn {
namespace {

constexpr const char* kSound =
    R"({"classes": ["mito"], "voxel_size_nm": [8, 4, 4], "input_shape": [1, 256, 320],
  "output_shape": [1, 224, 320], "value_range": [0, 1], "output": "probability", "channels": [1], "slice_wise": true})";

TEST(ScriptInfo, SaysWhatAModuleTakesAndGives) {
  const ScriptInfo info = parse_script_info(kSound, "m.json");
  EXPECT_EQ(info.classes, (std::vector<std::string>{"mito"}));
  EXPECT_EQ(info.voxel_size_nm, (SizeNm{8, 4, 4}));
  EXPECT_EQ(info.margin(), (Shape3{0, 16, 0}));
  EXPECT_EQ(info.channels, (std::vector<std::int64_t>{1}));
  EXPECT_TRUE(info.is_slice_wise);
  EXPECT_EQ(info.output, ScriptInfo::Output::kProbability);
  const ScriptInfo least = parse_script_info(
      R"({"classes": ["a", "b"], "voxel_size_nm": 8, "input_shape": [32, 32, 32], "output_shape": [24, 24, 24], "output_scale": 2})",
      "m.json");
  EXPECT_EQ(least.voxel_size_nm, (SizeNm{8, 8, 8}));
  EXPECT_EQ(least.margin(), (Shape3{10, 10, 10}));
  EXPECT_EQ(least.channels, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(least.low, -1);
  EXPECT_EQ(least.output, ScriptInfo::Output::kDistance);
}

TEST(ScriptInfo, IsReadAsItWasWritten) {
  for (
      const std::string text :
      {kSound,
       R"({"classes": ["a", "b"], "voxel_size_nm": 8, "input_shape": [32, 32, 32], "output_shape": [24, 24, 24], "output_scale": 2})"}) {
    const ScriptInfo info = parse_script_info(text, "m.json");
    const ScriptInfo read = parse_script_info(to_json(info), "m.json");
    EXPECT_EQ(read.classes, info.classes);
    EXPECT_EQ(read.voxel_size_nm, info.voxel_size_nm);
    EXPECT_EQ(read.input_shape, info.input_shape);
    EXPECT_EQ(read.output_shape, info.output_shape);
    EXPECT_EQ(read.output_scale, info.output_scale);
    EXPECT_EQ(read.low, info.low);
    EXPECT_EQ(read.high, info.high);
    EXPECT_EQ(read.output, info.output);
    EXPECT_EQ(read.channels, info.channels);
    EXPECT_EQ(read.is_slice_wise, info.is_slice_wise);
  }
}

TEST(ScriptInfo, FaultsAreNamed) {
  const auto expect = [](const std::string& from, const std::string& to, const std::string& part) {
    std::string text = kSound;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    try {
      parse_script_info(text.replace(at, from.size(), to), "m.json");
      ADD_FAILURE() << to;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      EXPECT_NE(error.message().find("m.json"), std::string::npos) << error.message();
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
  };
  expect("\"classes\"", "\"clases\"", "did you mean 'classes'?");
  expect("[\"mito\"]", "[]", "expected names");
  expect("[\"mito\"]", "[\"../mito\"]", "without '/'");
  expect("[8, 4, 4]", "[8, 4, 0]", "above 0");
  expect("[8, 4, 4]", "[8, 4]", "z, y, x");
  expect("[1, 256, 320]", "[1, 256]", "z, y, x");
  expect("[1, 256, 320]", "[1, 256, 1e9]", "from 1 to 4096");
  expect("[1, 224, 320]", "[1, 223, 320]", "in the middle");
  expect("[1, 224, 320]", "[1, 258, 320]", "in the middle");
  expect("[0, 1]", "[1, 1]", "low, high");
  expect("\"probability\"", "\"odds\"", "distance, probability or logit");
  expect("[1], \"slice", "[1, 2], \"slice", "one per class");
  expect("[1], \"slice", "[-1], \"slice", "from 0");
  expect("true", "1", "true or false");
  expect("[1, 256, 320]", "[3, 256, 320]", "slice");
  expect("{", "[", "m.json");
}

}  // namespace
}  // namespace organon::nn
