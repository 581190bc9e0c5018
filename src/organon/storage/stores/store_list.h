#pragma once

#include <memory>
#include <string>

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// The store that `name` stands for: empty for the files of this machine, else a scheme with its authority
/// ("s3://bucket", "https://host"). One for each name in a process. Errors: kUnsupported for other schemes.
std::shared_ptr<Store> open_store(const std::string& name);

/// "s3", "https", ...
std::vector<std::string> store_schemes();
bool is_store_scheme(const std::string& scheme);

}  // namespace organon::storage
