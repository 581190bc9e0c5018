#pragma once

#include <string>

#include "organon/base/json.h"

namespace organon::storage {

/// The attributes of a group or dataset of N5 or Zarr, those of its format included; an empty object where
/// there are none. Errors: kCorruptData where they are no JSON.
Json attributes_at(const std::string& address);

}  // namespace organon::storage
