#pragma once

#include <cstdint>

#include "organon/array/array_view.h"

namespace organon {

/// How voxels outside the domain are made up. kReflect mirrors without repeating the edge voxel, kReplicate
/// repeats the edge voxel, kConstant takes a stated value.
enum class Border { kReflect, kReplicate, kConstant };

/// The index inside 0 .. size-1 that kReflect or kReplicate reads for `index`; any distance outside is
/// allowed.
std::int64_t border_index(std::int64_t index, std::int64_t size, Border border);

/// Fills `target`, lying on `target_box`, from `source`, lying on `source_box`: inside is copied, outside
/// follows `border`. For kReflect and kReplicate, `domain` is the whole box that is mirrored, and every voxel
/// so needed must lie in `source_box`.
template <class T>
void copy_with_border(ArrayView<const T> source, const Box& source_box, const Box& domain, Border border,
                      T constant, ArrayView<T> target, const Box& target_box);

}  // namespace organon
