#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/codecs/codec.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

struct ShardLayout;

/// How voxels become bytes: their axes are put in another order; they become bytes, or a shard of encoded
/// inner chunks; those are checked and compressed.
struct Zarr3Chain {
  std::array<int, 3> order{0, 1, 2};  ///< axis i of what is encoded is axis order[i] of the voxels (z y x)
  bool is_big_endian = false;
  std::vector<ShardLayout> shards;  ///< one where the bytes are a shard, else none
  int num_checksums_inside = 0;     ///< crc32c of the bytes before they are compressed
  Encoding compression;             ///< kRaw: none
  int num_checksums_outside = 0;    ///< crc32c of what was compressed
};

/// The codec sharding_indexed: a shard holds its inner chunks, in any order, and an index of where they lie.
struct ShardLayout {
  Shape3 chunk_shape{};                     ///< of an inner chunk; in the axes that the chain's `order` makes
  std::vector<std::int64_t> channel_chunk;  ///< of it along the axes of channels
  Zarr3Chain chunk_chain;
  bool is_index_at_start = false;
  bool is_index_big_endian = false;
  int num_index_checksums = 1;
};

/// What the zarr.json of an array says.
struct Zarr3Array {
  /// Where one inner chunk can be read without the rest of its shard, `chunk_shape` is an inner chunk and
  /// `shard_shape` the stored unit; else `chunk_shape` is the stored unit. The grid is not part: voxels of 1
  /// nm.
  DatasetSpec spec;
  Zarr3Chain chain;  ///< of a stored unit
  char separator = '/';
  bool has_key_prefix = true;                ///< "c/0/0/0"; without it as in Zarr 2
  std::vector<std::string> dimension_names;  ///< none, or one per axis; empty text: no name
};

/// An array of Zarr version 3, regular grid. Booleans become uint8. Source: [zarr2023core],
/// [zarr2023sharding].
/// Errors: kCorruptData; kUnsupported naming the rank, grid, type, codec, fill value or extension. A chain
/// with two compressions, or one around a shard, is kUnsupported, too; so is one that transposes channels of
/// a chunk.
Zarr3Array parse_zarr3_array(std::string_view text, std::string_view where);
Zarr3Array zarr3_array_from(const Json& json, std::string_view where);

/// zarr.json: little-endian, keys c/0/0/0, the shards of the spec with their index at the end, no attributes
/// yet. Errors: kInvalidArgument for a codec that Zarr 3 does not have.
Json zarr3_array_of(const DatasetSpec& spec);

/// True where zarr.json is an array's, not a group's.
bool is_zarr3_array(const Json& json);

/// "c/1/23/45": the key of a stored unit, below its array. `position` in the grid of stored units.
std::string zarr3_key(const Zarr3Array& array, const Index3& position);

/// The shape after the axes were put in the chain's order.
Shape3 in_order(const std::array<int, 3>& order, const Shape3& shape);

}  // namespace organon::storage
