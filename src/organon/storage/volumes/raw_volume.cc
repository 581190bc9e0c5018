#include "organon/storage/volumes/raw_volume.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/volumes/byte_source.h"

namespace organon::storage {
namespace {

class RawVolume : public VolumeSource {
 public:
  RawVolume(const RawLayout& layout, std::unique_ptr<ByteSource> bytes)
      : VolumeSource(layout.info), layout_(layout), bytes_(std::move(bytes)) {}

 protected:
  void read(std::int64_t z_begin, AnyArray& slab) override {
    const std::size_t voxel = size_of(slab.type());
    const std::uint64_t slice_bytes = static_cast<std::uint64_t>(slab.shape().y * slab.shape().x) * voxel;
    bytes_->read(layout_.skip_bytes + static_cast<std::uint64_t>(z_begin) * slice_bytes, slab.bytes());
    if (z_begin + slab.shape().z == info().shape.z) bytes_->check_end();
    if (layout_.is_big_endian && voxel > 1) swap_byte_order(slab.bytes(), voxel);
  }

 private:
  RawLayout layout_;
  std::unique_ptr<ByteSource> bytes_;
};

// A header names a file beside itself; one that leads elsewhere is damaged or hostile.
std::filesystem::path data_path(const std::filesystem::path& header, const std::string& name) {
  const std::filesystem::path relative = name;
  bool leads_away = relative.is_absolute() || name.find('\0') != std::string::npos;
  for (const auto& part : relative) leads_away = leads_away || part == "..";
  if (leads_away) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: its data file '{}' lies outside of its folder", header.string(), name));
  }
  return header.parent_path() / relative;
}

std::uint64_t size_of_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) {
    throw Error(error == std::errc::no_such_file_or_directory ? ErrorKind::kNotFound : ErrorKind::kIo,
                fmt::format("{}: {}", path.string(), error.message()));
  }
  return size;
}

}  // namespace

std::uint64_t voxel_bytes(const VolumeInfo& info) {
  return static_cast<std::uint64_t>(info.shape.product()) * size_of(info.type);
}

std::unique_ptr<VolumeSource> open_raw_volume(const std::filesystem::path& path, const HeaderParser& parser,
                                              std::size_t max_header_bytes) {
  const bool is_gzip = is_gzip_file(path);
  std::vector<std::byte> header(max_header_bytes);
  header.resize((is_gzip ? open_inflated_bytes(path, 0) : open_stored_bytes(path, 0))->read_some(0, header));
  RawLayout layout = parser(header, path.string());
  check_volume_shape(layout.info.shape, layout.info.type, path.string());

  std::filesystem::path file = path;
  if (!layout.data_file.empty()) {
    file = data_path(path, layout.data_file);
    layout.info.num_files = 2;
  }
  if (is_gzip) {
    if (layout.is_deflated || !layout.data_file.empty() || !layout.begin_bytes) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: a gzip file around a header that has its voxels elsewhere or compressed",
                              path.string()));
    }
    layout.is_deflated = true;
    layout.skip_bytes += *layout.begin_bytes;
    layout.begin_bytes = 0;
  }
  const std::uint64_t file_bytes = size_of_file(file);
  const std::uint64_t needed = voxel_bytes(layout.info);
  const std::uint64_t begin =
      layout.begin_bytes.value_or(file_bytes < needed ? file_bytes : file_bytes - needed);
  const std::uint64_t ratio = layout.is_deflated ? kLargestDeflateRatio : 1;
  const std::uint64_t stored = begin <= file_bytes ? file_bytes - begin : 0;
  // Compared by division: file sizes times the ratio may overflow.
  if (layout.skip_bytes / ratio > stored ||
      (needed + ratio - 1) / ratio > stored - layout.skip_bytes / ratio) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: its {} bytes cannot hold {} x {} x {} voxels (z, y, x) of {}", file.string(),
                            file_bytes, layout.info.shape.z, layout.info.shape.y, layout.info.shape.x,
                            to_string(layout.info.type)));
  }
  layout.info.file_bytes = static_cast<std::int64_t>(file_bytes);
  layout.info.is_sequential = layout.is_deflated;
  layout.info.working_bytes = layout.is_deflated ? 2 << 20 : 0;
  return std::make_unique<RawVolume>(
      layout, layout.is_deflated ? open_inflated_bytes(file, begin) : open_stored_bytes(file, begin));
}

}  // namespace organon::storage
