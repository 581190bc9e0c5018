#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/geometry/vec3.h"

namespace organon::storage {

/// `sharding` of a precomputed scale: values under 64-bit ids in few files. Source: Neuroglancer's sharded
/// format, version 1 [neuroglancer2024precomputed].
struct VolumeSharding {
  int preshift_bits = 0;
  bool hashes_ids = false;  ///< murmurhash3_x86_128; else ids count as they are
  int minishard_bits = 0;
  int shard_bits = 0;
  bool has_gzip_index = false;
  bool has_gzip_data = false;

  friend bool operator==(const VolumeSharding&, const VolumeSharding&) = default;
};

/// Errors: kCorruptData; kUnsupported naming another type, hash or encoding.
VolumeSharding parse_volume_sharding(const Json& json, std::string_view where);
Json to_json(const VolumeSharding& sharding);

/// Id of the chunk at `position` of a grid of `num_chunks`: the bits of x, y and z in turn, without those
/// that an axis does not need. Requires: at most 64 bits, see morton_bits().
std::uint64_t compressed_morton_code(const Index3& position, const Shape3& num_chunks);
/// Bits that ids of such a grid have.
int morton_bits(const Shape3& num_chunks);

struct ShardPlace {
  std::uint64_t shard = 0;
  std::uint64_t minishard = 0;

  friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};
ShardPlace place_in_shards(const VolumeSharding& sharding, std::uint64_t id);
/// "0a.shard".
std::string shard_name(const VolumeSharding& sharding, std::uint64_t shard);

/// Bytes of a shard's file.
struct ShardRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
/// Of the index of minishards, at the file's beginning.
std::size_t shard_index_bytes(const VolumeSharding& sharding);
/// Where the index of `minishard` lies; nothing where the minishard is empty. `entry`: its 16 bytes of the
/// shard's index. Errors: kCorruptData.
std::optional<ShardRange> minishard_index_range(const VolumeSharding& sharding,
                                                std::span<const std::byte> entry);
/// The values of a minishard, from its index as stored. Errors: kCorruptData for lists that are no lists,
/// ranges that overflow, indices that expand beyond 64 MiB.
std::map<std::uint64_t, ShardRange> decode_minishard_index(const VolumeSharding& sharding,
                                                           std::span<const std::byte> bytes);
/// As these two, of the minishard at `place`, whose ids must belong there: a file in another's place is
/// noticed. `read` gives bytes of the shard's file, fewer where it ends before; nothing where there is no
/// such file, as where there are no values.
std::map<std::uint64_t, ShardRange> read_minishard_index(
    const VolumeSharding& sharding, const ShardPlace& place,
    const std::function<std::optional<std::vector<std::byte>>(const ShardRange& range)>& read);
/// One value as stored to as meant (gzip). Errors: kCorruptData, also above `max_bytes`.
std::vector<std::byte> decode_shard_value(const VolumeSharding& sharding, std::vector<std::byte> bytes,
                                          std::size_t max_bytes);

/// The values of a whole shard. Keeps the index of one minishard at a time: ask in the order of minishards.
/// `file` is foreign, and must outlive this.
class VolumeShardReader {
 public:
  VolumeShardReader(const VolumeSharding& sharding, std::span<const std::byte> file);

  /// The value as stored; nothing where there is none. Requires: `id` belongs to this shard. Errors:
  /// kCorruptData where the indices are damaged, or lie outside the file.
  std::optional<std::span<const std::byte>> find(std::uint64_t id);

 private:
  std::span<const std::byte> part(const ShardRange& range) const;

  VolumeSharding sharding_;
  std::span<const std::byte> file_;
  std::optional<std::uint64_t> minishard_;  ///< whose index `values_` is
  std::map<std::uint64_t, ShardRange> values_;
};

/// Makes a shard of values as they come, which lie in its file in this order; indices follow.
class VolumeShardWriter {
 public:
  explicit VolumeShardWriter(const VolumeSharding& sharding);

  /// Requires: `id` belongs to this shard, and is above all ids before.
  void add(std::uint64_t id, std::span<const std::byte> value);
  /// The file. To be called once.
  std::vector<std::byte> finish();

 private:
  /// The three columns of a minishard's index, and what the next row goes on from.
  struct Minishard {
    std::vector<std::uint64_t> id_steps, gaps, sizes;
    std::uint64_t last_id = 0;
    std::uint64_t end = 0;  ///< after the shard's index
  };

  VolumeSharding sharding_;
  std::vector<std::byte> file_;
  std::map<std::uint64_t, Minishard> minishards_;
};

/// A whole shard from its values by id. Requires: all ids belong to one shard.
std::vector<std::byte> encode_volume_shard(const VolumeSharding& sharding,
                                           const std::map<std::uint64_t, std::vector<std::byte>>& values);

}  // namespace organon::storage
