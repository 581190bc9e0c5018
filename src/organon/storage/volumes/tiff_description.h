#pragma once

#include <string>

#include "organon/geometry/voxel_grid.h"
#include "organon/storage/images/tiff_codec.h"
#include "organon/storage/volumes/volume_source.h"

namespace organon::storage {

/// The grid that a TIFF's description and resolution tags state together: ImageJ's (unit, spacing, pixels per
/// unit), OME's (PhysicalSizeX ...), organon's own lines. Resolution tags alone are mostly those of a screen
/// or printer and say nothing. Descriptions are free text: what is not understood is passed over.
/// Source: ImageJ's FileInfo and TiffDecoder, the OME data model 2016-06.
StatedGrid parse_tiff_description(const TiffTags& tags);

/// What organon writes, for ImageJ and for itself: inverse of parse_tiff_description() with
/// 1 / voxel_size_nm pixels per unit.
std::string tiff_description(const VoxelGrid& grid, std::int64_t num_pages);

}  // namespace organon::storage
