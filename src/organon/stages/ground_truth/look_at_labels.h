#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "organon/geometry/box.h"
#include "organon/storage/dataset.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {

/// How often each id occurs in a box of labels.
struct LabelCounts {
  std::map<std::uint64_t, std::int64_t> voxels;  ///< by id, 0 included
  std::int64_t fullest_z = 0;                    ///< the slice with most different ids, then the fullest
};

/// Slab by slab. Errors: kInvalidArgument for labels that are no whole numbers; those of Dataset::read().
LabelCounts count_labels(const storage::Dataset& labels, const Box& box);

/// Writes a PNG of slice `z` of a box of labels: raw (black without an address) with each id in its colour,
/// half transparent; ids without one show raw alone. Slices of more than 1536 voxels
/// across are drawn every n-th voxel, small ones enlarged.
void write_label_picture(const storage::Dataset& labels, const Box& box, std::int64_t z,
                         const std::string& raw, const std::map<std::uint64_t, storage::Rgb8>& colors,
                         const std::filesystem::path& path);

}  // namespace organon::stages
