#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/storage/codecs/lz4.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

using Bytes = std::span<const std::byte>;

/// How bytes are encoded.
struct Encoding {
  Codec codec = Codec::kRaw;
  int level = -1;               ///< -1: default_level()
  std::size_t voxel_bytes = 1;  ///< size of one voxel, for the codecs that shuffle bytes
  BloscInner blosc_inner = BloscInner::kZstd;
  Lz4Framing lz4_framing = Lz4Framing::kNumcodecs;
};

/// The codec of `spec`, its level, and the size of its voxels.
Encoding encoding_of(const DatasetSpec& spec, Lz4Framing lz4_framing = Lz4Framing::kNumcodecs);

/// Level that -1 stands for: gzip 1, zlib 1, zstd 3, blosc 1, bzip2 9, xz 1, others 0.
int default_level(Codec codec);
/// "gzip level 17 is not in 0 .. 9"; empty where `level` (or -1) may be used for writing.
/// Higher levels are smaller and slower.
std::string find_level_problem(Codec codec, int level);

/// Appends the encoded form of `bytes` to `output`, which may begin with a header of the format.
/// Requires: a codec of bytes, that is not kCompressedSegmentation; the level is sound.
/// Errors: kInvalidArgument for more bytes than the codec can hold; kUnsupported; kResourceExhausted.
void append_encoded(const Encoding& encoding, Bytes bytes, std::vector<std::byte>& output);

/// Fills `decoded` exactly. `encoded` is foreign.
/// Errors: kCorruptData where it is damaged, or decodes to any other number of bytes: a stream that would
/// expand beyond `decoded` is refused and not expanded.
void decode(Codec codec, Bytes encoded, std::span<std::byte> decoded,
            Lz4Framing lz4_framing = Lz4Framing::kNumcodecs);

}  // namespace organon::storage
