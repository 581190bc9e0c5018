#pragma once

#include <cstdint>
#include <span>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Replaces block-local labels by final ids: output = ids_of_labels[label], everywhere.
///
/// Shapes: both views have one shape, with contiguous rows (stride x = 1). ids_of_labels[0] is what
/// background becomes. Instantiated for Id = uint8, uint16, uint32, uint64. Output may be the array of
/// `labels` where Id is uint32. Errors: kInternal where a label lies beyond the table, naming it; the output
/// is then partly written.
template <class Id>
void relabel(ArrayView<const std::uint32_t> labels, std::span<const Id> ids_of_labels, ArrayView<Id> output);

}  // namespace organon::voxel
