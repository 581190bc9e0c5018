#pragma once

#include <cstdint>
#include <optional>

#include "organon/storage/dataset_spec.h"
#include "organon/storage/precomputed/volume_shards.h"

namespace organon::storage {

// Shards as boxes of chunks. The id of a chunk is its compressed Morton code: bits of x, y and z in turn, an
// axis dropping out once its grid needs no more. Without a hash, the chunks whose ids differ in their low
// bits alone are a box, each bit doubling one axis; so shards can be such boxes, and no others:
//
//     grid of 8 x 2 x 8 chunks (x, y, z)     bits, lowest first    x0 y0 z0 x1 z1 x2 z2
//     boxes    1 x 1 x 1   2 x 1 x 1   2 x 2 x 1   2 x 2 x 2   4 x 2 x 2   4 x 2 x 4   8 x 2 x 4   8 x 2 x 8

/// Chunks along each axis of the box of ids that differ in the low `num_bits` alone; a power of two that may
/// reach beyond the grid. Requires: 0 <= num_bits <= morton_bits(num_chunks).
Shape3 chunks_of_low_bits(int num_bits, const Shape3& num_chunks);
/// Position of the chunk with this id; beyond the grid where it has no such chunk. The inverse of
/// compressed_morton_code().
Index3 position_of_code(std::uint64_t code, const Shape3& num_chunks);

/// The bits of an id within its box. Zero of those are left for shards where one shard holds all.
/// Requires: `num_bits` as above, at most 24. Few requests read a chunk: up to 512 chunks share a minishard,
/// whose index is at most 12 KiB then; only the rest makes minishards.
VolumeSharding sharding_of_low_bits(int num_bits, const Shape3& num_chunks, Codec codec);

/// The shape in voxels of shards that are boxes, not clipped at the volume's end; nothing where ids are
/// hashed, where a shard holds several boxes, and where a decoded one would be above kMaxChunkBytes.
/// Requires: the spec passed find_spec_problem().
std::optional<Shape3> shards_that_are_boxes(const VolumeSharding& sharding, const DatasetSpec& spec);

/// `spec.shard_shape` as a box of ids has it: where it covers an axis of the volume, the power of two that
/// does. Zeros where the spec has no shards; nothing where its shards are no box. Requires: as above.
std::optional<Shape3> find_precomputed_shards(const DatasetSpec& spec);
/// Errors: kInvalidArgument where there is none, naming the nearest.
Shape3 precomputed_shards_of(const DatasetSpec& spec);
/// How they are stored. Requires: `spec` has shards, as precomputed_shards_of() gave them.
VolumeSharding precomputed_sharding_of(const DatasetSpec& spec);

}  // namespace organon::storage
