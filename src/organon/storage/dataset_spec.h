#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "organon/array/data_type.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::storage {

enum class Format { kN5, kZarr2, kPrecomputed };
enum class Codec { kRaw, kGzip, kZstd, kBlosc, kCompressedSegmentation };

std::string_view to_string(Format format);
std::string_view to_string(Codec codec);

/// All that a reader must know of a dataset: one plain struct for every format, everything in zyx.
struct DatasetSpec {
  Shape3 shape{};                  ///< voxels
  Shape3 chunk_shape{64, 64, 64};  ///< voxels of one stored unit
  DataType data_type = DataType::kUint8;
  Codec codec = Codec::kGzip;
  int level = -1;  ///< of compression; -1: the codec's default here
  std::uint64_t fill_value = 0;  ///< of missing chunks, as an unsigned integer; floats: only 0
  VoxelGrid grid;

  Box domain() const { return Box::of_shape(shape); }
};

}  // namespace organon::storage
