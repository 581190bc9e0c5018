#include "organon/storage/images/png_codec.h"

#include <fmt/format.h>
#include <png.h>

#include <bit>
#include <csetjmp>
#include <cstring>
#include <new>
#include <string>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/storage/images/grey_pixels.h"

namespace organon::storage {
namespace {

// deflate cannot shrink by more: 258 bytes of a repeat take two bits at least.
constexpr std::int64_t kMaxDeflateRatio = 1032;
constexpr std::size_t kMaxAncillaryBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxMessageBytes = 160;

// libpng reports errors by longjmp, which must not cross objects with destructors. So all calls into it stand
// in functions of this class that hold none and return whether they succeeded.
class PngReader {
 public:
  explicit PngReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      throw Error(ErrorKind::kResourceExhausted, "no memory for reading a PNG");
    }
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, &on_read);
    png_set_user_limits(png_, 0x7fffffff, 0x7fffffff);
    png_set_chunk_malloc_max(png_, kMaxAncillaryBytes);
    png_set_chunk_cache_max(png_, 16);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_read_info(png_, info_);
    return true;
  }

  /// Colour becomes RGB, grey stays as it is, samples of less than a byte one byte each.
  bool start_rows() {
    if (setjmp(png_jmpbuf(png_))) return false;
    if (color_type() == PNG_COLOR_TYPE_PALETTE) {
      png_set_palette_to_rgb(png_);
      if (has_transparency()) png_set_tRNS_to_alpha(png_);
    }
    png_set_packing(png_);
    if (bit_depth() == 16) png_set_swap(png_);
    num_passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  /// Reads the rows `begin .. end` of one pass into `pixels`.
  bool read_rows(std::byte* pixels, std::size_t row_bytes, std::int64_t num_rows) {
    if (setjmp(png_jmpbuf(png_))) return false;
    for (std::int64_t row = 0; row < num_rows; ++row) {
      png_read_row(png_, reinterpret_cast<png_bytep>(pixels + static_cast<std::size_t>(row) * row_bytes),
                   nullptr);
    }
    return true;
  }

  /// Checks what follows the pixels, so that a file cut there does not pass for whole.
  bool read_end() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  std::int64_t width() const { return png_get_image_width(png_, info_); }
  std::int64_t height() const { return png_get_image_height(png_, info_); }
  int bit_depth() const { return png_get_bit_depth(png_, info_); }
  int color_type() const { return png_get_color_type(png_, info_); }
  int num_channels() const { return png_get_channels(png_, info_); }
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  int num_passes() const { return num_passes_; }
  bool has_transparency() const { return png_get_valid(png_, info_, PNG_INFO_tRNS) != 0; }
  const char* message() const { return message_; }

 private:
  static void on_read(png_structp png, png_bytep target, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->bytes_.size() - self->position_) png_error(png, "the file ends too early");
    std::memcpy(target, self->bytes_.data() + self->position_, count);
    self->position_ += count;
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, kMaxMessageBytes - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int num_passes_ = 1;
  char message_[kMaxMessageBytes] = {};
};

[[noreturn]] void fail(std::string_view where, std::string_view reason) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: damaged PNG: {}", where, reason));
}

void check_size(std::int64_t width, std::int64_t height, std::int64_t sample_bytes, std::string_view where) {
  // Four samples a pixel at most; divided, since the product could overflow.
  if (width > kMaxSliceBytes / (4 * sample_bytes) / height) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: PNG of {} x {} pixels; a slice may have {} bytes", where, width, height,
                            kMaxSliceBytes));
  }
}

ImageInfo checked_header(PngReader& reader, std::size_t file_bytes, std::string_view where) {
  if (!reader.read_header()) fail(where, reader.message());
  const std::int64_t width = reader.width();
  const std::int64_t height = reader.height();
  const std::int64_t sample_bytes = reader.bit_depth() == 16 ? 2 : 1;
  check_size(width, height, sample_bytes, where);
  const std::int64_t row_bits = width * reader.num_channels() * reader.bit_depth();
  if ((row_bits + 7) / 8 * height > static_cast<std::int64_t>(file_bytes) * kMaxDeflateRatio) {
    fail(where, fmt::format("its {} bytes cannot hold {} x {} pixels", file_bytes, width, height));
  }
  return {{1, height, width}, sample_bytes == 2 ? DataType::kUint16 : DataType::kUint8};
}

// Grey values, or as many channels as `wanted_channels` says.
template <class T>
AnyArray read_pixels(PngReader& reader, const ImageInfo& header, std::int64_t wanted_channels,
                     std::string_view where) {
  if (!reader.start_rows()) fail(where, reader.message());
  const int num_channels = reader.num_channels();
  const std::size_t row_bytes = reader.row_bytes();
  const std::int64_t height = header.shape.y;
  if (row_bytes != static_cast<std::size_t>(header.shape.x * num_channels) * sizeof(T))
    fail(where, "its rows have a wrong length");
  if (wanted_channels > 1 && wanted_channels != num_channels) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: a png of {} channels, expected {}", where, num_channels, wanted_channels));
  }
  AnyArray slice(header.type, {wanted_channels, header.shape.y, header.shape.x});
  T* target = slice.view<T>().data();
  const auto width = static_cast<std::size_t>(header.shape.x);
  const bool is_interlaced = reader.num_passes() > 1;
  // Rows of a plain grey image go where they belong; others pass through a buffer: one row, or all where
  // interlaced.
  const bool is_direct = num_channels == 1;
  const std::int64_t buffered_rows = is_direct ? 0 : is_interlaced ? height : 1;
  std::vector<std::byte> buffer(static_cast<std::size_t>(buffered_rows) * row_bytes);
  if (is_direct || is_interlaced) {
    std::byte* pixels = is_direct ? slice.bytes().data() : buffer.data();
    for (int pass = 0; pass < reader.num_passes(); ++pass) {
      if (!reader.read_rows(pixels, row_bytes, height)) fail(where, reader.message());
    }
  }
  for (std::int64_t y = 0; y < height && !is_direct; ++y) {
    if (!is_interlaced && !reader.read_rows(buffer.data(), row_bytes, 1)) fail(where, reader.message());
    const std::span row =
        std::span(buffer).subspan(is_interlaced ? static_cast<std::size_t>(y) * row_bytes : 0, row_bytes);
    T* const target_row = target + static_cast<std::size_t>(y) * width;
    if (wanted_channels == 1) {
      take_grey<T>(row, static_cast<std::size_t>(num_channels), {target_row, width}, where);
    } else {
      split_channels<T>(row, static_cast<std::size_t>(num_channels), width, target_row,
                        static_cast<std::size_t>(height) * width);
    }
  }
  if (!reader.read_end()) fail(where, reader.message());
  return slice;
}

struct PngWriter {
  std::vector<std::byte> bytes;
  char message[kMaxMessageBytes] = {};
};

void append(png_structp png, png_bytep data, std::size_t count) {
  auto* writer = static_cast<PngWriter*>(png_get_io_ptr(png));
  const auto* first = reinterpret_cast<const std::byte*>(data);
  bool is_stored = true;
  try {
    writer->bytes.insert(writer->bytes.end(), first, first + count);
  } catch (const std::bad_alloc&) {
    is_stored = false;  // an exception must not pass through libpng
  }
  if (!is_stored) png_error(png, "no memory");
}

[[noreturn]] void on_write_error(png_structp png, png_const_charp message) {
  std::strncpy(static_cast<PngWriter*>(png_get_error_ptr(png))->message, message, kMaxMessageBytes - 1);
  png_longjmp(png, 1);
}

// Rows start at `pixels`, `stride_bytes` apart. No object with a destructor: see PngReader.
bool write_image(PngWriter* writer, const std::byte* pixels, std::size_t stride_bytes, const Shape3* shape,
                 int bit_depth, int color_type) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writer, &on_write_error, nullptr);
  if (png == nullptr) return false;
  png_infop info = png_create_info_struct(png);
  if (info == nullptr || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, writer, &append, nullptr);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
  png_set_IHDR(png, info, static_cast<png_uint_32>(shape->x), static_cast<png_uint_32>(shape->y), bit_depth,
               color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (bit_depth == 16) png_set_swap(png);
  for (std::int64_t y = 0; y < shape->y; ++y) {
    png_write_row(png,
                  reinterpret_cast<png_const_bytep>(pixels + static_cast<std::size_t>(y) * stride_bytes));
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return true;
}

template <class T>
std::vector<std::byte> encode(ArrayView<const T> image, int bit_depth, int color_type) {
  const Shape3 shape = image.shape();
  ORGANON_CHECK(shape.z == 1 && image.stride().x == 1);
  if (shape.y < 1 || shape.x < 1 || shape.y > 0x7fffffff || shape.x > 0x7fffffff) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("a PNG cannot have {} x {} pixels", shape.x, shape.y));
  }
  PngWriter writer;
  if (!write_image(&writer, reinterpret_cast<const std::byte*>(image.data()),
                   static_cast<std::size_t>(image.stride().y) * sizeof(T), &shape, bit_depth, color_type)) {
    throw Error(ErrorKind::kResourceExhausted, fmt::format("cannot encode a PNG: {}", writer.message));
  }
  return std::move(writer.bytes);
}

}  // namespace

ImageInfo png_info(std::span<const std::byte> bytes, std::string_view where) {
  constexpr unsigned char kBegin[16] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
                                        0,    0,   0,   13,  'I',  'H',  'D',  'R'};
  if (bytes.size() < kPngHeaderBytes) fail(where, "the file ends too early");
  if (std::memcmp(bytes.data(), kBegin, sizeof(kBegin)) != 0) fail(where, "it does not begin as a PNG");
  const auto byte_at = [&](std::size_t i) { return static_cast<std::int64_t>(bytes[i]); };
  const auto big_endian_at = [&](std::size_t i) {
    return byte_at(i) << 24 | byte_at(i + 1) << 16 | byte_at(i + 2) << 8 | byte_at(i + 3);
  };
  const std::int64_t width = big_endian_at(16);
  const std::int64_t height = big_endian_at(20);
  const std::int64_t depth = byte_at(24);
  if (width < 1 || height < 1 || width > 0x7fffffff || height > 0x7fffffff ||
      std::popcount(static_cast<unsigned>(depth)) != 1 || depth > 16) {
    fail(where, "impossible header");
  }
  check_size(width, height, depth == 16 ? 2 : 1, where);
  return {{1, height, width}, depth == 16 ? DataType::kUint16 : DataType::kUint8};
}

AnyArray decode_png_channels(std::span<const std::byte> bytes, std::int64_t num_channels,
                             std::string_view where) {
  PngReader reader(bytes);
  const ImageInfo header = checked_header(reader, bytes.size(), where);
  return header.type == DataType::kUint16 ? read_pixels<std::uint16_t>(reader, header, num_channels, where)
                                          : read_pixels<std::uint8_t>(reader, header, num_channels, where);
}

AnyArray decode_png(std::span<const std::byte> bytes, std::string_view where) {
  return decode_png_channels(bytes, 1, where);
}

std::vector<std::byte> encode_png(ArrayView<const std::uint8_t> image) {
  return encode(image, 8, PNG_COLOR_TYPE_GRAY);
}
std::vector<std::byte> encode_png(ArrayView<const std::uint16_t> image) {
  return encode(image, 16, PNG_COLOR_TYPE_GRAY);
}
std::vector<std::byte> encode_png(ArrayView<const Rgb8> image) {
  return encode(image, 8, PNG_COLOR_TYPE_RGB);
}

void write_png_grey8(const std::filesystem::path& path, ArrayView<const std::uint8_t> image) {
  write_file_atomically(path, encode_png(image), Fsync::kNo);
}

void write_png_rgb8(const std::filesystem::path& path, ArrayView<const Rgb8> image) {
  write_file_atomically(path, encode_png(image), Fsync::kNo);
}

}  // namespace organon::storage
