#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

/// The header of a block file, big-endian: uint16 mode, uint16 rank, uint32 per axis (x first).
struct N5BlockHeader {
  std::vector<std::int64_t> extents;  ///< x first
  std::size_t num_bytes = 0;          ///< of the header itself
};

/// Modes 0 (default) and 1 (varlength, where its count of elements equals the product of the extents).
/// Errors: kCorruptData where the bytes are too few or of another rank; kUnsupported for other modes.
N5BlockHeader parse_n5_block_header(std::span<const std::byte> bytes, int rank);

/// One block, of it the channels of the spec as a stack. `shape`: of the chunk clipped at the domain. Along
/// each axis the block may also be padded to the full chunk; the padding is dropped. Errors: kCorruptData for
/// other extents, damaged or short streams; kUnsupported.
AnyArray decode_n5_block(std::span<const std::byte> bytes, const DatasetSpec& spec, const Shape3& shape);

/// Mode 0, extents those of `voxels`, which is a stack of all channels: edge blocks are truncated, as other
/// implementations write them.
std::vector<std::byte> encode_n5_block(const AnyArray& voxels, const DatasetSpec& spec);

}  // namespace organon::storage
