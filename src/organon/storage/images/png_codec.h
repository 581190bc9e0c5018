#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/storage/images/image_info.h"

namespace organon::storage {

/// A colour of a picture.
struct Rgb8 {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;

  friend bool operator==(const Rgb8&, const Rgb8&) = default;
};

/// Bytes of a file that png_info() needs.
inline constexpr std::size_t kPngHeaderBytes = 33;

/// Shape (1, y, x) and type of the PNG that begins with `bytes`. 16-bit images are uint16, all others uint8.
/// Errors: kCorruptData naming `where`; kResourceExhausted above kMaxSliceBytes.
ImageInfo png_info(std::span<const std::byte> bytes, std::string_view where);

/// Grey values of the PNG in `bytes`, shape (1, y, x), uint8 or uint16. Images of 1, 2 and 4 bits keep their
/// numbers (a mask of one bit is 0 and 1). Palette and colour images are accepted where every pixel is grey
/// and opaque. Errors: kCorruptData naming `where` and the reason, for every damage, also where less data can
/// follow than the header declares (before anything is allocated); kUnsupported for colour;
/// kResourceExhausted as above.
AnyArray decode_png(std::span<const std::byte> bytes, std::string_view where);

/// The samples of a PNG that has exactly `num_channels` a pixel, 2 to 4, shape (num_channels, y, x). Errors:
/// as above; kUnsupported for another number.
AnyArray decode_png_channels(std::span<const std::byte> bytes, std::int64_t num_channels,
                             std::string_view where);

/// A PNG of `image`, shape (1, y, x), uint8 or uint16 grey, or colour. The same bytes for the same image.
std::vector<std::byte> encode_png(ArrayView<const std::uint8_t> image);
std::vector<std::byte> encode_png(ArrayView<const std::uint16_t> image);
std::vector<std::byte> encode_png(ArrayView<const Rgb8> image);

/// The same as a file, whole or not at all.
void write_png_grey8(const std::filesystem::path& path, ArrayView<const std::uint8_t> image);
void write_png_rgb8(const std::filesystem::path& path, ArrayView<const Rgb8> image);

}  // namespace organon::storage
