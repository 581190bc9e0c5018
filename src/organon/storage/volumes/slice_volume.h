#pragma once

#include <filesystem>
#include <memory>

#include "organon/storage/volumes/volume_source.h"

namespace organon::storage {

/// A folder of PNG or TIFF slices, or one multi-page TIFF. The grid is what the first TIFF's description says
/// (tiff_description.h). Memory besides a slab: a slice and its file. Errors: those of open_slice_stack().
std::unique_ptr<VolumeSource> open_slice_volume(const std::filesystem::path& folder_or_file, SliceGaps gaps);

}  // namespace organon::storage
