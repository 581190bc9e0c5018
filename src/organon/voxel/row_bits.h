#pragma once

#include <cstdint>

namespace organon::voxel {

/// Words of 64 bits that hold one bit a voxel of a row.
constexpr std::int64_t num_words(std::int64_t num_voxels) { return (num_voxels + 63) / 64; }

/// Bit i of `bits` (bit i % 64 of word i / 64) is set where row[i] is not 0; bits past the row are clear.
/// Instantiated for T = uint8, uint16, uint32, uint64.
template <class T>
void find_nonzero(const T* row, std::int64_t num_voxels, std::uint64_t* bits);

/// As find_nonzero(), where a[i] differs from b[i].
template <class T>
void find_differences(const T* a, const T* b, std::int64_t num_voxels, std::uint64_t* bits);

}  // namespace organon::voxel
