#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// As open_dataset() and create_dataset(), for Zarr 2. `address` is used in messages only.
std::shared_ptr<Dataset> open_zarr(const std::string& address, const std::filesystem::path& path);
std::shared_ptr<Dataset> create_zarr(const std::string& address, const std::filesystem::path& path,
                                     const DatasetSpec& spec);

bool is_zarr_dataset(const std::filesystem::path& path);
/// The .zattrs of a group or array; nothing where there is none.
std::optional<Json> read_zarr_attributes(const std::filesystem::path& folder);
/// Sets keys of a group, which is made where it is missing; null removes.
void set_zarr_group_attributes(const std::filesystem::path& folder, const Json& keys_and_values);

}  // namespace organon::storage
