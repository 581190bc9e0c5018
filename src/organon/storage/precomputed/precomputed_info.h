#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/base/json.h"
#include "organon/storage/dataset_spec.h"
#include "organon/storage/precomputed/volume_shards.h"

namespace organon::storage {

/// One scale of an `info` file.
struct PrecomputedScale {
  std::string key;  ///< its folder, relative to the info
  DatasetSpec spec;
  Index3 voxel_offset;                 ///< part of the names of chunk files
  Shape3 segmentation_block{8, 8, 8};  ///< of compressed_segmentation
  /// Where its shards are boxes, they are the spec's; else chunks count as stored alone, to be read only.
  std::optional<VolumeSharding> sharding;
};

/// All scales, in the order of the file. Precomputed lists axes x first; the specs are zyx.
///
/// The format gives corners: voxel i of an axis covers [(voxel_offset + i) * resolution, ... + resolution)
/// nm, so its centre, which organon's grid means, lies half a voxel further. `voxel_offset` is whole; where
/// organon's own offset is not on a corner lattice, the scale carries `organon: {offset_nm}` (centre, x
/// first), which counts as long as it lies within one voxel of what voxel_offset says. Errors: kCorruptData;
/// kUnsupported for encodings that organon lacks, by name.
std::vector<PrecomputedScale> parse_precomputed_info(std::string_view text, std::string_view where);
/// One scale of it. Requires: `info` was parsed. Errors: as above; the type of volume and channels are
/// checked too.
PrecomputedScale precomputed_scale_of(const Json& info, const Json& scale, std::string_view where);

/// The entry of `scales`.
Json precomputed_scale_entry(const PrecomputedScale& scale);
/// An info without scales.
Json precomputed_info_of(const DatasetSpec& spec);

/// The whole offset nearest to the lower corner of voxel 0; a corner half-way counts up, so that all levels
/// of a pyramid whose s0 has its first *centre* at 0 start at 0.
Index3 voxel_offset_of(const VoxelGrid& grid);
/// True where the offset is at most 2^40 voxels.
bool has_voxel_offset(const VoxelGrid& grid);

}  // namespace organon::storage
