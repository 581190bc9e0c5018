#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "organon/storage/volumes/raw_volume.h"

namespace organon::storage {

/// As long as a header of three axes may be.
inline constexpr std::size_t kMaxNrrdHeaderBytes = 1 << 20;

/// The header of a NRRD file (.nrrd, or .nhdr with `data file`). Three axes; encodings raw and gzip; the ten
/// whole and real types. Voxel size: lengths of `space directions` in `space units`, else `spacings` in
/// `units`. Offset: `space origin` where the directions neither turn nor mirror.
/// Errors: kCorruptData; kUnsupported naming the encoding, the type, the number of axes, several data files.
/// Source: [kindlmann2002nrrd], "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.
RawLayout parse_nrrd_header(std::span<const std::byte> bytes, std::string_view where);

}  // namespace organon::storage
