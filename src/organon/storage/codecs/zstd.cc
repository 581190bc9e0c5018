#include "organon/storage/codecs/zstd.h"

#include <fmt/format.h>
#include <zstd.h>

#include <memory>
#include <new>

#include "organon/base/error.h"

namespace organon::storage {

void append_zstd(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  // Without it a flipped bit can decode to other voxels unseen.
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  const std::size_t start = output.size();
  const std::size_t bound = ZSTD_compressBound(bytes.size());
  output.resize(start + bound);
  const std::size_t written =
      ZSTD_compress2(context.get(), output.data() + start, bound, bytes.data(), bytes.size());
  if (ZSTD_isError(written)) {
    throw Error(ErrorKind::kResourceExhausted, fmt::format("zstd: {}", ZSTD_getErrorName(written)));
  }
  output.resize(start + written);
}

void decode_zstd(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  const std::size_t filled = ZSTD_decompress(decoded.data(), decoded.size(), encoded.data(), encoded.size());
  if (ZSTD_isError(filled)) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("zstd stream, expected {} bytes: {}", decoded.size(), ZSTD_getErrorName(filled)));
  }
  if (filled != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("zstd stream holds {} bytes, expected {}", filled, decoded.size()));
  }
}

}  // namespace organon::storage
