#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/storage/dataset_spec.h"

namespace organon::storage {

using Bytes = std::span<const std::byte>;

/// Level that -1 stands for: gzip 1, zlib 1, zstd 3, blosc 1, others 0.
int default_level(Codec codec);
/// "gzip level 17 is not in 0 .. 9"; empty where `level` (or -1) may be used for writing.
/// Higher levels are smaller and slower.
std::string find_level_problem(Codec codec, int level);

/// Appends the encoded form of `bytes` to `output`, which may begin with a header of the format.
/// `voxel_bytes`: size of one voxel, for the codecs that shuffle bytes.
/// Requires: `codec` is a codec of bytes, that is not kCompressedSegmentation; the level is sound.
/// Errors: kResourceExhausted.
void append_encoded(Codec codec, int level, std::size_t voxel_bytes, Bytes bytes,
                    std::vector<std::byte>& output);

/// Fills `decoded` exactly. `encoded` is foreign.
/// Errors: kCorruptData where it is damaged, or decodes to any other number of bytes: a stream that would
/// expand beyond `decoded` is refused and not expanded.
void decode(Codec codec, Bytes encoded, std::span<std::byte> decoded);

}  // namespace organon::storage
