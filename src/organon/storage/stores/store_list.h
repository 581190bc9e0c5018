#pragma once

#include <string>
#include <vector>

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// A location in two: "s3://bucket/a/b" is the store "s3://bucket" and the key "a/b"; what has no scheme is a
/// path, in the store "".
struct StoreAddress {
  std::string store;
  std::string key;
};

/// Of web addresses the key is decoded ("a%20b" is "a b"). Errors: kInvalidArgument for a web address with a
/// query or fragment.
StoreAddress split_location(const std::string& location);

/// "memory", "http", "https", "s3", "gs".
std::vector<std::string> store_schemes();

/// Of the one list of stores: "" (files), "memory://name" (one per name in this process), "http://host",
/// "https://host", "s3://bucket" (with the settings of find_aws_settings()), "gs://bucket" (read only, by
/// https). Errors: kUnsupported for other schemes; those of the store.
std::shared_ptr<Store> open_store(const std::string& scheme_and_authority);

/// Both at once.
Place open_place(const std::string& location);

}  // namespace organon::storage
