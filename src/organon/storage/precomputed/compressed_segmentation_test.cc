#include "organon/storage/precomputed/compressed_segmentation.h"

#include <gtest/gtest.h>

#include <cstring>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

std::vector<std::uint32_t> words_of(const std::vector<std::byte>& bytes) {
  std::vector<std::uint32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

TEST(CompressedSegmentation, OneLabelTakesATableOfOne) {
  AnyArray labels(DataType::kUint32, Shape3::cube(8));
  for (std::int64_t i = 0; i < 512; ++i) labels.view<std::uint32_t>().data()[i] = 7;
  const auto encoded = encode_compressed_segmentation(labels, Shape3::cube(8));
  EXPECT_EQ(words_of(encoded), (std::vector<std::uint32_t>{1, 2, 2, 7}));
}

// Bits by hand: two blocks of 2 x 1 x 1 voxels with labels (5, 9) and (9, 9).
TEST(CompressedSegmentation, PacksIndicesLowestBitsFirst) {
  AnyArray labels(DataType::kUint64, {1, 1, 4});
  const std::uint64_t values[] = {5, 9, 9, 9};
  std::memcpy(labels.bytes().data(), values, sizeof(values));
  const auto encoded = encode_compressed_segmentation(labels, {1, 1, 2});
  EXPECT_EQ(words_of(encoded), (std::vector<std::uint32_t>{1,                      //
                                                           5 | 1u << 24, 4, 9, 9,  // headers of both blocks
                                                           2,                      // indices 0, 1
                                                           5, 0, 9, 0,             // first table
                                                           9, 0}));
}

TEST(CompressedSegmentation, EveryNumberOfLabelsRoundTrips) {
  for (const std::uint64_t num_labels : {1u, 2u, 3u, 4u, 5u, 16u, 17u, 256u, 257u, 4000u}) {
    AnyArray labels(DataType::kUint64, {17, 16, 15});
    for (std::int64_t i = 0; i < labels.shape().product(); ++i) {
      labels.view<std::uint64_t>().data()[i] = static_cast<std::uint64_t>(i) * 2654435761u % num_labels << 33;
    }
    for (const Shape3& block : {Shape3::cube(8), Shape3{17, 16, 15}, Shape3{3, 2, 1}}) {
      const auto encoded = encode_compressed_segmentation(labels, block);
      const AnyArray decoded =
          decode_compressed_segmentation(encoded, DataType::kUint64, labels.shape(), block);
      EXPECT_EQ(std::memcmp(decoded.bytes().data(), labels.bytes().data(), labels.bytes().size()), 0)
          << num_labels;
    }
  }
}

TEST(CompressedSegmentation, OffsetsOutsideAreCorruptData) {
  AnyArray labels(DataType::kUint32, {1, 1, 4});
  const std::uint32_t values[] = {5, 9, 9, 9};
  std::memcpy(labels.bytes().data(), values, sizeof(values));
  const auto encoded = encode_compressed_segmentation(labels, {1, 1, 2});
  // The channel's place and the headers; the second block has no values, so their place does not matter.
  for (std::size_t place = 0; place < 4 * 4; ++place) {
    auto damaged = encoded;
    damaged[place] ^= std::byte{0x7f};
    EXPECT_THROW(decode_compressed_segmentation(damaged, DataType::kUint32, labels.shape(), {1, 1, 2}), Error)
        << place;
  }
}

TEST(CompressedSegmentation, OtherTypesAreRefused) {
  EXPECT_THROW(encode_compressed_segmentation(AnyArray(DataType::kUint8, {1, 1, 1}), Shape3::cube(8)), Error);
}

}  // namespace
}  // namespace organon::storage
