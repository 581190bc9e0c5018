#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "organon/storage/volumes/volume_source.h"

namespace organon::storage {

/// Voxels that lie in a file one after another, x fastest, as a header describes them: all that MRC, NIfTI,
/// NRRD and MetaImage say, once their headers are understood. Those are parsed by pure functions from bytes
/// to this.
struct RawLayout {
  VolumeInfo info;
  /// Name of the file with the voxels, in the header's folder; empty: they follow in the header's own file.
  std::string data_file;
  /// Where in that file the voxels, or their compressed stream, begin. Nothing: voxels are the file's last
  /// bytes.
  std::optional<std::uint64_t> begin_bytes = 0;
  std::uint64_t skip_bytes = 0;  ///< decoded bytes before the first voxel
  bool is_deflated = false;      ///< from begin_bytes on: gzip or zlib
  bool is_big_endian = false;
};

/// Parses the first bytes of a file; those that follow are missing where it has more than were asked for.
/// `where` is for messages. Errors: kCorruptData, kUnsupported, kResourceExhausted.
using HeaderParser = std::function<RawLayout(std::span<const std::byte> bytes, std::string_view where)>;

/// Opens the volume that the header of `path` describes. `max_header_bytes` of it are parsed. Where the whole
/// file is gzip, header and voxels are read inflated. Errors: those of the parser; kNotFound; kCorruptData
/// where the file cannot hold the voxels.
std::unique_ptr<VolumeSource> open_raw_volume(const std::filesystem::path& path, const HeaderParser& parser,
                                              std::size_t max_header_bytes);

/// Bytes of all voxels. Requires: check_volume_shape() passed.
std::uint64_t voxel_bytes(const VolumeInfo& info);

}  // namespace organon::storage
