#include "organon/voxel/relabel.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "organon/array/array.h"
#include "organon/base/error.h"

namespace organon::voxel {
namespace {

template <class Id>
void expect_each_voxel_looked_up() {
  std::mt19937 random(1);
  Array<std::uint32_t> labels({3, 4, 77});
  for (std::int64_t i = 0; i < labels.size(); ++i) labels.data()[i] = i % 231 < 100 ? 0 : random() % 4;
  const std::vector<Id> ids{0, 200, 3, static_cast<Id>(-1)};
  Array<Id> output(labels.shape(), 9);
  relabel<Id>(labels, ids, output);
  for (std::int64_t i = 0; i < labels.size(); ++i) ASSERT_EQ(output.data()[i], ids[labels.data()[i]]);
}

TEST(Relabel, EachVoxelGetsTheIdOfItsLabelInEveryType) {
  expect_each_voxel_looked_up<std::uint8_t>();
  expect_each_voxel_looked_up<std::uint16_t>();
  expect_each_voxel_looked_up<std::uint32_t>();
  expect_each_voxel_looked_up<std::uint64_t>();
}

TEST(Relabel, WorksInPlace) {
  Array<std::uint32_t> labels({1, 1, 3});
  labels(0, 0, 1) = 1;
  labels(0, 0, 2) = 2;
  const std::vector<std::uint32_t> ids{0, 2, 1};
  relabel<std::uint32_t>(labels.view(), ids, labels.view());
  EXPECT_EQ(labels(0, 0, 1), 2u);
  EXPECT_EQ(labels(0, 0, 2), 1u);
}

TEST(Relabel, NamesALabelBeyondTheTable) {
  const Array<std::uint32_t> labels({1, 1, 3}, 7);
  Array<std::uint8_t> output(labels.shape());
  const std::vector<std::uint8_t> ids{0, 1};
  try {
    relabel<std::uint8_t>(labels, ids, output);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_NE(error.message().find("label 7"), std::string::npos);
  }
}

}  // namespace
}  // namespace organon::voxel
