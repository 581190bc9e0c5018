#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {

/// One chunk. Stored chunks always have the full chunk shape; `shape` is that of the chunk clipped at the
/// domain. Errors: kCorruptData.
AnyArray decode_zarr_chunk(std::span<const std::byte> bytes, const ZarrArray& array, const Shape3& shape);
/// Outside the domain the fill value is stored.
std::vector<std::byte> encode_zarr_chunk(const AnyArray& voxels, const ZarrArray& array);

}  // namespace organon::storage
