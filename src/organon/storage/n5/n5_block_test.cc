#include "organon/storage/n5/n5_block.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

DatasetSpec raw_spec(DataType type) {
  DatasetSpec spec;
  spec.shape = {1, 2, 5};
  spec.chunk_shape = {1, 2, 3};
  spec.codec = Codec::kRaw;
  spec.data_type = type;
  return spec;
}

void expect_kind(ErrorKind kind, const std::vector<std::byte>& block, const Shape3& shape) {
  try {
    decode_n5_block(block, raw_spec(DataType::kUint8), shape);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
  }
}

TEST(N5Block, IsBigEndianWithXFirst) {
  AnyArray voxels(DataType::kUint16, {1, 2, 3});
  for (int i = 0; i < 6; ++i) voxels.view<std::uint16_t>().data()[i] = static_cast<std::uint16_t>(256 + i);
  const auto expected = bytes_of({0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1,  //
                                  1, 0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5});
  EXPECT_EQ(encode_n5_block(voxels, raw_spec(DataType::kUint16)), expected);
  const AnyArray decoded = decode_n5_block(expected, raw_spec(DataType::kUint16), {1, 2, 3});
  EXPECT_EQ(decoded.view<std::uint16_t>()(0, 1, 2), 261);
}

TEST(N5Block, PaddedEdgeBlocksAreClipped) {
  const auto padded = bytes_of({0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 9, 4, 5, 9});
  const AnyArray decoded = decode_n5_block(padded, raw_spec(DataType::kUint8), {1, 2, 2});
  const ArrayView<const std::uint8_t> view = decoded.view<std::uint8_t>();
  EXPECT_EQ(view(0, 0, 0), 1);
  EXPECT_EQ(view(0, 0, 1), 2);
  EXPECT_EQ(view(0, 1, 0), 4);
  EXPECT_EQ(view(0, 1, 1), 5);
}

TEST(N5Block, VarlengthModeIsReadWhereItHoldsOneElementPerVoxel) {
  const auto block = bytes_of({0, 1, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8});
  DatasetSpec spec = raw_spec(DataType::kUint8);
  EXPECT_EQ(decode_n5_block(block, spec, {1, 1, 2}).view<std::uint8_t>()(0, 0, 1), 8);
  auto other = block;
  other[19] = std::byte{3};
  expect_kind(ErrorKind::kUnsupported, other, {1, 1, 2});
}

TEST(N5Block, ObjectModeIsRefusedByName) {
  const auto block = bytes_of({0, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2});
  try {
    decode_n5_block(block, raw_spec(DataType::kUint8), {1, 1, 2});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(error.message().find("object mode"), std::string::npos) << error.message();
  }
}

TEST(N5Block, OtherModesRanksAndExtentsAreRefused) {
  expect_kind(ErrorKind::kUnsupported, bytes_of({0, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2}),
              {1, 1, 2});
  expect_kind(ErrorKind::kCorruptData, bytes_of({0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2}), {1, 1, 2});
  expect_kind(ErrorKind::kCorruptData, bytes_of({0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1}),
              {1, 1, 2});
  // Extents that would be 2^96 voxels allocate nothing.
  expect_kind(ErrorKind::kCorruptData,
              bytes_of({0, 0, 0, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}),
              {1, 1, 2});
  expect_kind(ErrorKind::kCorruptData, bytes_of({0, 0, 0}), {1, 1, 2});
}

}  // namespace
}  // namespace organon::storage
