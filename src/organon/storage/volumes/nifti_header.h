#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "organon/storage/volumes/raw_volume.h"

namespace organon::storage {

/// Enough for both versions.
inline constexpr std::size_t kNiftiHeaderBytes = 540;

/// The header of a NIfTI-1 or NIfTI-2 file (.nii), in either byte order. The ten whole and real types of one
/// value a voxel; three axes (further ones of extent 1). Voxel size: pixdim in the units of xyzt_units.
/// Offset: the sform's, or the qform's, where it neither turns nor mirrors; else none.
/// Errors: kCorruptData; kUnsupported naming the type, the number of axes, values that are to be scaled, a
/// pair of .hdr and .img. Source: [cox2004nifti], nifti1.h and nifti2.h.
RawLayout parse_nifti_header(std::span<const std::byte> bytes, std::string_view where);

}  // namespace organon::storage
