#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/storage/zarr/shard.h"
#include "organon/storage/zarr/zarr3_metadata.h"

namespace organon::storage {

// Stored chunks and shards always have their full shape; `shape` is that of the voxels inside the domain.
// Outside of it the fill value is stored, and dropped when read. Voxels are a stack of the channels that the
// array's spec has; what is encoded holds all channels of a unit.

/// A whole stored unit: a chunk, or a shard with all of its inner chunks; absent ones are the fill value.
/// Errors: kCorruptData naming the inner chunk; kUnsupported for units above kMaxStoredBytes.
AnyArray decode_zarr3_unit(std::span<const std::byte> bytes, const Zarr3Array& array, const Shape3& shape);
/// Inner chunks that are all fill value are absent.
std::vector<std::byte> encode_zarr3_unit(const AnyArray& voxels, const Zarr3Array& array);

/// One chunk as `chunk_shape` of the spec has it: an inner chunk where there are shards, else the stored
/// unit. Errors: kCorruptData.
AnyArray decode_zarr3_chunk(std::span<const std::byte> bytes, const Zarr3Array& array, const Shape3& shape);
std::vector<std::byte> encode_zarr3_chunk(const AnyArray& voxels, const Zarr3Array& array);

// Parts of shards. Requires: has_shards(array.spec).

/// Inner chunks of a shard, per axis; those of further channels follow along z.
Shape3 chunks_per_shard(const Zarr3Array& array);
/// The index from its own bytes: the last shard_index_bytes(array.chain.shards[0], chunks_per_shard(array))
/// of the shard, or the first where is_index_at_start. `shard_bytes`: of the whole shard, where known.
/// Errors: kCorruptData as of decode_shard_index().
ShardIndex decode_zarr3_index(std::span<const std::byte> bytes, const Zarr3Array& array,
                              std::optional<std::uint64_t> shard_bytes = std::nullopt);
/// Bytes of the shard from `begin` on; fewer, or nothing, where it ends before.
using ReadRange =
    std::function<std::optional<std::vector<std::byte>>(std::uint64_t begin, std::size_t num_bytes)>;
/// One inner chunk without the rest of its shard; `position` inside the shard. Nothing where it is absent.
/// Errors: kCorruptData naming the inner chunk.
std::optional<AnyArray> read_inner_chunk(const Zarr3Array& array, const ShardIndex& index,
                                         const Index3& position, const Shape3& shape,
                                         const ReadRange& read_range);

/// Largest stored unit that is decoded whole.
inline constexpr std::int64_t kMaxStoredBytes = std::int64_t{1} << 32;

}  // namespace organon::storage
