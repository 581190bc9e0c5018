#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/storage/images/slice_list.h"

namespace organon::storage {

/// Three lengths in a unit that is told beside them.
using Lengths = Vec3<double, struct LengthsTag>;

/// What a file says of the place of its voxels. Programs often state numbers without a unit.
struct StatedGrid {
  std::optional<Lengths> voxel_size;
  std::optional<Lengths> offset;      ///< centre of the first voxel
  std::optional<double> nm_per_unit;  ///< nothing where the file names no unit
  std::string source;                 ///< what says so, for messages: "the cell dimensions of its header"
};

/// All that an importer must know of a volume in foreign files.
struct VolumeInfo {
  std::string format;  ///< "MRC", "HDF5", "png slices", ...
  Shape3 shape;
  DataType type = DataType::kUint8;
  StatedGrid stated;
  /// Slices come fast only in ascending order: the file is one compressed stream, and going back starts anew.
  bool is_sequential = false;
  std::int64_t working_bytes = 0;  ///< memory that reading takes besides its result
  std::int64_t num_files = 1;
  std::int64_t file_bytes = 0;
};

/// An opened volume in files that other programs wrote, read in slabs of whole slices: a folder of images, or
/// one file. Voxels come as they are stored, in zyx, x fastest; flips and rotations that a header describes
/// are not applied. Not to be used by two threads at once.
class VolumeSource {
 public:
  virtual ~VolumeSource() = default;
  const VolumeInfo& info() const { return info_; }
  /// Slices `z_begin .. z_end`: shape (z_end - z_begin, y, x). Memory: the result and info().working_bytes.
  /// Errors: kCorruptData naming file and reason; kIo.
  AnyArray read_slices(std::int64_t z_begin, std::int64_t z_end);

 protected:
  explicit VolumeSource(VolumeInfo info) : info_(std::move(info)) {}
  /// Fills `slab` with its slices from `z_begin` on.
  virtual void read(std::int64_t z_begin, AnyArray& slab) = 0;

 private:
  VolumeInfo info_;
};

/// Formats that open_volume() reads, one line each with an example address: for --help.
std::string volume_formats_help();

/// The file or folder of a volume's address. Addresses are paths; of HDF5 the dataset may follow the file
/// after a colon: `crop.h5:/volumes/raw`.
std::filesystem::path volume_path(const std::string& address);

/// Whether the address ends like a file that open_volume() reads; for folders false.
bool is_volume_file_name(const std::string& address);

/// The file, and the one with its voxels where its header names another. Errors: as open_volume().
std::vector<std::filesystem::path> volume_files(const std::filesystem::path& file);

/// Opens a folder of PNG or TIFF slices, or a file: TIFF, MRC, HDF5, NIfTI, NRRD, MetaImage, told apart by
/// their names. `gaps` is for folders. The header is read and held against the size of the file.
/// Errors: kNotFound; kCorruptData naming file and reason; kUnsupported naming what is not understood.
std::unique_ptr<VolumeSource> open_volume(const std::string& address, SliceGaps gaps = SliceGaps::kRefuse);

/// Where a file lies in space, as far as it says so in nm. `unit` names the unit of lengths that the file
/// states without one; empty: not known. Errors: kInvalidArgument for an unknown unit.
struct KnownGrid {
  std::optional<SizeNm> voxel_size_nm;
  std::optional<PointNm> offset_nm;
  std::string missing;  ///< why there is no voxel size, for a message
};
KnownGrid known_grid(const StatedGrid& stated, std::string_view unit);

/// Requires nothing of what a header says. Errors: kCorruptData where an extent is not positive or the volume
/// has more than 2^62 bytes; kResourceExhausted where a slice has more than kMaxSliceBytes.
void check_volume_shape(const Shape3& shape, DataType type, std::string_view where);

}  // namespace organon::storage
