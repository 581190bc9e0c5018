#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/storage/precomputed/volume_shards.h"

namespace organon::storage {

// What skeletons and annotations share: values under 64-bit ids, each in a file of its own or many in shards.

using ValuesById = std::map<std::uint64_t, std::vector<std::byte>>;
/// Contents of files by their path below a folder.
using FilesByName = std::map<std::string, std::vector<std::byte>>;

/// Shards for so many values of so many bytes in all, under ids without order (segments, annotations):
/// hashed, about 1024 values a minishard, shards of about 1 GiB or 2^19 values.
VolumeSharding sharding_of_ids(std::uint64_t num_values, std::uint64_t num_bytes);

/// The files of `values`: "<id>" in decimal, or shards. Memory: a second copy of the values.
FilesByName files_of_values(const ValuesById& values, const std::optional<VolumeSharding>& sharding);

}  // namespace organon::storage
