#pragma once

#include <filesystem>

#include "organon/stages/evaluation/scored_volumes.h"

namespace organon::stages {

/// Largest width and height of the part of a slice that is shown.
inline constexpr std::int64_t kMaxPictureVoxels = 1536;

/// Writes a PNG of slice `z` of the region: raw (from options().raw, black without) with outlines of truth
/// (green), of the segmentation (magenta), of both (white); voxels that do not count are darkened. Larger
/// slices show a part around the truth's middle, small ones are enlarged by a whole factor.
void write_score_picture(const ScoredVolumes& volumes, std::int64_t z, const std::filesystem::path& path);

}  // namespace organon::stages
