#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/array/data_type.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/storage/channels.h"

namespace organon::storage {

enum class Format { kN5, kZarr2, kZarr3, kPrecomputed };
/// kZlib, kBzip2, kXz and kLz4 are there for datasets of others; choose kGzip, kZstd or kBlosc for new ones.
enum class Codec {
  kRaw,
  kGzip,
  kZlib,
  kZstd,
  kBlosc,
  kBzip2,
  kXz,
  kLz4,
  kCompressedSegmentation,
  kJpeg,
  kPng
};
/// What a blosc frame is compressed with. A frame says it itself, so readers need not be told.
enum class BloscInner { kBlosclz, kLz4, kLz4hc, kSnappy, kZlib, kZstd };

/// "n5", "zarr" (version 2), "zarr3", "precomputed": also the prefixes of addresses.
std::string_view to_string(Format format);
/// "raw", "gzip", "zlib", "zstd", "blosc", "bzip2", "xz", "lz4", "compressed_segmentation", "jpeg", "png".
std::string_view to_string(Codec codec);
/// "blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd": `cname` in N5 and Zarr.
std::string_view to_string(BloscInner inner);
std::optional<BloscInner> blosc_inner_from_string(std::string_view name);

/// All that a reader must know of a dataset: one plain struct for every format, everything in zyx.
struct DatasetSpec {
  Shape3 shape{};                  ///< voxels
  Shape3 chunk_shape{64, 64, 64};  ///< voxels that are encoded together, and can be read alone
  Shape3 shard_shape{};  ///< voxels of one stored unit of whole chunks; zeros: each chunk is stored alone
  DataType data_type = DataType::kUint8;
  Codec codec = Codec::kGzip;
  int level = -1;                              ///< of compression; -1: the codec's default here
  BloscInner blosc_inner = BloscInner::kZstd;  ///< with which blosc frames are written
  /// Value of missing chunks: for signed types the two's complement, sign extended; for floats the bits
  /// (fill_value.h).
  std::uint64_t fill_value = 0;
  VoxelGrid grid;
  Channels channels;  ///< of an array of more than three axes

  Box domain() const { return Box::of_shape(shape); }
};

/// Largest decoded chunk that is read or written.
inline constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 31;

/// Most chunks in one shard: its index is read and written whole.
inline constexpr std::int64_t kMaxChunksPerShard = std::int64_t{1} << 24;

bool has_shards(const DatasetSpec& spec);
/// Voxels of one stored unit, a file or an object: a shard, or a chunk where there are none.
Shape3 stored_shape(const DatasetSpec& spec);

/// For formats that are not. Errors: kInvalidArgument "N5 is not written in shards" where `spec` has them.
void refuse_shards(const DatasetSpec& spec, std::string_view format);

/// Bytes of a whole decoded chunk with all of its channels. Requires: the spec passed find_spec_problem().
std::int64_t chunk_bytes(const DatasetSpec& spec);

/// What makes the spec unusable in any format: extents that are not positive or overflow, chunks above
/// kMaxChunkBytes (all channels of it), shards that are not whole chunks or too many of them, voxel sizes
/// that are not positive and finite, a fill value outside the type. Empty where it is sound.
std::string find_spec_problem(const DatasetSpec& spec);

/// The first difference that would give a reader other voxels or other places: "shape 64,64,64 instead of
/// 32,64,64". Empty where there is none; grids may differ by 1e-6 of a voxel, -1 equals any level.
std::string describe_difference(const DatasetSpec& found, const DatasetSpec& expected);

}  // namespace organon::storage
