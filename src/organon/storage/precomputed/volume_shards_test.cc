#include "organon/storage/precomputed/volume_shards.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/storage/dataset.h"

namespace organon::storage {
namespace {

// Computed by cloud-volume 12.15.2.
TEST(VolumeShards, IdsAreHashedAsOthersDo) {
  VolumeSharding sharding;
  sharding.preshift_bits = 1;
  sharding.hashes_ids = true;
  sharding.minishard_bits = 3;
  sharding.shard_bits = 6;
  struct Known {
    std::uint64_t id;
    const char* shard;
    std::uint64_t minishard;
  };
  for (const Known& known :
       {Known{0, "08", 1}, Known{1, "08", 1}, Known{2, "13", 2}, Known{12345, "12", 0},
        Known{(std::uint64_t{1} << 40) + 7, "15", 1}, Known{~std::uint64_t{0}, "0d", 2}}) {
    const ShardPlace place = place_in_shards(sharding, known.id);
    EXPECT_EQ(shard_name(sharding, place.shard), std::string(known.shard) + ".shard");
    EXPECT_EQ(place.minishard, known.minishard);
  }
}

TEST(VolumeShards, MortonCodesCountEachChunkOnce) {
  for (const Shape3& grid : {Shape3{1, 1, 1}, Shape3{13, 6, 7}, Shape3{1, 9, 2}, Shape3{4, 4, 4}}) {
    std::set<std::uint64_t> codes;
    for (std::int64_t z = 0; z < grid.z; ++z)
      for (std::int64_t y = 0; y < grid.y; ++y)
        for (std::int64_t x = 0; x < grid.x; ++x) codes.insert(compressed_morton_code({z, y, x}, grid));
    EXPECT_EQ(codes.size(), static_cast<std::size_t>(grid.product()));
    EXPECT_LT(*codes.rbegin(), std::uint64_t{1} << morton_bits(grid));
  }
  // By hand: x has 2 bits, y none, z 1: x0 z0 x1.
  EXPECT_EQ(compressed_morton_code({1, 0, 2}, {2, 1, 3}), 0b110U);
}

TEST(VolumeShards, RoundTrip) {
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    VolumeSharding sharding;
    sharding.preshift_bits = static_cast<int>(random.below(3));
    sharding.hashes_ids = random.below(2) == 0;
    sharding.minishard_bits = static_cast<int>(random.below(4));
    sharding.has_gzip_index = random.below(2) == 0;
    sharding.has_gzip_data = random.below(2) == 0;
    std::map<std::uint64_t, std::vector<std::byte>> values;
    for (std::uint64_t i = random.below(30); i > 0; --i) {
      std::vector<std::byte>& value = values[random.below(1000)];
      value.resize(random.below(200));
      for (std::byte& byte : value) byte = static_cast<std::byte>(random.below(256));
    }
    const std::vector<std::byte> file = encode_volume_shard(sharding, values);
    for (std::uint64_t id = 0; id < 1000; ++id) {
      const ShardPlace place = place_in_shards(sharding, id);
      const auto entry = std::span(file).subspan(16 * place.minishard, 16);
      const auto range = minishard_index_range(sharding, entry);
      std::map<std::uint64_t, ShardRange> found;
      if (range) {
        found = decode_minishard_index(sharding,
                                       std::span(file).subspan(range->begin, range->end - range->begin));
      }
      ASSERT_EQ(found.contains(id), values.contains(id));
      if (!values.contains(id)) continue;
      const auto bytes = std::span(file).subspan(found[id].begin, found[id].end - found[id].begin);
      EXPECT_EQ(decode_shard_value(sharding, {bytes.begin(), bytes.end()}, 200), values[id]);
    }
  }
}

TEST(VolumeShards, HostileIndicesAreRefused) {
  const VolumeSharding sharding;
  const auto bytes_of = [](std::vector<std::uint64_t> numbers) {
    std::vector<std::byte> bytes(8 * numbers.size());
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
    return bytes;
  };
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  EXPECT_FALSE(minishard_index_range(sharding, bytes_of({5, 5})));
  for (const auto& entry :
       {bytes_of({6, 5}), bytes_of({0, kMost}), bytes_of({kMost - 30, kMost}), bytes_of({1})})
    EXPECT_THROW(minishard_index_range(sharding, entry), Error);
  for (const auto& index :
       {bytes_of({1, 2}), bytes_of({1, kMost, 5}), bytes_of({1, 0, kMost}), bytes_of({1, 0, 0, 0, 4, 4})})
    EXPECT_THROW(decode_minishard_index(sharding, index), Error);
}

// Written by tensorstore 0.1.86: tests/data/README.md.
TEST(VolumeShards, AVolumeOfTensorStore) {
  const auto dataset =
      open_dataset(std::string(ORGANON_SOURCE_FOLDER) + "/tests/data/sharded.precomputed/8_8_10");
  EXPECT_EQ(dataset->spec().shape, (Shape3{30, 40, 50}));
  EXPECT_TRUE(dataset->chunk_exists({3, 2, 3}));
  const Array<std::uint8_t> voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
  for (std::int64_t z = 0; z < 30; ++z)
    for (std::int64_t y = 0; y < 40; ++y)
      for (std::int64_t x = 0; x < 50; ++x) ASSERT_EQ(voxels(z, y, x), (z + y + x) / 7 * 13 % 251);
  try {
    dataset->write<std::uint8_t>(dataset->spec().domain(), std::as_const(voxels).view());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  }
}

}  // namespace
}  // namespace organon::storage
