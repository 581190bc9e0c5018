#include "organon/storage/codecs/gzip.h"

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

using Compressor = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;
using Decompressor = std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>;

void append_with_isal(std::span<const std::byte> bytes, GzipFraming framing, std::vector<std::byte>& output) {
  // Incompressible data become stored blocks of at most 65535 bytes with a header of 5, plus the framing; the
  // rest is slack.
  const std::size_t bound = bytes.size() + (bytes.size() / 65535 + 1) * 5 + 1024;
  const std::size_t start = output.size();
  output.resize(start + bound);
  std::vector<std::uint8_t> work(ISAL_DEF_LVL1_DEFAULT);
  isal_zstream stream{};  // else a few bytes depend on what was in memory
  isal_deflate_stateless_init(&stream);
  stream.level = 1;
  stream.level_buf = work.data();
  stream.level_buf_size = static_cast<std::uint32_t>(work.size());
  stream.gzip_flag = framing == GzipFraming::kGzip ? IGZIP_GZIP : IGZIP_ZLIB;
  stream.end_of_stream = 1;
  stream.flush = NO_FLUSH;
  // ISA-L reads through a pointer that lacks const.
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<std::uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(output.data() + start);
  stream.avail_out = static_cast<std::uint32_t>(bound);
  if (isal_deflate_stateless(&stream) != COMP_OK || stream.avail_in != 0) {
    throw Error(ErrorKind::kInternal, fmt::format("ISA-L could not compress {} bytes", bytes.size()));
  }
  output.resize(start + stream.total_out);
}

void append_with_libdeflate(std::span<const std::byte> bytes, int level, GzipFraming framing,
                            std::vector<std::byte>& output) {
  const Compressor compressor(libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  const bool is_gzip = framing == GzipFraming::kGzip;
  const std::size_t bound = is_gzip ? libdeflate_gzip_compress_bound(compressor.get(), bytes.size())
                                    : libdeflate_zlib_compress_bound(compressor.get(), bytes.size());
  const std::size_t start = output.size();
  output.resize(start + bound);
  std::byte* const target = output.data() + start;
  const std::size_t written =
      is_gzip ? libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), target, bound)
              : libdeflate_zlib_compress(compressor.get(), bytes.data(), bytes.size(), target, bound);
  if (written == 0)
    throw Error(ErrorKind::kInternal, fmt::format("libdeflate could not compress {} bytes", bytes.size()));
  output.resize(start + written);
}

}  // namespace

void append_gzip(std::span<const std::byte> bytes, int level, GzipFraming framing,
                 std::vector<std::byte>& output) {
  // ISA-L counts in 32 bits.
  const bool fits_isal = bytes.size() < std::numeric_limits<std::uint32_t>::max() / 2;
  if (level == 1 && fits_isal) {
    append_with_isal(bytes, framing, output);
  } else {
    append_with_libdeflate(bytes, level, framing, output);
  }
}

void decode_gzip(std::span<const std::byte> encoded, GzipFraming framing, std::span<std::byte> decoded) {
  const Decompressor decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!decompressor) throw std::bad_alloc();
  std::size_t filled = 0;
  // At least one member, also where nothing is to be decoded.
  do {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    std::byte* const target = decoded.data() + filled;
    const std::size_t room = decoded.size() - filled;
    const libdeflate_result result =
        framing == GzipFraming::kGzip
            ? libdeflate_gzip_decompress_ex(decompressor.get(), encoded.data(), encoded.size(), target, room,
                                            &consumed, &produced)
            : libdeflate_zlib_decompress_ex(decompressor.get(), encoded.data(), encoded.size(), target, room,
                                            &consumed, &produced);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("gzip stream holds more than the expected {} bytes", decoded.size()));
    }
    if (result != LIBDEFLATE_SUCCESS)
      throw Error(ErrorKind::kCorruptData, "gzip stream is damaged or cut short");
    filled += produced;
    encoded = encoded.subspan(consumed);
  } while (!encoded.empty() && framing == GzipFraming::kGzip);
  if (!encoded.empty()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{} bytes after the end of the zlib stream", encoded.size()));
  }
  if (filled != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("gzip stream holds {} bytes, expected {}", filled, decoded.size()));
  }
}

std::vector<std::byte> decode_gzip_of_unknown_size(std::span<const std::byte> encoded,
                                                   std::size_t max_bytes) {
  const Decompressor decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!decompressor) throw std::bad_alloc();
  constexpr std::size_t kLeastRoom = std::size_t{1} << 16;
  for (std::size_t room = std::max(kLeastRoom, 4 * encoded.size());; room *= 4) {
    std::vector<std::byte> decoded(std::min(room, max_bytes));
    std::size_t produced = 0;
    const libdeflate_result result = libdeflate_gzip_decompress(
        decompressor.get(), encoded.data(), encoded.size(), decoded.data(), decoded.size(), &produced);
    if (result == LIBDEFLATE_SUCCESS) {
      decoded.resize(produced);
      return decoded;
    }
    if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
      throw Error(ErrorKind::kCorruptData, "gzip stream is damaged or cut short");
    if (decoded.size() == max_bytes)
      throw Error(ErrorKind::kCorruptData, fmt::format("gzip stream holds more than {} bytes", max_bytes));
  }
}

}  // namespace organon::storage
