#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "organon/storage/dataset.h"

namespace organon::storage {

/// As open_dataset() and create_dataset(), for one scale of a Neuroglancer precomputed volume: `place` is the
/// folder of the `info` followed by the scale's key; opening also takes the folder alone where it has a
/// single scale. Free attributes (`type`, `mesh`, `segment_properties`, ...) lie in the info and are shared
/// by all scales.
std::shared_ptr<Dataset> open_precomputed(const std::string& address, const Place& place,
                                          std::optional<std::int64_t> channel = std::nullopt);
/// A create beside existing scales adds one; scales are kept in the order of their voxel volume, finest
/// first.
/// Takes the scale at `place` out of the info, before its folder is removed; nothing where it has none.
void forget_precomputed_scale(const Place& place);
std::shared_ptr<Dataset> create_precomputed(const std::string& address, const Place& place,
                                            const DatasetSpec& spec);

/// True where `place` is a volume's folder or one of its scales.
bool is_precomputed(const Place& place);
/// Keys of the scales, finest first, of the volume in `folder`; nothing where there is no info of a volume.
std::optional<std::vector<std::string>> precomputed_keys(const Place& folder);

}  // namespace organon::storage
