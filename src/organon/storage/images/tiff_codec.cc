#include "organon/storage/images/tiff_codec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "organon/base/error.h"
#include "organon/storage/images/grey_pixels.h"

namespace organon::storage {
namespace {

constexpr std::size_t kMaxMessageBytes = 200;
constexpr std::int64_t kMaxEdge = 0x7fffffff;

// Bytes that one byte of a file can become at most; nothing for a compression that is not understood.
std::optional<std::int64_t> largest_ratio(std::uint16_t compression) {
  switch (compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
      return 1032;
    // A code of 12 bits stands for 4095 bytes at most.
    case COMPRESSION_LZW:
      return 2731;
    default:
      return std::nullopt;
  }
}

std::string compression_name(std::uint16_t compression) {
  const TIFFCodec* codec = TIFFFindCODEC(compression);
  return codec != nullptr ? codec->name : fmt::format("number {}", compression);
}

// The bytes of a file, read where libtiff asks.
class ByteSource {
 public:
  explicit ByteSource(std::span<const std::byte> bytes) : bytes_(bytes), size_(bytes.size()) {}
  explicit ByteSource(const std::filesystem::path& path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw_system_error("cannot open", path.string());
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      throw Error(ErrorKind::kIo, fmt::format("{}: not a regular file", path.string()));
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  std::uint64_t size() const { return size_; }

  /// Fewer than `count` where the file ends or cannot be read.
  std::size_t read_at(std::uint64_t offset, std::byte* target, std::size_t count) const {
    if (offset >= size_) return 0;
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset));
    if (descriptor_ < 0) {
      std::memcpy(target, bytes_.data() + offset, count);
      return count;
    }
    std::size_t filled = 0;
    while (filled < count) {
      const ssize_t got =
          ::pread(descriptor_, target + filled, count - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  std::span<const std::byte> bytes_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

struct TiffClient {
  explicit TiffClient(std::span<const std::byte> bytes) : source(bytes) {}
  explicit TiffClient(const std::filesystem::path& path) : source(path) {}

  ByteSource source;
  std::uint64_t position = 0;
  char message[kMaxMessageBytes] = {};
};

tmsize_t on_read(thandle_t handle, void* target, tmsize_t count) {
  auto* client = static_cast<TiffClient*>(handle);
  const std::size_t got = client->source.read_at(client->position, static_cast<std::byte*>(target),
                                                 static_cast<std::size_t>(count));
  client->position += got;
  return static_cast<tmsize_t>(got);
}

tmsize_t on_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t on_seek(thandle_t handle, toff_t offset, int from) {
  auto* client = static_cast<TiffClient*>(handle);
  const std::uint64_t base = from == SEEK_SET   ? 0
                             : from == SEEK_CUR ? client->position
                                                : client->source.size();
  client->position = base + offset;
  return client->position;
}

int on_close(thandle_t) { return 0; }
toff_t on_size(thandle_t handle) { return static_cast<TiffClient*>(handle)->source.size(); }

int on_error(TIFF*, void* user_data, const char*, const char* format, va_list arguments) {
  auto* client = static_cast<TiffClient*>(user_data);
  // The first error is the cause, the others follow from it.
  if (client->message[0] == '\0') std::vsnprintf(client->message, kMaxMessageBytes, format, arguments);
  return 1;
}

int on_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffHandle = std::unique_ptr<TIFF, CloseTiff>;

TiffHandle open_tiff(TiffClient& client) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 &TIFFOpenOptionsFree);
  // libtiff holds tables and compressed strips in memory: never more than the file, rounded up.
  constexpr std::uint64_t kSpareBytes = std::uint64_t{16} << 20;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(),
                                      static_cast<tmsize_t>(client.source.size() + kSpareBytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &on_error, &client);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &on_warning, &client);
  // m: no memory mapping, since a file that shrinks would end the process.
  return TiffHandle(TIFFClientOpenExt("", "rm", &client, &on_read, &on_write, &on_seek, &on_close, &on_size,
                                      nullptr, nullptr, options.get()));
}

// What a page directory says of its pixels.
struct PageLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::uint16_t bits = 1;
  std::uint16_t num_channels = 1;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t compression = COMPRESSION_NONE;
  DataType type = DataType::kUint8;

  std::int64_t row_bytes() const { return (width * num_channels * bits + 7) / 8; }
  bool is_plain_grey() const {
    return num_channels == 1 && bits >= 8 && photometric == PHOTOMETRIC_MINISBLACK;
  }
};

std::optional<DataType> pixel_type(std::uint16_t bits, std::uint16_t sample_format) {
  const bool is_signed = sample_format == SAMPLEFORMAT_INT;
  if (sample_format == SAMPLEFORMAT_IEEEFP) {
    if (bits == 32) return DataType::kFloat32;
    return bits == 64 ? std::optional(DataType::kFloat64) : std::nullopt;
  }
  if (sample_format != SAMPLEFORMAT_UINT && sample_format != SAMPLEFORMAT_VOID && !is_signed)
    return std::nullopt;
  switch (bits) {
    case 1:
      return is_signed ? std::nullopt : std::optional(DataType::kUint8);
    case 8:
      return is_signed ? DataType::kInt8 : DataType::kUint8;
    case 16:
      return is_signed ? DataType::kInt16 : DataType::kUint16;
    case 32:
      return is_signed ? DataType::kInt32 : DataType::kUint32;
    case 64:
      return is_signed ? DataType::kInt64 : DataType::kUint64;
    default:
      return std::nullopt;
  }
}

template <class T>
void turn_over(std::span<std::byte> values) {
  for (std::size_t i = 0; i + sizeof(T) <= values.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, values.data() + i, sizeof(T));
    value = static_cast<T>(~value);
    std::memcpy(values.data() + i, &value, sizeof(T));
  }
}

void swap_bytes(std::span<std::byte> values, std::size_t value_bytes) {
  for (std::size_t i = 0; i < values.size(); i += value_bytes) {
    std::reverse(values.begin() + static_cast<std::ptrdiff_t>(i),
                 values.begin() + static_cast<std::ptrdiff_t>(i + value_bytes));
  }
}

}  // namespace

struct TiffFile::State {
  State(std::span<const std::byte> bytes, std::string name) : where(std::move(name)), client(bytes) {
    open();
  }
  explicit State(const std::filesystem::path& path) : where(path.string()), client(path) { open(); }

  void open();
  void find_imagej_pages();
  PageLayout read_layout();
  void go_to_page(std::int64_t page);
  void read_page(std::int64_t page, std::span<std::byte> target);
  void read_imagej_page(std::int64_t page, std::span<std::byte> target);
  void read_strips(std::span<std::byte> target);
  void read_tiles(std::span<std::byte> target);
  void convert(std::span<const std::byte> samples, std::span<std::byte> target) const;
  void read_palette();
  std::string place() const;
  [[noreturn]] void fail(std::string_view reason) const;
  [[noreturn]] void fail_in_library(std::string_view otherwise) const;
  [[noreturn]] void refuse(std::string_view reason) const;

  std::string where;
  TiffClient client;
  TiffHandle tiff;
  ImageInfo info;
  PageLayout layout;
  std::vector<std::uint64_t> page_offsets;     // of page directories
  std::optional<std::uint64_t> imagej_offset;  // of the first pixel, where one directory stands for all pages
  std::int64_t current_page = 0;
  std::vector<std::uint8_t> palette;
};

std::string TiffFile::State::place() const { return fmt::format("{}, page {}", where, current_page + 1); }

void TiffFile::State::fail(std::string_view reason) const {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: damaged TIFF: {}", place(), reason));
}

void TiffFile::State::fail_in_library(std::string_view otherwise) const {
  fail(client.message[0] != '\0' ? std::string_view(client.message) : otherwise);
}

void TiffFile::State::refuse(std::string_view reason) const {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: TIFF with {}", place(), reason));
}

void TiffFile::State::open() {
  tiff = open_tiff(client);
  if (!tiff) fail_in_library("it does not begin as a TIFF");
  while (true) {
    const PageLayout page = read_layout();
    if (current_page == 0) {
      layout = page;
    } else if (page.width != layout.width || page.height != layout.height || page.type != layout.type) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: {} x {} pixels (x, y) of {}, page 1 has {} x {} of {}", place(),
                              page.width, page.height, to_string(page.type), layout.width, layout.height,
                              to_string(layout.type)));
    }
    page_offsets.push_back(TIFFCurrentDirOffset(tiff.get()));
    if (TIFFLastDirectory(tiff.get())) break;
    ++current_page;
    if (!TIFFReadDirectory(tiff.get())) fail_in_library("its directory cannot be read");
  }
  info = {{static_cast<std::int64_t>(page_offsets.size()), layout.height, layout.width}, layout.type};
  if (layout.row_bytes() * layout.height / *largest_ratio(layout.compression) >
      static_cast<std::int64_t>(client.source.size()) / info.shape.z) {
    fail(fmt::format("its {} bytes cannot hold {} pages", client.source.size(), info.shape.z));
  }
  if (page_offsets.size() == 1) find_imagej_pages();
}

// ImageJ writes stacks above 4 GB with one directory; the other pages follow the first without any.
void TiffFile::State::find_imagej_pages() {
  char* description = nullptr;
  if (!TIFFGetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, &description) || description == nullptr) return;
  const std::string_view text = description;
  const std::size_t found = text.find("\nimages=");
  if (!text.starts_with("ImageJ=") || found == std::string_view::npos) return;
  std::int64_t num_pages = 0;
  const std::string_view number = text.substr(found + 8);
  std::from_chars(number.data(), number.data() + number.size(), num_pages);
  if (num_pages <= 1) return;
  if (!layout.is_plain_grey() || layout.compression != COMPRESSION_NONE || TIFFIsTiled(tiff.get())) {
    refuse(fmt::format("one page directory for {} ImageJ images that are not plain", num_pages));
  }
  const std::uint64_t offset = TIFFGetStrileOffset(tiff.get(), 0);
  const std::int64_t page_bytes = layout.row_bytes() * layout.height;
  const std::uint64_t file_bytes = client.source.size();
  if (offset > file_bytes || static_cast<std::uint64_t>(num_pages) >
                                 (file_bytes - offset) / static_cast<std::uint64_t>(page_bytes)) {
    fail(fmt::format("ImageJ wrote {} images, {} bytes cannot hold them", num_pages, file_bytes));
  }
  imagej_offset = offset;
  info.shape.z = num_pages;
}

PageLayout TiffFile::State::read_layout() {
  PageLayout page;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t sample_format = SAMPLEFORMAT_UINT;
  std::uint16_t planar = PLANARCONFIG_CONTIG;
  std::uint16_t orientation = ORIENTATION_TOPLEFT;
  TIFF* t = tiff.get();
  TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &page.bits);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &page.num_channels);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &sample_format);
  TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &planar);
  TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &page.compression);
  TIFFGetFieldDefaulted(t, TIFFTAG_ORIENTATION, &orientation);
  if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &page.photometric)) page.photometric = PHOTOMETRIC_MINISBLACK;
  if (page.photometric == PHOTOMETRIC_MASK) page.photometric = PHOTOMETRIC_MINISBLACK;
  page.width = width;
  page.height = height;

  if (page.width < 1 || page.height < 1 || page.width > kMaxEdge || page.height > kMaxEdge) {
    fail(fmt::format("{} x {} pixels", page.width, page.height));
  }
  const auto ratio = largest_ratio(page.compression);
  if (!ratio) {
    refuse(fmt::format("compression {} (understood: none, LZW, deflate, PackBits)",
                       compression_name(page.compression)));
  }
  const auto type = pixel_type(page.bits, sample_format);
  if (!type)
    refuse(fmt::format("{} bits of sample format {} (understood: 1, 8, 16, 32, 64, float32, float64)",
                       page.bits, sample_format));
  page.type = *type;
  if (orientation != ORIENTATION_TOPLEFT)
    refuse(fmt::format("orientation {} (understood: 1, top left)", orientation));
  const bool is_integer_8_or_16 = page.type == DataType::kUint8 || page.type == DataType::kUint16;
  switch (page.photometric) {
    case PHOTOMETRIC_MINISBLACK:
      break;
    case PHOTOMETRIC_MINISWHITE:
      if (!is_integer_8_or_16) refuse("white as zero in another type than uint8 and uint16");
      break;
    case PHOTOMETRIC_RGB:
      break;
    case PHOTOMETRIC_PALETTE:
      if (page.type != DataType::kUint8 || page.bits != 8) refuse("a palette of other than 8 bits");
      break;
    default:
      refuse(fmt::format("photometric interpretation {} (understood: grey, RGB, palette)", page.photometric));
  }
  const bool is_rgb = page.photometric == PHOTOMETRIC_RGB;
  const bool is_channel_count_known =
      is_rgb ? page.num_channels == 3 || page.num_channels == 4 : page.num_channels == 1;
  if (!is_channel_count_known)
    refuse(fmt::format("{} samples a pixel, expected grey values", page.num_channels));
  if (is_rgb && (planar != PLANARCONFIG_CONTIG || !is_integer_8_or_16 || page.bits == 1)) {
    refuse("colour planes, expected grey values");
  }

  // 64 bits hold 2^31 pixels of 16 bytes.
  if (page.row_bytes() > kMaxSliceBytes / page.height) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: TIFF of {} x {} pixels; a slice may have {} bytes", place(), page.width,
                            page.height, kMaxSliceBytes));
  }
  const auto file_bytes = static_cast<std::int64_t>(client.source.size());
  const auto cannot_hold = [&](std::int64_t bytes) { return bytes / *ratio > file_bytes; };
  if (cannot_hold(page.row_bytes() * page.height)) {
    fail(fmt::format("its {} bytes cannot hold {} x {} pixels", file_bytes, page.width, page.height));
  }
  if (TIFFIsTiled(t)) {
    const std::uint64_t tile_bytes = TIFFTileSize64(t);
    if (tile_bytes == 0 || tile_bytes > static_cast<std::uint64_t>(kMaxSliceBytes) ||
        cannot_hold(static_cast<std::int64_t>(tile_bytes))) {
      fail("impossible tiles");
    }
  }
  return page;
}

void TiffFile::State::go_to_page(std::int64_t page) {
  client.message[0] = '\0';
  current_page = page;
  if (!TIFFSetSubDirectory(tiff.get(), page_offsets[static_cast<std::size_t>(page)])) {
    fail_in_library("its directory cannot be read");
  }
  layout = read_layout();
  palette.clear();
  if (layout.photometric == PHOTOMETRIC_PALETTE) read_palette();
}

void TiffFile::State::read_palette() {
  std::uint16_t* red = nullptr;
  std::uint16_t* green = nullptr;
  std::uint16_t* blue = nullptr;
  if (!TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &red, &green, &blue)) fail("it has no palette");
  constexpr std::size_t kNumColors = 256;
  bool has_small_values = true;
  for (std::size_t i = 0; i < kNumColors; ++i) {
    if (red[i] != green[i] || red[i] != blue[i]) refuse("a colour palette, expected grey values");
    has_small_values = has_small_values && red[i] < 256;
  }
  // Some writers fill the palette with 8 instead of 16 bits.
  for (std::size_t i = 0; i < kNumColors; ++i)
    palette.push_back(static_cast<std::uint8_t>(has_small_values ? red[i] : red[i] >> 8));
}

// One row of samples as stored to one row of pixels.
void TiffFile::State::convert(std::span<const std::byte> samples, std::span<std::byte> target) const {
  if (layout.num_channels > 1) {
    const std::size_t num_pixels = target.size() / size_of(layout.type);
    if (layout.type == DataType::kUint16) {
      std::vector<std::uint16_t> row(num_pixels);
      take_grey<std::uint16_t>(samples, layout.num_channels, row, place());
      std::memcpy(target.data(), row.data(), target.size());
    } else {
      take_grey<std::uint8_t>(samples, layout.num_channels,
                              {reinterpret_cast<std::uint8_t*>(target.data()), num_pixels}, place());
    }
    return;
  }
  if (layout.bits == 1) {
    const unsigned flip = layout.photometric == PHOTOMETRIC_MINISWHITE ? 1 : 0;
    for (std::size_t x = 0; x < target.size(); ++x) {
      const unsigned bit = static_cast<unsigned>(samples[x / 8]) >> (7 - x % 8) & 1;
      target[x] = static_cast<std::byte>(bit ^ flip);
    }
    return;
  }
  std::memcpy(target.data(), samples.data(), target.size());
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    for (std::byte& value : target) value = static_cast<std::byte>(palette[static_cast<std::size_t>(value)]);
  } else if (layout.photometric == PHOTOMETRIC_MINISWHITE) {
    layout.type == DataType::kUint16 ? turn_over<std::uint16_t>(target) : turn_over<std::uint8_t>(target);
  }
}

void TiffFile::State::read_strips(std::span<std::byte> target) {
  std::uint32_t rows_per_strip = 0;
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
  const std::int64_t strip_rows = std::clamp<std::int64_t>(rows_per_strip, 1, layout.height);
  const auto row_bytes = static_cast<std::size_t>(layout.row_bytes());
  const std::size_t target_row_bytes = static_cast<std::size_t>(layout.width) * size_of(layout.type);
  std::vector<std::byte> buffer(static_cast<std::size_t>(strip_rows) * row_bytes);
  for (std::int64_t y = 0; y < layout.height; y += strip_rows) {
    const auto num_rows = static_cast<std::size_t>(std::min(strip_rows, layout.height - y));
    const auto num_bytes = static_cast<tmsize_t>(num_rows * row_bytes);
    const std::uint32_t strip = TIFFComputeStrip(tiff.get(), static_cast<std::uint32_t>(y), 0);
    if (TIFFReadEncodedStrip(tiff.get(), strip, buffer.data(), num_bytes) != num_bytes) {
      fail_in_library(fmt::format("the rows from {} on end too early", y));
    }
    for (std::size_t row = 0; row < num_rows; ++row) {
      convert(std::span(buffer).subspan(row * row_bytes, row_bytes),
              target.subspan((static_cast<std::size_t>(y) + row) * target_row_bytes, target_row_bytes));
    }
  }
}

void TiffFile::State::read_tiles(std::span<std::byte> target) {
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_TILEWIDTH, &tile_width);
  TIFFGetField(tiff.get(), TIFFTAG_TILELENGTH, &tile_height);
  const std::uint64_t tile_bytes = TIFFTileSize64(tiff.get());
  const std::uint64_t row_bytes = TIFFTileRowSize64(tiff.get());
  if (tile_width == 0 || tile_height == 0 || tile_bytes / tile_height < row_bytes ||
      row_bytes * 8 < std::uint64_t{tile_width} * layout.num_channels * layout.bits) {
    fail("impossible tiles");
  }
  std::vector<std::byte> buffer(static_cast<std::size_t>(tile_bytes));
  const std::size_t pixel_bytes = size_of(layout.type);
  for (std::int64_t y = 0; y < layout.height; y += tile_height) {
    for (std::int64_t x = 0; x < layout.width; x += tile_width) {
      const std::uint32_t tile =
          TIFFComputeTile(tiff.get(), static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 0, 0);
      if (TIFFReadEncodedTile(tiff.get(), tile, buffer.data(), static_cast<tmsize_t>(tile_bytes)) !=
          static_cast<tmsize_t>(tile_bytes)) {
        fail_in_library(fmt::format("the tile at {}, {} (x, y) ends too early", x, y));
      }
      const auto num_rows = static_cast<std::size_t>(std::min<std::int64_t>(tile_height, layout.height - y));
      const auto num_columns = static_cast<std::size_t>(std::min<std::int64_t>(tile_width, layout.width - x));
      for (std::size_t row = 0; row < num_rows; ++row) {
        const std::size_t first =
            (static_cast<std::size_t>(y) + row) * static_cast<std::size_t>(layout.width) +
            static_cast<std::size_t>(x);
        convert(std::span(buffer).subspan(row * static_cast<std::size_t>(row_bytes),
                                          static_cast<std::size_t>(row_bytes)),
                target.subspan(first * pixel_bytes, num_columns * pixel_bytes));
      }
    }
  }
}

void TiffFile::State::read_imagej_page(std::int64_t page, std::span<std::byte> target) {
  current_page = page;
  const std::uint64_t offset = *imagej_offset + static_cast<std::uint64_t>(page) * target.size();
  if (client.source.read_at(offset, target.data(), target.size()) != target.size())
    fail("the file ends too early");
  if (TIFFIsByteSwapped(tiff.get())) swap_bytes(target, size_of(layout.type));
}

void TiffFile::State::read_page(std::int64_t page, std::span<std::byte> target) {
  if (imagej_offset) return read_imagej_page(page, target);
  go_to_page(page);
  TIFFIsTiled(tiff.get()) ? read_tiles(target) : read_strips(target);
}

TiffFile::TiffFile(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
TiffFile::TiffFile(std::span<const std::byte> bytes, std::string where)
    : state_(std::make_unique<State>(bytes, std::move(where))) {}
TiffFile::TiffFile(TiffFile&&) noexcept = default;
TiffFile& TiffFile::operator=(TiffFile&&) noexcept = default;
TiffFile::~TiffFile() = default;

const ImageInfo& TiffFile::info() const { return state_->info; }

TiffTags TiffFile::tags() {
  state_->go_to_page(0);
  TIFF* const tiff = state_->tiff.get();
  TiffTags tags;
  char* description = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &description) && description != nullptr)
    tags.description = description;
  float x = 0, y = 0;
  if (TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &x)) tags.x_pixels_per_unit = static_cast<double>(x);
  if (TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &y)) tags.y_pixels_per_unit = static_cast<double>(y);
  return tags;
}

AnyArray TiffFile::read_pages(std::int64_t begin, std::int64_t end) {
  const ImageInfo& info = state_->info;
  ORGANON_CHECK(begin >= 0 && begin <= end && end <= info.shape.z);
  AnyArray pages(info.type, {end - begin, info.shape.y, info.shape.x});
  const std::size_t page_bytes = static_cast<std::size_t>(info.shape.y * info.shape.x) * size_of(info.type);
  for (std::int64_t page = begin; page < end; ++page) {
    state_->read_page(page,
                      pages.bytes().subspan(static_cast<std::size_t>(page - begin) * page_bytes, page_bytes));
  }
  return pages;
}

AnyArray decode_tiff(std::span<const std::byte> bytes, std::string_view where) {
  TiffFile file(bytes, std::string(where));
  const Shape3 shape = file.info().shape;
  const std::int64_t page_bytes = shape.y * shape.x * static_cast<std::int64_t>(size_of(file.info().type));
  if (shape.z > kMaxSliceBytes / page_bytes) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("{}: TIFF of {} pages, {} bytes each", where, shape.z, page_bytes));
  }
  return file.read_pages(0, shape.z);
}

}  // namespace organon::storage
