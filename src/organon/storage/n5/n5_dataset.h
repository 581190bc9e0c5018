#pragma once

#include <memory>
#include <string>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// As open_dataset() and create_dataset(), for N5. `address` is used in messages only.
std::shared_ptr<Dataset> open_n5(const std::string& address, const Place& place,
                                 std::optional<std::int64_t> channel = std::nullopt);
std::shared_ptr<Dataset> create_n5(const std::string& address, const Place& place, const DatasetSpec& spec);

/// The attributes.json of a group or dataset as it is; nothing where there is none.
std::optional<Json> read_n5_attributes(const Place& folder);
/// Sets keys of a group; null removes.
void set_n5_group_attributes(const Place& folder, const Json& keys_and_values);

}  // namespace organon::storage
