#include "organon/storage/zarr/shard.h"

#include <gtest/gtest.h>

#include <cstring>

#include "organon/base/error.h"
#include "organon/storage/codecs/crc32c.h"

namespace organon::storage {
namespace {

constexpr std::uint64_t kMaxChunkBytes = 1000;
const Shape3 kNumChunks{1, 2, 2};

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// Three chunks of 1, 2 and 3 bytes; the second of four is absent.
std::vector<std::byte> small_shard(const ShardLayout& layout) {
  std::vector<std::byte> shard;
  append_shard(
      layout, kNumChunks,
      [](const Index3& position, std::vector<std::byte>& output) {
        const std::int64_t id = 2 * position.y + position.x;
        if (id == 1) return false;
        output.insert(output.end(), static_cast<std::size_t>(id == 0 ? 1 : id),
                      static_cast<std::byte>(0xa0 + id));
        return true;
      },
      shard);
  return shard;
}

ShardIndex index_of(const std::vector<std::byte>& shard, const ShardLayout& layout) {
  const std::size_t num_bytes = shard_index_bytes(layout, kNumChunks);
  const auto bytes = std::span(shard);
  return decode_shard_index(layout.is_index_at_start ? bytes.first(num_bytes) : bytes.last(num_bytes), layout,
                            kNumChunks, kMaxChunkBytes, shard.size());
}

std::vector<std::byte> encoded(const std::vector<ShardEntry>& entries) {
  std::vector<std::byte> bytes(16 * entries.size());
  std::memcpy(bytes.data(), entries.data(), bytes.size());
  append_crc32c(bytes, 0);
  return bytes;
}

std::string refusal_of(const std::vector<ShardEntry>& entries, std::optional<std::uint64_t> shard_bytes,
                       const ShardLayout& layout = {}) {
  try {
    decode_shard_index(encoded(entries), layout, kNumChunks, kMaxChunkBytes, shard_bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    return error.message();
  }
  return "none";
}

TEST(Shard, BytesAreThoseOfTheSpecification) {
  ShardLayout layout;
  layout.num_index_checksums = 0;
  const std::vector<std::byte> shard = small_shard(layout);
  const auto expected = bytes_of({0xa0, 0xa2, 0xa2, 0xa3, 0xa3, 0xa3,                                      //
                                  0,    0,    0,    0,    0,    0,    0,    0,    1, 0, 0, 0, 0, 0, 0, 0,  //
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                          //
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                          //
                                  1,    0,    0,    0,    0,    0,    0,    0,    2, 0, 0, 0, 0, 0, 0, 0,  //
                                  3,    0,    0,    0,    0,    0,    0,    0,    3, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(shard, expected);
}

TEST(Shard, ChunksAreFoundAgainInEveryLayout) {
  for (const bool is_at_start : {false, true}) {
    for (const bool is_big_endian : {false, true}) {
      for (const int num_checksums : {0, 1, 2}) {
        ShardLayout layout;
        layout.is_index_at_start = is_at_start;
        layout.is_index_big_endian = is_big_endian;
        layout.num_index_checksums = num_checksums;
        const std::vector<std::byte> shard = small_shard(layout);
        EXPECT_EQ(shard.size(), 6 + 64 + 4 * static_cast<std::size_t>(num_checksums));
        const ShardIndex index = index_of(shard, layout);
        EXPECT_FALSE(bytes_of_inner_chunk(shard, index, {0, 0, 1}).has_value());
        const auto last = bytes_of_inner_chunk(shard, index, {0, 1, 1});
        ASSERT_TRUE(last.has_value());
        EXPECT_EQ(std::vector<std::byte>(last->begin(), last->end()), bytes_of({0xa3, 0xa3, 0xa3}));
        // Begins are counted from the begin of the shard.
        EXPECT_EQ(index.at({0, 0, 0}).begin, is_at_start ? shard_index_bytes(layout, kNumChunks) : 0u);
      }
    }
  }
}

TEST(Shard, IsAppendedBehindOtherBytes) {
  const ShardLayout layout;
  const std::vector<std::byte> shard = small_shard(layout);
  std::vector<std::byte> output(5);
  append_shard(
      layout, kNumChunks, [](const Index3&, std::vector<std::byte>&) { return false; }, output);
  EXPECT_EQ(output.size(), 5 + 64 + 4u);
  EXPECT_EQ(shard.size(), 6 + 64 + 4u);
}

TEST(Shard, HostileIndicesAreRefusedNamingTheChunk) {
  const ShardEntry absent;
  const std::uint64_t size = 100 + 68;
  EXPECT_EQ(refusal_of({{0, 50}, {50, 50}, absent, absent}, size), "none");
  EXPECT_EQ(refusal_of({{90, 10}, absent, {0, 90}, absent}, size), "none");
  const auto expect_names = [&](const std::string& chunk, const std::vector<ShardEntry>& entries,
                                std::optional<std::uint64_t> shard_bytes) {
    const std::string message = refusal_of(entries, shard_bytes);
    EXPECT_NE(message.find("inner chunk " + chunk), std::string::npos) << message;
  };
  // Into the index, behind the shard, sums above 2^64, half absent.
  expect_names("0,0,1", {absent, {50, 51}, absent, absent}, size);
  expect_names("0,1,0", {absent, absent, {1000, 1}, absent}, size);
  expect_names("0,1,1", {absent, absent, absent, {UINT64_MAX - 5, 10}}, size);
  expect_names("0,1,1", {absent, absent, absent, {UINT64_MAX - 5, 10}}, std::nullopt);
  expect_names("0,0,0", {{10, UINT64_MAX}, absent, absent, absent}, size);
  expect_names("0,0,0", {{UINT64_MAX, 10}, absent, absent, absent}, std::nullopt);
  // More bytes than an encoder makes, though there may be so many.
  expect_names("0,0,0", {{0, 1001}, absent, absent, absent}, std::nullopt);
  // Overlaps, also of equal ranges.
  expect_names("0,1,1", {{0, 50}, absent, absent, {49, 10}}, size);
  expect_names("0,0,1", {{0, 50}, {0, 50}, absent, absent}, size);
  ShardLayout start;
  start.is_index_at_start = true;
  EXPECT_NE(refusal_of({{67, 1}, absent, absent, absent}, size, start), "none");
  EXPECT_EQ(refusal_of({{68, 100}, absent, absent, absent}, size, start), "none");
  EXPECT_NE(refusal_of({{68, 101}, absent, absent, absent}, size, start), "none");
  EXPECT_NE(refusal_of({absent, absent, absent, absent}, 67), "none");
}

TEST(Shard, DamageOfTheIndexIsNoticed) {
  const ShardLayout layout;
  const std::vector<std::byte> shard = small_shard(layout);
  for (std::size_t bit = 8 * 6; bit < 8 * shard.size(); ++bit) {
    std::vector<std::byte> damaged = shard;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_THROW(index_of(damaged, layout), Error);
  }
  for (std::size_t size = 0; size < 68; ++size) {
    EXPECT_THROW(decode_shard_index(std::span(shard).first(size), layout, kNumChunks, kMaxChunkBytes, {}),
                 Error);
  }
}

}  // namespace
}  // namespace organon::storage
