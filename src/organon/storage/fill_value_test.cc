#include "organon/storage/fill_value.h"

#include <gtest/gtest.h>

#include <limits>

#include "organon/base/error.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {
namespace {

std::uint64_t parsed(const Json& value, DataType type) { return parse_fill_value(value, type, "test"); }

TEST(FillValue, FormsOfNumbers) {
  EXPECT_EQ(parsed(255, DataType::kUint8), 255u);
  EXPECT_EQ(parsed(-2, DataType::kInt16), static_cast<std::uint64_t>(-2));
  EXPECT_EQ(parsed(UINT64_MAX, DataType::kUint64), UINT64_MAX);
  EXPECT_EQ(parsed(7.0, DataType::kUint8), 7u);
  EXPECT_EQ(parsed("7", DataType::kUint8), 7u);
  EXPECT_EQ(parsed(true, DataType::kUint8), 1u);
  EXPECT_EQ(fill_voxel<float>(parsed(0.1, DataType::kFloat32)), 0.1f);
  EXPECT_EQ(fill_voxel<double>(parsed(3, DataType::kFloat64)), 3.0);
  EXPECT_EQ(fill_voxel<double>(parsed("0.5", DataType::kFloat64)), 0.5);
  EXPECT_EQ(parsed("NaN", DataType::kFloat32), 0x7fc00000u);
  EXPECT_EQ(parsed("NaN", DataType::kFloat64), 0x7ff8000000000000u);
  EXPECT_EQ(fill_voxel<float>(parsed("-Infinity", DataType::kFloat32)),
            -std::numeric_limits<float>::infinity());
  EXPECT_EQ(parsed("0x7fc00001", DataType::kFloat32), 0x7fc00001u);
  EXPECT_EQ(parsed(0, DataType::kFloat64), 0u);
}

TEST(FillValue, WhatIsNoNumberOfTheTypeIsRefused) {
  const auto expect_refused = [](const Json& value, DataType type) {
    try {
      parsed(value, type);
      FAIL() << value.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
      EXPECT_NE(error.message().find(value.dump()), std::string::npos) << error.message();
    }
  };
  expect_refused("NaN", DataType::kUint8);
  expect_refused(0.5, DataType::kUint8);
  expect_refused(1e300, DataType::kInt64);
  expect_refused(1e300, DataType::kFloat32);
  expect_refused("0x7fc0", DataType::kFloat32);
  expect_refused("0x7fc0000g", DataType::kFloat32);
  expect_refused("nan", DataType::kFloat64);
  expect_refused(Json::array({1}), DataType::kUint8);
}

TEST(FillValue, JsonAndBack) {
  for (const DataType type : {DataType::kUint8, DataType::kInt8, DataType::kInt64, DataType::kUint64}) {
    for (const std::uint64_t fill : {std::uint64_t{0}, std::uint64_t{100}})
      EXPECT_EQ(parsed(fill_value_json(fill, type), type), fill);
  }
  const auto minus_two = static_cast<std::uint64_t>(-2);
  EXPECT_EQ(fill_value_json(minus_two, DataType::kInt8), -2);
  EXPECT_EQ(parsed(fill_value_json(minus_two, DataType::kInt64), DataType::kInt64), minus_two);
  for (const std::uint64_t bits : {0ull, 0x80000000ull, 0x7f800000ull, 0xff800000ull, 0x7fc00000ull,
                                   0xffc00001ull, 0x3dcccccdull, 0x00000001ull}) {
    const Json json = parse_json(fill_value_json(bits, DataType::kFloat32).dump(), "test");
    EXPECT_EQ(parsed(json, DataType::kFloat32), bits) << json.dump();
  }
  EXPECT_EQ(fill_value_text(0x7fc00000, DataType::kFloat32), "NaN");
  EXPECT_EQ(fill_value_text(0, DataType::kFloat32), "0");
  EXPECT_EQ(fill_value_text(minus_two, DataType::kInt16), "-2");
}

TEST(FillValue, ThoseOutsideTheTypeAreASpecsProblem) {
  DatasetSpec spec;
  spec.shape = {1, 1, 1};
  spec.fill_value = 256;
  EXPECT_EQ(find_spec_problem(spec), "fill value 256 does not fit uint8");
  spec.data_type = DataType::kFloat32;
  EXPECT_EQ(find_spec_problem(spec), "");
  spec.fill_value = std::uint64_t{1} << 32;
  EXPECT_NE(find_spec_problem(spec), "");
}

}  // namespace
}  // namespace organon::storage
