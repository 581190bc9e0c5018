#include "organon/storage/volumes/volume_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/images/image_info.h"
#include "organon/storage/json_fields.h"
#include "organon/storage/volumes/hdf5_volume.h"
#include "organon/storage/volumes/header_text.h"
#include "organon/storage/volumes/metaimage_header.h"
#include "organon/storage/volumes/mrc_header.h"
#include "organon/storage/volumes/nifti_header.h"
#include "organon/storage/volumes/nrrd_header.h"
#include "organon/storage/volumes/raw_volume.h"
#include "organon/storage/volumes/slice_volume.h"

namespace organon::storage {
namespace {

// One line per format: the one place where they are told apart.
struct VolumeFormat {
  const char* name;
  std::vector<std::string_view> extensions;
  const char* example;
  std::unique_ptr<VolumeSource> (*open)(const std::filesystem::path& file, const std::string& dataset);
};

template <RawLayout (*kParse)(std::span<const std::byte>, std::string_view), std::size_t kMaxHeaderBytes>
std::unique_ptr<VolumeSource> open_raw(const std::filesystem::path& file, const std::string&) {
  return open_raw_volume(file, kParse, kMaxHeaderBytes);
}

const std::vector<VolumeFormat>& formats() {
  static const std::vector<VolumeFormat> all = {
      {"TIFF or BigTIFF, one page a slice",
       {".tif", ".tiff"},
       "stack.tif",
       [](const std::filesystem::path& file, const std::string&) {
         return open_slice_volume(file, SliceGaps::kRefuse);
       }},
      {"MRC",
       {".mrc", ".mrc.gz", ".mrcs", ".map", ".rec", ".st", ".ali", ".ccp4"},
       "tomogram.mrc",
       open_raw<parse_mrc_header, kMrcHeaderBytes>},
      {"HDF5, with the path of a dataset",
       {".h5", ".hdf5", ".hdf", ".he5", ".ilp"},
       "crop.h5:/volumes/raw",
       open_hdf5_volume},
      {"NIfTI-1 and 2", {".nii", ".nii.gz"}, "scan.nii.gz", open_raw<parse_nifti_header, kNiftiHeaderBytes>},
      {"NRRD", {".nrrd", ".nhdr"}, "cell.nrrd", open_raw<parse_nrrd_header, kMaxNrrdHeaderBytes>},
      {"MetaImage", {".mha", ".mhd"}, "cell.mha", open_raw<parse_metaimage_header, kMaxMetaImageHeaderBytes>},
  };
  return all;
}

struct ParsedAddress {
  std::filesystem::path file;
  std::string dataset;
};

// A colon parts the file from a dataset in it, unless the file's own name holds it.
ParsedAddress parse_volume_address(const std::string& address) {
  std::error_code ignored;
  if (std::filesystem::exists(address, ignored)) return {address, ""};
  for (const char* const extension : {".h5:", ".hdf5:", ".hdf:", ".he5:", ".ilp:"}) {
    const std::size_t found = lower_case(address).find(extension);
    if (found == std::string::npos) continue;
    const std::size_t colon = address.find(':', found);
    return {address.substr(0, colon), address.substr(colon + 1)};
  }
  return {address, ""};
}

const VolumeFormat* format_of(const std::filesystem::path& file) {
  const std::string name = lower_case(file.filename().string());
  for (const VolumeFormat& format : formats())
    for (const std::string_view extension : format.extensions)
      if (name.ends_with(extension)) return &format;
  return nullptr;
}

}  // namespace

AnyArray VolumeSource::read_slices(std::int64_t z_begin, std::int64_t z_end) {
  ORGANON_CHECK(z_begin >= 0 && z_begin <= z_end && z_end <= info_.shape.z);
  AnyArray slab(info_.type, {z_end - z_begin, info_.shape.y, info_.shape.x});
  if (z_begin < z_end) read(z_begin, slab);
  return slab;
}

std::string volume_formats_help() {
  std::string text = fmt::format("  {:<38}{}\n", "a folder of PNG or TIFF slices", "slices/");
  for (const VolumeFormat& format : formats())
    text +=
        fmt::format("  {:<38}{:<22}({})\n", format.name, format.example, fmt::join(format.extensions, " "));
  return text;
}

std::filesystem::path volume_path(const std::string& address) { return parse_volume_address(address).file; }

bool is_volume_file_name(const std::string& address) {
  return format_of(parse_volume_address(address).file) != nullptr;
}

std::vector<std::filesystem::path> volume_files(const std::filesystem::path& file) {
  std::vector<std::filesystem::path> files = {file};
  const std::string extension = lower_case(file.extension().string());
  if (extension == ".nhdr" || extension == ".mhd") {
    // Opened only to learn the name, which is known when the header is parsed.
    const auto remember = [&](const auto& parse) {
      return [&files, &file, parse](std::span<const std::byte> bytes, std::string_view where) {
        RawLayout layout = parse(bytes, where);
        if (!layout.data_file.empty()) files.push_back(file.parent_path() / layout.data_file);
        return layout;
      };
    };
    if (extension == ".nhdr")
      open_raw_volume(file, remember(parse_nrrd_header), kMaxNrrdHeaderBytes);
    else
      open_raw_volume(file, remember(parse_metaimage_header), kMaxMetaImageHeaderBytes);
  }
  return files;
}

std::unique_ptr<VolumeSource> open_volume(const std::string& address, SliceGaps gaps) {
  const ParsedAddress parsed = parse_volume_address(address);
  if (std::filesystem::is_directory(parsed.file)) return open_slice_volume(parsed.file, gaps);
  if (!std::filesystem::exists(parsed.file))
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file or folder", parsed.file.string()));
  const VolumeFormat* const format = format_of(parsed.file);
  if (format == nullptr) {
    std::string extensions;
    for (const VolumeFormat& known : formats())
      extensions += fmt::format("{}{}", extensions.empty() ? "" : " ", fmt::join(known.extensions, " "));
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: expected a folder of slices or a file of {}", address, extensions));
  }
  return format->open(parsed.file, parsed.dataset);
}

KnownGrid known_grid(const StatedGrid& stated, std::string_view unit) {
  KnownGrid known;
  std::optional<double> nm = stated.nm_per_unit;
  if (!nm && !unit.empty()) nm = nm_per_unit(unit, "option length_unit");
  if (!stated.voxel_size) {
    known.missing = "does not state its voxel size";
  } else if (!nm) {
    known.missing =
        fmt::format("states voxels of {:g}, {:g}, {:g} (z, y, x; {}) without a unit", stated.voxel_size->z,
                    stated.voxel_size->y, stated.voxel_size->x, stated.source);
  }
  if (!nm) return known;
  if (stated.voxel_size) known.voxel_size_nm = SizeNm(*stated.voxel_size * *nm);
  if (stated.offset) known.offset_nm = PointNm(*stated.offset * *nm);
  return known;
}

void check_volume_shape(const Shape3& shape, DataType type, std::string_view where) {
  constexpr std::int64_t kLargestExtent = 0x7fffffff;
  for (const std::int64_t extent : {shape.z, shape.y, shape.x}) {
    if (extent >= 1 && extent <= kLargestExtent) continue;
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: a volume of {} x {} x {} voxels (z, y, x)", where,
                                                     shape.z, shape.y, shape.x));
  }
  const std::int64_t slice_voxels = shape.y * shape.x;
  const auto voxel = static_cast<std::int64_t>(size_of(type));
  if (slice_voxels > kMaxSliceBytes / voxel) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: slices of {} x {} pixels (x, y); a slice may have {} bytes", where, shape.x,
                            shape.y, kMaxSliceBytes));
  }
  if (shape.z > (std::int64_t{1} << 62) / voxel / slice_voxels) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: a volume of {} x {} x {} voxels (z, y, x)", where,
                                                     shape.z, shape.y, shape.x));
  }
}

}  // namespace organon::storage
