#pragma once

#include "organon/array/any_array.h"
#include "organon/storage/channels.h"

namespace organon::storage {

/// `count` channels from `first` on, each clipped to `shape`, of a stack of blocks of `stored_shape`.
/// `stored` itself where that is all of it.
AnyArray take_channels(AnyArray stored, const Shape3& stored_shape, std::int64_t first, std::int64_t count,
                       const Shape3& shape);

}  // namespace organon::storage
