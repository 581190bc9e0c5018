#include "organon/storage/precomputed/image_chunks.h"

#include <fmt/format.h>

#include <cstring>

#include "organon/base/error.h"
#include "organon/storage/channels.h"
#include "organon/storage/images/jpeg_codec.h"
#include "organon/storage/images/png_codec.h"

namespace organon::storage {
namespace {

AnyArray in_shape(const AnyArray& image, const Shape3& shape) {
  AnyArray voxels(image.type(), shape);
  std::memcpy(voxels.bytes().data(), image.bytes().data(), image.bytes().size());
  return voxels;
}

// Chunks are far below the size at which a picture is refused for its size: that one is damaged too.
ImageInfo png_chunk_info(std::span<const std::byte> bytes) {
  try {
    return png_info(bytes, "png");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kResourceExhausted) throw;
    throw Error(ErrorKind::kCorruptData, error.message());
  }
}

}  // namespace

AnyArray decode_jpeg_chunk(std::span<const std::byte> bytes, std::int64_t num_channels, const Shape3& shape) {
  return in_shape(decode_jpeg(bytes, shape.product(), num_channels), stack_of(shape, num_channels));
}

AnyArray decode_png_chunk(std::span<const std::byte> bytes, DataType type, std::int64_t num_channels,
                          const Shape3& shape) {
  const ImageInfo info = png_chunk_info(bytes);
  if (info.shape.product() != shape.product()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("a picture of {} pixels for a chunk of {} voxels",
                                                     to_string(info.shape), to_string(shape)));
  }
  const AnyArray image = decode_png_channels(bytes, num_channels, "png");
  if (image.type() != type) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("a png of {} in a volume of {}", to_string(image.type()), to_string(type)));
  }
  return in_shape(image, stack_of(shape, num_channels));
}

std::vector<std::byte> encode_png_chunk(const AnyArray& voxels) {
  const Shape3& shape = voxels.shape();
  const Shape3 flat{1, shape.z * shape.y, shape.x};
  if (voxels.type() == DataType::kUint16)
    return encode_png(ArrayView<const std::uint16_t>(voxels.view<std::uint16_t>().data(), flat));
  return encode_png(ArrayView<const std::uint8_t>(voxels.view<std::uint8_t>().data(), flat));
}

}  // namespace organon::storage
