#include "organon/storage/codecs/bzip2.h"

#include <bzlib.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// bzlib counts in 32 bits; longer streams are handed over in parts.
constexpr std::size_t kMaxCallBytes = std::size_t{1} << 30;

// bzlib reads through a pointer that lacks const.
char* input_pointer(std::span<const std::byte> bytes) {
  return const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
}

struct Decompressor {
  Decompressor() {
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { BZ2_bzDecompressEnd(&stream); }

  bz_stream stream = {};
};

// Decodes one stream from the front of `encoded` into `decoded` from `filled` on; both advance.
void decode_stream(std::span<const std::byte>& encoded, std::span<std::byte> decoded, std::size_t& filled) {
  Decompressor decompressor;
  bz_stream& stream = decompressor.stream;
  int result = BZ_OK;
  while (result == BZ_OK) {
    // Where all room is used the end of the stream is still to be read: one byte more is too much.
    char spare = 0;
    const std::size_t room = std::min(decoded.size() - filled, kMaxCallBytes);
    const auto available_out = static_cast<unsigned>(std::max<std::size_t>(room, 1));
    const auto available_in = static_cast<unsigned>(std::min(encoded.size(), kMaxCallBytes));
    stream.next_in = input_pointer(encoded);
    stream.avail_in = available_in;
    stream.next_out = room > 0 ? reinterpret_cast<char*>(decoded.data() + filled) : &spare;
    stream.avail_out = available_out;
    result = BZ2_bzDecompress(&stream);
    const std::size_t consumed = available_in - stream.avail_in;
    const std::size_t produced = available_out - stream.avail_out;
    if (produced > room) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("bzip2 stream holds more than the expected {} bytes", decoded.size()));
    }
    if (result == BZ_OK && consumed == 0 && produced == 0) {
      throw Error(ErrorKind::kCorruptData, "bzip2 stream is cut short");
    }
    filled += produced;
    encoded = encoded.subspan(consumed);
  }
  if (result == BZ_MEM_ERROR) throw std::bad_alloc();
  if (result != BZ_STREAM_END) throw Error(ErrorKind::kCorruptData, "bzip2 stream is damaged");
}

}  // namespace

void append_bzip2(std::span<const std::byte> bytes, int level, std::vector<std::byte>& output) {
  // The bound that bzlib's manual gives.
  const std::size_t bound = bytes.size() + bytes.size() / 100 + 600;
  if (bound > std::numeric_limits<unsigned>::max()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("a bzip2 chunk of {} bytes is above the 4 GiB that fit", bytes.size()));
  }
  const std::size_t start = output.size();
  output.resize(start + bound);
  auto written = static_cast<unsigned>(bound);
  const int result =
      BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(output.data() + start), &written, input_pointer(bytes),
                               static_cast<unsigned>(bytes.size()), level, 0, 0);
  if (result == BZ_MEM_ERROR) throw std::bad_alloc();
  if (result != BZ_OK)
    throw Error(ErrorKind::kInternal, fmt::format("bzip2 could not compress {} bytes", bytes.size()));
  output.resize(start + written);
}

void decode_bzip2(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  std::size_t filled = 0;
  // At least one stream, also where nothing is to be decoded.
  do {
    decode_stream(encoded, decoded, filled);
  } while (!encoded.empty());
  if (filled != decoded.size()) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("bzip2 stream holds {} bytes, expected {}", filled, decoded.size()));
  }
}

}  // namespace organon::storage
