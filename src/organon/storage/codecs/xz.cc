#include "organon/storage/codecs/xz.h"

#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// The highest preset needs 65 MiB; a foreign header may ask for 4 GiB.
constexpr std::uint64_t kMaxDecoderBytes = std::uint64_t{256} << 20;

const std::uint8_t* as_uint8(const std::byte* bytes) { return reinterpret_cast<const std::uint8_t*>(bytes); }
std::uint8_t* as_uint8(std::byte* bytes) { return reinterpret_cast<std::uint8_t*>(bytes); }

}  // namespace

void append_xz(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output) {
  lzma_options_lzma options;
  if (lzma_lzma_preset(&options, static_cast<std::uint32_t>(level)))
    throw Error(ErrorKind::kInternal, fmt::format("xz has no preset {}", level));
  // Presets reserve up to 674 MiB, whatever is to be compressed; what lies further back than the bytes' begin
  // cannot be referred to.
  const auto useful = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(bytes.size(), LZMA_DICT_SIZE_MIN, std::size_t{options.dict_size}));
  options.dict_size = useful;
  lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  const std::size_t start = output.size();
  output.resize(start + lzma_stream_buffer_bound(bytes.size()));
  std::size_t end = start;
  const lzma_ret result =
      lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, nullptr, as_uint8(bytes.data()), bytes.size(),
                                as_uint8(output.data()), &end, output.size());
  if (result == LZMA_MEM_ERROR) throw std::bad_alloc();
  if (result != LZMA_OK)
    throw Error(ErrorKind::kInternal, fmt::format("xz could not compress {} bytes", bytes.size()));
  output.resize(end);
}

void decode_xz(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  std::uint64_t max_bytes = kMaxDecoderBytes;
  std::size_t consumed = 0;
  std::size_t filled = 0;
  switch (lzma_stream_buffer_decode(&max_bytes, LZMA_CONCATENATED, nullptr, as_uint8(encoded.data()),
                                    &consumed, encoded.size(), as_uint8(decoded.data()), &filled,
                                    decoded.size())) {
    case LZMA_OK:
      break;
    case LZMA_MEM_ERROR:
      throw std::bad_alloc();
    case LZMA_BUF_ERROR:
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("xz stream holds more than the expected {} bytes", decoded.size()));
    case LZMA_MEMLIMIT_ERROR:
      throw Error(ErrorKind::kCorruptData, fmt::format("xz stream needs {} MiB to be decoded, at most {}",
                                                       max_bytes >> 20, kMaxDecoderBytes >> 20));
    default:
      throw Error(ErrorKind::kCorruptData, "xz stream is damaged or cut short");
  }
  if (filled != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("xz stream holds {} bytes, expected {}", filled, decoded.size()));
  }
}

}  // namespace organon::storage
