#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/storage/images/image_info.h"
#include "organon/storage/images/slice_list.h"

namespace organon::storage {

/// Header of a PNG or TIFF file. Errors: those of png_info() and TiffFile; kUnsupported for another kind of
/// file.
ImageInfo read_slice_info(const std::filesystem::path& path);

/// All of a PNG or TIFF file, shape (pages, y, x). Errors: those of decode_png() and TiffFile.
AnyArray read_slice(const std::filesystem::path& path);

/// A volume that lies in image files: a folder of slices, or one multi-page TIFF.
struct SliceStack {
  struct File {
    std::filesystem::path path;
    std::int64_t first_slice = 0;
    std::int64_t num_slices = 1;
  };
  std::string address;      ///< as given
  std::vector<File> files;  ///< in z order
  Shape3 shape;
  DataType type = DataType::kUint8;
};

/// Lists the files and reads every header, so that a volume that cannot be read whole is refused before any
/// work. Errors: those of list_slices() and read_slice_info(); kInvalidArgument where a slice differs in size
/// or type from the first one, naming both.
SliceStack open_slice_stack(const std::filesystem::path& folder_or_file, SliceGaps gaps = SliceGaps::kRefuse);

/// Slices `z_begin .. z_end`: shape (z_end - z_begin, y, x). Memory: the result and one slice.
/// Errors: those of read_slice(); kCorruptData where a file changed since the stack was opened.
AnyArray read_slab(const SliceStack& stack, std::int64_t z_begin, std::int64_t z_end);

}  // namespace organon::storage
