#include "organon/storage/precomputed/values_by_id.h"

#include <algorithm>
#include <bit>

namespace organon::storage {
namespace {

constexpr std::uint64_t kValuesPerMinishard = 1024;  // an index of 24 KiB
constexpr int kMostMinishardBits = 9;                // a table of 8 KiB
constexpr std::uint64_t kBytesPerShard = std::uint64_t{1} << 30;

int bits_for(std::uint64_t count) { return count <= 1 ? 0 : std::bit_width(count - 1); }

}  // namespace

VolumeSharding sharding_of_ids(std::uint64_t num_values, std::uint64_t num_bytes) {
  const int num_bits = bits_for((num_values + kValuesPerMinishard - 1) / kValuesPerMinishard);
  VolumeSharding sharding;
  sharding.hashes_ids = true;
  sharding.shard_bits =
      std::max(num_bits - kMostMinishardBits, bits_for((num_bytes + kBytesPerShard - 1) / kBytesPerShard));
  sharding.minishard_bits = std::max(0, num_bits - sharding.shard_bits);
  sharding.has_gzip_index = true;
  sharding.has_gzip_data = true;
  return sharding;
}

FilesByName files_of_values(const ValuesById& values, const std::optional<VolumeSharding>& sharding) {
  FilesByName files;
  if (!sharding) {
    for (const auto& [id, bytes] : values) files[std::to_string(id)] = bytes;
    return files;
  }
  std::map<std::uint64_t, VolumeShardWriter> shards;
  for (const auto& [id, bytes] : values) {
    const std::uint64_t shard = place_in_shards(*sharding, id).shard;
    shards.try_emplace(shard, *sharding).first->second.add(id, bytes);
  }
  for (auto& [shard, writer] : shards) files[shard_name(*sharding, shard)] = writer.finish();
  return files;
}

}  // namespace organon::storage
