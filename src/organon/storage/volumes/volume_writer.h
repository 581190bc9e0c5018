#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::storage {

/// What a file that is written holds: all that is known before its first voxel.
struct VolumeToWrite {
  Shape3 shape;
  DataType type = DataType::kUint8;
  VoxelGrid grid;
  bool is_compressed = true;  ///< deflate
};

/// Where a writer puts bytes, one after another.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Writes one file of a volume in one pass: no place is written twice, and memory stays at what is given in
/// one call and a slice.
class VolumeWriter {
 public:
  virtual ~VolumeWriter() = default;
  /// The next slices, in z order: of the volume's type and of its extent along y and x.
  virtual void add_slices(const AnyArray& slab) = 0;
  /// Requires: all slices were added.
  virtual void finish() = 0;
};

/// NRRD 4 with voxels raw or as one gzip stream, little-endian; `space directions` and `space origin` in nm.
/// Errors: those of `sink`.
std::unique_ptr<VolumeWriter> make_nrrd_writer(const VolumeToWrite& volume, ByteSink sink);

/// BigTIFF, one page a slice, in strips of about 1 MiB, plain or deflate; the voxel size as ImageJ reads it
/// and, with the offset, in lines of organon (tiff_description.h). Source: [adobe1992tiff], the BigTIFF
/// design of libtiff. Errors: those of `sink`.
std::unique_ptr<VolumeWriter> make_bigtiff_writer(const VolumeToWrite& volume, ByteSink sink);

/// One slice, shape (1, y, x), as a classic TIFF file, written as the pages of a BigTIFF. `grid` is the
/// volume's; its offset that of this slice. Errors: kUnsupported where it would have more than 4 GB.
std::vector<std::byte> encode_tiff_slice(const AnyArray& slice, const VoxelGrid& grid, bool is_compressed);

}  // namespace organon::storage
