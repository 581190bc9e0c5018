#pragma once

#include <optional>

#include "organon/base/json.h"
#include "organon/storage/stores/store.h"

namespace organon::storage {

/// The JSON object kept at `place`; nothing where there is none. Errors: kCorruptData; those of
/// Store::read().
std::optional<Json> read_json_object(const Place& place);
void write_json(const Place& place, const Json& json);

}  // namespace organon::storage
