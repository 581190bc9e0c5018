#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "organon/geometry/vec3.h"
#include "organon/storage/zarr/zarr3_metadata.h"

namespace organon::storage {

// The bytes of one shard: encoded inner chunks, and an index of where they lie. Source: [zarr2023sharding].
//
//     index at the end     [ chunk ][ chunk ]   [ chunk ][ index | crc32c ]
//     index at the start   [ index | crc32c ][ chunk ][ chunk ]   [ chunk ]

/// Where the bytes of an inner chunk lie in its shard.
struct ShardEntry {
  static constexpr std::uint64_t kAbsent = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t begin = kAbsent;
  std::uint64_t num_bytes = kAbsent;

  bool is_absent() const { return begin == kAbsent && num_bytes == kAbsent; }
  friend bool operator==(const ShardEntry&, const ShardEntry&) = default;
};

struct ShardIndex {
  Shape3 num_chunks{};
  std::vector<ShardEntry> entries;  ///< raster order, x fastest

  const ShardEntry& at(const Index3& position) const;
};

/// Bytes of the encoded index.
std::size_t shard_index_bytes(const ShardLayout& layout, const Shape3& num_chunks);

/// The index from exactly its bytes: the first or last shard_index_bytes() of a shard. `max_chunk_bytes`: no
/// encoded inner chunk can be longer; `shard_bytes`: of the whole shard, where known.
/// Errors: kCorruptData where the checksum is another, and naming the inner chunk where its bytes would be
/// too many, lie outside the shard, or overlap the index or another chunk's.
ShardIndex decode_shard_index(std::span<const std::byte> bytes, const ShardLayout& layout,
                              const Shape3& num_chunks, std::uint64_t max_chunk_bytes,
                              std::optional<std::uint64_t> shard_bytes);

/// The bytes of the inner chunk at `position`, out of a whole shard; nothing where it is absent.
std::optional<std::span<const std::byte>> bytes_of_inner_chunk(std::span<const std::byte> shard,
                                                               const ShardIndex& index,
                                                               const Index3& position);

/// A whole shard. `append_chunk` is called for each position in raster order; it appends the encoded inner
/// chunk to `output` and returns true, or appends nothing and returns false: then the chunk is all fill
/// value, and absent.
void append_shard(
    const ShardLayout& layout, const Shape3& num_chunks,
    const std::function<bool(const Index3& position, std::vector<std::byte>& output)>& append_chunk,
    std::vector<std::byte>& output);

}  // namespace organon::storage
