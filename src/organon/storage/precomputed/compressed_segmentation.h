#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/array/any_array.h"

namespace organon::storage {

/// The label encoding of Neuroglancer: per block of voxels a table of its distinct labels, and 0, 1, 2, 4, 8,
/// 16 or 32 bits per voxel that point into it. uint32 and uint64. Byte table:
/// docs/formats/precomputed.md. Source: [neuroglancer2016].

/// Labels of `shape`, of `num_channels` a stack (channels.h). `bytes` are foreign: every offset is checked.
/// Requires: `type` is kUint32 or kUint64; every value of `block_shape` in 1 .. 4096.
/// Errors: kCorruptData where the bytes end too early or point outside.
AnyArray decode_compressed_segmentation(std::span<const std::byte> bytes, DataType type, const Shape3& shape,
                                        const Shape3& block_shape, std::int64_t num_channels = 1);

/// Equal tables are stored once; the result depends on the labels only.
/// Requires: as above.
/// Errors: kInvalidArgument for other types, and where the tables outgrow the 2^24 words that can be
/// addressed.
std::vector<std::byte> encode_compressed_segmentation(const AnyArray& labels, const Shape3& block_shape,
                                                      std::int64_t num_channels = 1);

}  // namespace organon::storage
