#pragma once

#include <cstdint>

#include "organon/array/array_view.h"

namespace organon {

/// Copies every voxel of `source` to the same place of `target`.
/// Requires: equal shapes, no overlap. Instantiated for the ten voxel types.
template <class T>
void copy_voxels(ArrayView<const T> source, ArrayView<T> target);

/// Sets every voxel.
template <class T>
void fill_voxels(ArrayView<T> target, T value);

/// Copies what `source_box` and `target_box` share; both are boxes of one grid, the views lie on them.
/// Voxels of the target outside `source_box` stay as they are.
template <class T>
void copy_overlap(ArrayView<const T> source, const Box& source_box, ArrayView<T> target,
                  const Box& target_box);

}  // namespace organon
