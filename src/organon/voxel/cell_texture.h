#pragma once

#include <cstddef>
#include <cstdint>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Texture of a cell as a small number: 0 and 1 have the meanings below, others are 2 + bin of a
/// logarithmic scale, eight bins to a doubling of variance. Whole numbers, so that every machine finds
/// the same.
inline constexpr std::uint16_t kConstantCell = 0;   ///< every voxel has one value: nothing was imaged here
inline constexpr std::uint16_t kUncountedCell = 1;  ///< partly filled up, or too small to tell
inline constexpr std::uint16_t kFirstTexture = 2;
inline constexpr std::size_t kNumTextures = 2 + 8 * 42;  ///< all codes are below this

/// Code of a variance, in squared grey values; all up to 2^-8 share the least.
std::uint16_t texture_code(double variance);
/// Least standard deviation, in grey values, that has `code`; 0 for the least. Requires: kFirstTexture <=
/// code.
double texture_sd(std::uint16_t code);

/// Largest factor of texture_of_cells() along an axis.
inline constexpr std::int64_t kLargestCell = 64;

/// How textured each cell of `factor` voxels is, apart from noise, and its mean grey value.
///
/// Texture is the covariance of neighbours along y within each slice z of the cell, all slices pooled: noise
/// differs from scan line to scan line and cancels out; brightness that changes from slice to slice does not
/// enter. What lies below 1/64 of the variance (1/8 of the standard deviation) of the cell's slices counts as
/// that much: below it is only chance.
///
/// kConstantCell: one value throughout, as where an aligned stack is filled up. kUncountedCell: more than
/// 1 of 32 pairs of neighbours are both filled up (0, or an end of T's range), or fewer than 8 pairs lie in a
/// slice.
///
/// Shapes: `codes` and `means` have one element per cell, cells cut off by the upper faces included.
/// Requires: the view begins at a multiple of `factor` of the whole, and ends at one or at its end: then
/// blocks give the cells of the whole. Instantiated for T = uint8, int8, uint16, int16. Exact: sums of whole
/// numbers, each rounded once. Errors: kInvalidArgument where a factor is not 1 .. kLargestCell. Cost: one
/// pass.
template <class T>
void texture_of_cells(ArrayView<const T> raw, const Shape3& factor, ArrayView<std::uint16_t> codes,
                      ArrayView<float> means);

}  // namespace organon::voxel
