#pragma once

#include <cstdint>

namespace organon::voxel {

// Whole cells of 2 x 2 x 2 voxels along a row: the four input rows of 2 `count` voxels each, in the order z,
// y.

/// Sum of each cell, divided by 8, half up.
void mean_of_pairs(const std::uint8_t* const rows[4], std::int64_t count, std::uint8_t* to);

/// The most frequent value of each cell, the smallest of equally frequent ones.
void mode_of_pairs(const std::uint32_t* const rows[4], std::int64_t count, std::uint32_t* to);
void mode_of_pairs(const std::uint64_t* const rows[4], std::int64_t count, std::uint64_t* to);

}  // namespace organon::voxel
