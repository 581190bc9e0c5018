#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/codecs/gzip.h"
#include "organon/storage/images/image_info.h"
#include "organon/storage/volumes/tiff_description.h"
#include "organon/storage/volumes/volume_writer.h"

namespace organon::storage {
namespace {

constexpr std::int64_t kStripBytes = 1 << 20;

enum FieldType : std::uint16_t { kAscii = 2, kShort = 3, kLong = 4, kRational = 5, kLong8 = 16 };

std::size_t bytes_of_type(FieldType type) {
  switch (type) {
    case kAscii:
      return 1;
    case kShort:
      return 2;
    case kLong:
      return 4;
    default:
      return 8;
  }
}

template <class T>
void append(std::vector<std::byte>& bytes, T value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(T));
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// An entry of a page directory, little-endian.
struct Field {
  std::uint16_t tag = 0;
  FieldType type = kShort;
  std::vector<std::byte> values;

  std::uint64_t count() const { return values.size() / bytes_of_type(type); }
};

Field short_field(std::uint16_t tag, std::uint16_t value) {
  Field field{tag, kShort, {}};
  append(field.values, value);
  return field;
}
Field long_field(std::uint16_t tag, std::int64_t value) {
  Field field{tag, kLong, {}};
  append(field.values, static_cast<std::uint32_t>(value));
  return field;
}

// The nearest fraction with 2^k below: exact where the value is a float.
Field rational_field(std::uint16_t tag, double value) {
  std::uint32_t below = 1;
  while (below < (1u << 30) && value * below != std::floor(value * below) && value * below < (1u << 30))
    below *= 2;
  Field field{tag, kRational, {}};
  append(field.values, static_cast<std::uint32_t>(
                           std::min(std::llround(value * below), static_cast<long long>(0xffffffff))));
  append(field.values, below);
  return field;
}

// The two variants of TIFF differ in the width of counts and offsets.
struct Variant {
  bool is_big = false;

  std::size_t word_bytes() const { return is_big ? 8 : 4; }
  std::size_t count_bytes() const { return is_big ? 8 : 2; }
  std::size_t entry_bytes() const { return 4 + 2 * word_bytes(); }
  void append_word(std::vector<std::byte>& bytes, std::uint64_t value) const {
    is_big ? append(bytes, value) : append(bytes, static_cast<std::uint32_t>(value));
  }
  std::vector<std::byte> header() const {
    std::vector<std::byte> bytes;
    append(bytes, std::uint16_t{0x4949});
    append(bytes, static_cast<std::uint16_t>(is_big ? 43 : 42));
    if (is_big) {
      append(bytes, std::uint16_t{8});
      append(bytes, std::uint16_t{0});
    }
    append_word(bytes, is_big ? 16 : 8);
    return bytes;
  }
};

struct Page {
  DataType type = DataType::kUint8;
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool is_compressed = false;
  std::string description;  ///< empty: none
  double y_pixels_per_nm = 0;
  double x_pixels_per_nm = 0;
};

std::uint16_t sample_format(DataType type) {
  if (is_floating(type)) return 3;
  switch (type) {
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
      return 2;
    default:
      return 1;
  }
}

// A page that begins at byte `begin` of its file: the directory, the values that do not fit in it, the
// strips. So that files are written in one pass, the next page begins right after, at an even byte.
std::vector<std::byte> encode_page(const Page& page, std::span<const std::byte> pixels,
                                   const Variant& variant, std::uint64_t begin, bool is_last) {
  const std::int64_t row_bytes = page.width * static_cast<std::int64_t>(size_of(page.type));
  const std::int64_t strip_rows = std::clamp<std::int64_t>(kStripBytes / row_bytes, 1, page.height);
  std::vector<std::byte> strips;
  std::vector<std::uint64_t> starts, lengths;
  for (std::int64_t y = 0; y < page.height; y += strip_rows) {
    const auto strip =
        pixels.subspan(static_cast<std::size_t>(y * row_bytes),
                       static_cast<std::size_t>(std::min(strip_rows, page.height - y) * row_bytes));
    starts.push_back(strips.size());
    // By libdeflate, whose bytes are the same each time; those of ISA-L (level 1) are not.
    constexpr int kFast = 2;
    if (page.is_compressed)
      append_gzip(strip, kFast, GzipFraming::kZlib, strips);
    else
      strips.insert(strips.end(), strip.begin(), strip.end());
    lengths.push_back(strips.size() - starts.back());
  }
  const auto words_field = [&](std::uint16_t tag, const std::vector<std::uint64_t>& values) {
    Field field{tag, variant.is_big ? kLong8 : kLong, {}};
    for (const std::uint64_t value : values) variant.append_word(field.values, value);
    return field;
  };
  std::vector<Field> fields = {long_field(256, page.width),
                               long_field(257, page.height)};  // in order of tags
  fields.push_back(short_field(258, static_cast<std::uint16_t>(8 * size_of(page.type))));
  fields.push_back(short_field(259, page.is_compressed ? 8 : 1));
  fields.push_back(short_field(262, 1));  // black is zero
  if (!page.description.empty()) {
    Field description{270, kAscii, {}};
    const auto text = std::as_bytes(std::span(page.description.c_str(), page.description.size() + 1));
    description.values.assign(text.begin(), text.end());
    fields.push_back(std::move(description));
  }
  const std::size_t starts_field = fields.size();
  fields.push_back(words_field(273, starts));
  fields.push_back(short_field(277, 1));  // samples per pixel
  fields.push_back(long_field(278, strip_rows));
  fields.push_back(words_field(279, lengths));
  fields.push_back(rational_field(282, page.x_pixels_per_nm));
  fields.push_back(rational_field(283, page.y_pixels_per_nm));
  fields.push_back(short_field(296, 1));  // the unit is none of TIFF's
  fields.push_back(short_field(339, sample_format(page.type)));

  const auto even = [](std::uint64_t size) { return (size + 1) / 2 * 2; };
  const std::uint64_t directory_bytes =
      variant.count_bytes() + fields.size() * variant.entry_bytes() + variant.word_bytes();
  std::uint64_t next_value = begin + directory_bytes;
  std::uint64_t strips_begin = next_value;
  for (const Field& field : fields)
    if (field.values.size() > variant.word_bytes()) strips_begin += even(field.values.size());
  const std::uint64_t page_end = even(strips_begin + strips.size());
  for (std::uint64_t& start : starts) start += strips_begin;
  fields[starts_field] = words_field(273, starts);

  std::vector<std::byte> bytes;
  variant.is_big ? append(bytes, static_cast<std::uint64_t>(fields.size()))
                 : append(bytes, static_cast<std::uint16_t>(fields.size()));
  for (const Field& field : fields) {
    append(bytes, field.tag);
    append(bytes, static_cast<std::uint16_t>(field.type));
    variant.append_word(bytes, field.count());
    if (field.values.size() > variant.word_bytes()) {
      variant.append_word(bytes, next_value);
      next_value += even(field.values.size());
    } else {
      bytes.insert(bytes.end(), field.values.begin(), field.values.end());
      bytes.resize(bytes.size() + variant.word_bytes() - field.values.size());
    }
  }
  variant.append_word(bytes, is_last ? 0 : page_end);
  for (const Field& field : fields) {
    if (field.values.size() <= variant.word_bytes()) continue;
    bytes.insert(bytes.end(), field.values.begin(), field.values.end());
    bytes.resize(even(bytes.size() + begin) - begin);
  }
  ORGANON_CHECK(bytes.size() == strips_begin - begin);
  bytes.insert(bytes.end(), strips.begin(), strips.end());
  bytes.resize(page_end - begin);
  return bytes;
}

Page page_of(const Shape3& shape, DataType type, const VoxelGrid& grid, bool is_compressed) {
  Page page;
  page.type = type;
  page.height = shape.y;
  page.width = shape.x;
  page.is_compressed = is_compressed;
  page.y_pixels_per_nm = 1 / grid.voxel_size_nm.y;
  page.x_pixels_per_nm = 1 / grid.voxel_size_nm.x;
  return page;
}

class BigTiffWriter : public VolumeWriter {
 public:
  BigTiffWriter(const VolumeToWrite& volume, ByteSink sink)
      : volume_(volume),
        sink_(std::move(sink)),
        page_(page_of(volume.shape, volume.type, volume.grid, volume.is_compressed)) {
    page_.description = tiff_description(volume.grid, volume.shape.z);
    put(kVariant.header());
  }

  void add_slices(const AnyArray& slab) override {
    const std::size_t slice_bytes =
        static_cast<std::size_t>(volume_.shape.y * volume_.shape.x) * size_of(volume_.type);
    for (std::int64_t z = 0; z < slab.shape().z; ++z) {
      const auto pixels = slab.bytes().subspan(static_cast<std::size_t>(z) * slice_bytes, slice_bytes);
      ++num_written_;
      put(encode_page(page_, pixels, kVariant, position_, num_written_ == volume_.shape.z));
      page_.description.clear();  // the first page speaks for all
    }
  }
  void finish() override { ORGANON_CHECK(num_written_ == volume_.shape.z); }

 private:
  static constexpr Variant kVariant{true};

  void put(const std::vector<std::byte>& bytes) {
    sink_(bytes);
    position_ += bytes.size();
  }

  VolumeToWrite volume_;
  ByteSink sink_;
  Page page_;
  std::uint64_t position_ = 0;
  std::int64_t num_written_ = 0;
};

}  // namespace

std::unique_ptr<VolumeWriter> make_bigtiff_writer(const VolumeToWrite& volume, ByteSink sink) {
  return std::make_unique<BigTiffWriter>(volume, std::move(sink));
}

std::vector<std::byte> encode_tiff_slice(const AnyArray& slice, const VoxelGrid& grid, bool is_compressed) {
  ORGANON_CHECK(slice.shape().z == 1);
  constexpr Variant kVariant{false};
  Page page = page_of(slice.shape(), slice.type(), grid, is_compressed);
  page.description = tiff_description(grid, 1);
  std::vector<std::byte> bytes = kVariant.header();
  const std::vector<std::byte> body = encode_page(page, slice.bytes(), kVariant, bytes.size(), true);
  // Offsets have 32 bits.
  if (bytes.size() + body.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("a slice of {} x {} pixels has more than 4 GB, which a TIFF slice cannot hold; "
                            "export to one .tif file",
                            slice.shape().x, slice.shape().y));
  }
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

}  // namespace organon::storage
