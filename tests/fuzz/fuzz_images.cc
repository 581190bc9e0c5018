// PNG, TIFF and JPEG files. The bytes are tried as all: their first ones say which they are.

#include "fuzz_input.h"
#include "organon/storage/images/jpeg_codec.h"
#include "organon/storage/images/png_codec.h"
#include "organon/storage/images/tiff_codec.h"

namespace organon::fuzz {
namespace {

constexpr std::int64_t kSmallSlice = 1 << 20;

void run(std::span<const std::byte> bytes) {
  allow_errors([&] {
    const storage::ImageInfo info = storage::png_info(bytes, "a.png");
    if (info.shape.product() > kSmallSlice) return;
    const AnyArray image = storage::decode_png(bytes, "a.png");
    ORGANON_CHECK(image.shape() == info.shape && image.type() == info.type);
  });
  // As many pixels as the seed has.
  allow_errors([&] { storage::decode_jpeg(bytes, 768); });
  allow_errors([&] {
    storage::TiffFile file(bytes, "a.tif");
    const Shape3 shape = file.info().shape;
    if (shape.product() > kSmallSlice) return;
    const AnyArray pages = file.read_pages(0, shape.z);
    ORGANON_CHECK(pages.shape() == shape && pages.type() == file.info().type);
  });
}

}  // namespace
}  // namespace organon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  organon::fuzz::run(std::as_bytes(std::span(data, size)));
  return 0;
}
