#include "organon/storage/precomputed/image_chunks.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

// Needs FILE.
#include <jpeglib.h>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// As precomputed volumes have it: x along the width, y and z along the height.
std::vector<std::byte> jpeg_of(const AnyArray& voxels, std::int64_t width, int channels = 1) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(voxels.shape().product() / width / channels);
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  jpeg_start_compress(&info, TRUE);
  auto* row = const_cast<JSAMPLE*>(reinterpret_cast<const JSAMPLE*>(voxels.bytes().data()));
  for (; info.next_scanline < info.image_height; row += width * channels)
    jpeg_write_scanlines(&info, &row, 1);
  jpeg_finish_compress(&info);
  const auto* first = reinterpret_cast<const std::byte*>(memory);
  std::vector<std::byte> bytes(first, first + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

AnyArray smooth_voxels(const Shape3& shape) {
  AnyArray voxels(DataType::kUint8, shape);
  const auto view = voxels.view<std::uint8_t>();
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x)
        view(z, y, x) = static_cast<std::uint8_t>(40 + 3 * z + 2 * y + 4 * x);
  return voxels;
}

TEST(ImageChunks, JpegIsReadWhateverItsWidth) {
  const AnyArray voxels = smooth_voxels({6, 8, 16});
  for (const std::int64_t width : {16, 128}) {
    const AnyArray read = decode_jpeg_chunk(jpeg_of(voxels, width), 1, voxels.shape());
    for (std::size_t i = 0; i < voxels.bytes().size(); ++i)
      ASSERT_NEAR(std::to_integer<int>(read.bytes()[i]), std::to_integer<int>(voxels.bytes()[i]), 6);
  }
}

TEST(ImageChunks, DamagedOrOtherJpegsAreRefused) {
  const AnyArray voxels = smooth_voxels({6, 8, 16});
  const std::vector<std::byte> good = jpeg_of(voxels, 16);
  const auto kind_of = [&](std::vector<std::byte> bytes, const Shape3& shape) {
    try {
      decode_jpeg_chunk(bytes, 1, shape);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInternal;
  };
  EXPECT_EQ(kind_of(good, {6, 8, 17}), ErrorKind::kCorruptData);
  EXPECT_EQ(kind_of({}, voxels.shape()), ErrorKind::kCorruptData);
  EXPECT_EQ(kind_of(jpeg_of(smooth_voxels({6, 8, 48}), 16, 3), {6, 8, 16}), ErrorKind::kUnsupported);
  for (const std::size_t size : {std::size_t{1}, std::size_t{20}, good.size() / 2, good.size() - 3})
    EXPECT_EQ(kind_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, voxels.shape()),
              ErrorKind::kCorruptData)
        << size;
}

TEST(ImageChunks, PngRoundTrip) {
  for (const DataType type : {DataType::kUint8, DataType::kUint16}) {
    AnyArray voxels(type, {3, 5, 7});
    for (std::size_t i = 0; i < voxels.bytes().size(); ++i)
      voxels.bytes()[i] = static_cast<std::byte>(i * 37 % 256);
    const AnyArray read = decode_png_chunk(encode_png_chunk(voxels), type, 1, voxels.shape());
    EXPECT_TRUE(std::equal(read.bytes().begin(), read.bytes().end(), voxels.bytes().begin()));
    EXPECT_THROW(decode_png_chunk(encode_png_chunk(voxels), type, 1, {3, 5, 8}), Error);
  }
}

}  // namespace
}  // namespace organon::storage
