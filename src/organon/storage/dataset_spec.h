#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "organon/array/data_type.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::storage {

enum class Format { kN5, kZarr2, kPrecomputed };
/// kZlib is read and kept, for datasets of others; choose kGzip for new ones.
enum class Codec { kRaw, kGzip, kZlib, kZstd, kBlosc, kCompressedSegmentation, kJpeg, kPng };

/// "n5", "zarr", "precomputed": also the prefixes of addresses.
std::string_view to_string(Format format);
/// "raw", "gzip", "zlib", "zstd", "blosc", "compressed_segmentation", "jpeg", "png".
std::string_view to_string(Codec codec);

/// All that a reader must know of a dataset: one plain struct for every format, everything in zyx.
struct DatasetSpec {
  Shape3 shape{};                  ///< voxels
  Shape3 chunk_shape{64, 64, 64};  ///< voxels of one stored unit
  DataType data_type = DataType::kUint8;
  Codec codec = Codec::kGzip;
  int level = -1;  ///< of compression; -1: the codec's default here
  /// Value of missing chunks: for signed types the two's complement, sign extended; for floats only 0.
  std::uint64_t fill_value = 0;
  VoxelGrid grid;

  Box domain() const { return Box::of_shape(shape); }
};

/// Largest decoded chunk that is read or written.
inline constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 31;

/// Bytes of a whole decoded chunk. Requires: the spec passed find_spec_problem().
std::int64_t chunk_bytes(const DatasetSpec& spec);

/// What makes the spec unusable in any format: extents that are not positive or overflow, chunks above
/// kMaxChunkBytes, voxel sizes that are not positive and finite, a fill value outside the type. Empty where
/// it is sound.
std::string find_spec_problem(const DatasetSpec& spec);

/// The first difference that would give a reader other voxels or other places: "shape 64,64,64 instead of
/// 32,64,64". Empty where there is none; grids may differ by 1e-6 of a voxel, -1 equals any level.
std::string describe_difference(const DatasetSpec& found, const DatasetSpec& expected);

}  // namespace organon::storage
