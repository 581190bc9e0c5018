#pragma once

#include <string>

#include "organon/array/any_array.h"

namespace organon {

/// What becomes of values that another type lacks.
enum class OutOfRange { kRefuse, kClip };

/// `voxels` as `type`. From floating-point to whole numbers values are rounded, ties to even; else every
/// value keeps its number: one beyond the range of `type` is refused or clipped; NaN is refused, and so is a
/// whole number that floating-point voxels would round, whatever `out_of_range` says. Errors:
/// kInvalidArgument naming the value and its index, `first` being that of the first voxel. Cost: one pass.
AnyArray cast_voxels(const AnyArray& voxels, DataType type, OutOfRange out_of_range,
                     const Index3& first = {});

}  // namespace organon
