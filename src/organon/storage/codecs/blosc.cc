#include "organon/storage/codecs/blosc.h"

#include <blosc.h>
#include <fmt/format.h>

#include "organon/base/error.h"

namespace organon::storage {

void append_blosc(std::span<const std::byte> bytes, BloscInner inner, int level, std::size_t voxel_bytes,
                  std::vector<std::byte>& output) {
  const std::string name(to_string(inner));
  if (blosc_compname_to_compcode(name.c_str()) < 0)
    throw Error(ErrorKind::kUnsupported, fmt::format("this machine's blosc has no {}", name));
  if (bytes.size() > BLOSC_MAX_BUFFERSIZE) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("a blosc chunk of {} bytes is above the {} that fit",
                                                         bytes.size(), BLOSC_MAX_BUFFERSIZE));
  }
  const std::size_t start = output.size();
  const std::size_t bound = bytes.size() + BLOSC_MAX_OVERHEAD;
  output.resize(start + bound);
  const int written = blosc_compress_ctx(level, BLOSC_SHUFFLE, voxel_bytes, bytes.size(), bytes.data(),
                                         output.data() + start, bound, name.c_str(), 0, 1);
  if (written <= 0)
    throw Error(ErrorKind::kInternal, fmt::format("blosc could not compress {} bytes", bytes.size()));
  output.resize(start + static_cast<std::size_t>(written));
}

void decode_blosc(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  std::size_t expected = 0;
  if (blosc_cbuffer_validate(encoded.data(), encoded.size(), &expected) < 0) {
    throw Error(ErrorKind::kCorruptData, "blosc frame is damaged or cut short");
  }
  if (expected != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("blosc frame holds {} bytes, expected {}", expected, decoded.size()));
  }
  const int filled = blosc_decompress_ctx(encoded.data(), decoded.data(), decoded.size(), 1);
  if (filled < 0 || static_cast<std::size_t>(filled) != decoded.size()) {
    throw Error(ErrorKind::kCorruptData, "blosc frame is damaged");
  }
}

}  // namespace organon::storage
