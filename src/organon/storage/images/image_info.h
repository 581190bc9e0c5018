#pragma once

#include <cstdint>

#include "organon/array/data_type.h"
#include "organon/geometry/vec3.h"

namespace organon::storage {

/// What the header of an image file says: enough to plan an import.
struct ImageInfo {
  Shape3 shape;  ///< z: pages of the file; 1 but for multi-page TIFF
  DataType type = DataType::kUint8;

  friend bool operator==(const ImageInfo&, const ImageInfo&) = default;
};

/// Images above this many bytes of one slice are refused: larger ones come as tiles or are damaged.
inline constexpr std::int64_t kMaxSliceBytes = std::int64_t{8} << 30;

}  // namespace organon::storage
