#pragma once

#include <string_view>

#include "organon/base/json.h"
#include "organon/storage/dataset_spec.h"

namespace organon::storage {

// What formats say of codecs in their metadata.

/// The level; -1 (the default) where it is missing or no level of this codec: it only steers writing.
int level_of(const Json* level, Codec codec);

/// The `cname` of blosc; zstd where it is missing. Errors: kUnsupported for a name that blosc does not have.
BloscInner blosc_inner_of(const Json* cname, std::string_view where);

}  // namespace organon::storage
