#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// As open_dataset() and create_dataset(), for Zarr 3. `address` is used in messages only.
std::shared_ptr<Dataset> open_zarr3(const std::string& address, const Place& place,
                                    std::optional<std::int64_t> channel = std::nullopt);
std::shared_ptr<Dataset> create_zarr3(const std::string& address, const Place& place,
                                      const DatasetSpec& spec);

bool is_zarr3_dataset(const Place& place);
/// True for a group or array.
bool is_zarr3_node(const Place& place);
/// The attributes of a group or array; nothing where there is none.
std::optional<Json> read_zarr3_attributes(const Place& folder);
/// Changes the attributes of a group, which is made where it is missing, under its lock.
void change_zarr3_group_attributes(const Place& folder, const std::function<void(Json& attributes)>& change);

}  // namespace organon::storage
