#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// As open_dataset() and create_dataset(), for N5. `address` is used in messages only.
std::shared_ptr<Dataset> open_n5(const std::string& address, const std::filesystem::path& path);
std::shared_ptr<Dataset> create_n5(const std::string& address, const std::filesystem::path& path,
                                   const DatasetSpec& spec);

/// The attributes.json of a group or dataset as it is; nothing where there is none.
std::optional<Json> read_n5_attributes(const std::filesystem::path& folder);
/// Sets keys of a group; null removes.
void set_n5_group_attributes(const std::filesystem::path& folder, const Json& keys_and_values);

}  // namespace organon::storage
