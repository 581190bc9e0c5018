#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/volumes/volume_writer.h"

namespace organon::storage {
namespace {

// The names of NRRD are those of C.
std::string_view nrrd_type(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return "float";
    case DataType::kFloat64:
      return "double";
    default:
      return to_string(type);  // uint8, ...
  }
}

std::string header_of(const VolumeToWrite& volume) {
  const SizeNm& size = volume.grid.voxel_size_nm;
  const PointNm& offset = volume.grid.offset_nm;
  std::string text = fmt::format(
      "NRRD0004\n# Complete NRRD file format specification at:\n# "
      "http://teem.sourceforge.net/nrrd/format.html\n"
      "type: {}\ndimension: 3\nspace dimension: 3\nsizes: {} {} {}\n",
      nrrd_type(volume.type), volume.shape.x, volume.shape.y, volume.shape.z);
  text += fmt::format("space directions: ({},0,0) (0,{},0) (0,0,{})\n", size.x, size.y, size.z);
  text += "kinds: domain domain domain\n";
  if (size_of(volume.type) > 1) text += "endian: little\n";
  text += fmt::format("encoding: {}\nspace units: \"nm\" \"nm\" \"nm\"\nspace origin: ({},{},{})\n\n",
                      volume.is_compressed ? "gzip" : "raw", offset.x, offset.y, offset.z);
  return text;
}

// One gzip stream, as some readers stop at the end of the first.
class GzipSink {
 public:
  explicit GzipSink(ByteSink sink) : sink_(std::move(sink)), output_(kOutputBytes) {
    constexpr int kFast = 1;
    constexpr int kGzip = 16;
    constexpr int kMemory = 8;
    if (::deflateInit2(&stream_, kFast, Z_DEFLATED, MAX_WBITS + kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  GzipSink(const GzipSink&) = delete;
  GzipSink& operator=(const GzipSink&) = delete;
  ~GzipSink() { ::deflateEnd(&stream_); }

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t kMostInput = 1 << 30;  // zlib counts in 32 bits
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), kMostInput);
      deflate(bytes.first(count), Z_NO_FLUSH);
      bytes = bytes.subspan(count);
    }
  }
  void finish() { deflate({}, Z_FINISH); }

 private:
  static constexpr std::size_t kOutputBytes = 256 << 10;

  void deflate(std::span<const std::byte> bytes, int flush) {
    // zlib reads through a pointer that lacks const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
      stream_.avail_out = static_cast<uInt>(output_.size());
      const int code = ::deflate(&stream_, flush);
      ORGANON_CHECK(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
      const std::size_t produced = output_.size() - stream_.avail_out;
      if (produced > 0) sink_(std::span<const std::byte>(output_).first(produced));
    } while (stream_.avail_out == 0);
  }

  ByteSink sink_;
  std::vector<std::byte> output_;
  z_stream stream_ = {};
};

class NrrdWriter : public VolumeWriter {
 public:
  NrrdWriter(const VolumeToWrite& volume, ByteSink sink) : sink_(std::move(sink)) {
    const std::string header = header_of(volume);
    sink_(std::as_bytes(std::span(header)));
    if (volume.is_compressed) gzip_ = std::make_unique<GzipSink>(sink_);
  }
  void add_slices(const AnyArray& slab) override { gzip_ ? gzip_->write(slab.bytes()) : sink_(slab.bytes()); }
  void finish() override {
    if (gzip_) gzip_->finish();
  }

 private:
  ByteSink sink_;
  std::unique_ptr<GzipSink> gzip_;
};

}  // namespace

std::unique_ptr<VolumeWriter> make_nrrd_writer(const VolumeToWrite& volume, ByteSink sink) {
  return std::make_unique<NrrdWriter>(volume, std::move(sink));
}

}  // namespace organon::storage
