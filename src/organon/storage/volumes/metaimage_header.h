#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "organon/storage/volumes/raw_volume.h"

namespace organon::storage {

inline constexpr std::size_t kMaxMetaImageHeaderBytes = 1 << 20;

/// The header of a MetaImage file (.mha with its voxels, .mhd with those of another file), as ITK writes it.
/// Three axes, one binary value a voxel, compressed by zlib or not. Voxel size: ElementSpacing, which has no
/// unit (programs of medicine mean mm). Offset: Offset, Position or Origin where TransformMatrix neither
/// turns nor mirrors. Errors: kCorruptData; kUnsupported naming the type, the number of axes or of values,
/// several data files. Source: ITK's wiki, "MetaIO/Documentation".
RawLayout parse_metaimage_header(std::span<const std::byte> bytes, std::string_view where);

}  // namespace organon::storage
