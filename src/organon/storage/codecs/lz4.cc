#include "organon/storage/codecs/lz4.h"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/storage/byte_order.h"  // numbers are little-endian, as in memory

namespace organon::storage {
namespace {

// The frame of lz4-java: magic, a byte for method and block size, compressed size, decoded size, checksum.
constexpr std::string_view kMagic = "LZ4Block";
constexpr std::size_t kHeaderBytes = 8 + 1 + 4 + 4 + 4;
constexpr std::size_t kBlockBytes = 65536;
constexpr unsigned kMethodMask = 0xf0;
constexpr unsigned kMethodRaw = 0x10;
constexpr unsigned kMethodLz4 = 0x20;
// The low half of that byte: blocks hold up to 2^(10 + 6) bytes.
constexpr unsigned kSizeOfBlocks = 6;
constexpr std::uint32_t kChecksumSeed = 0x9747b28c;
// lz4-java drops the upper four bits.
constexpr std::uint32_t kChecksumMask = 0x0fffffff;

[[noreturn]] void throw_corrupt(const std::string& message) { throw Error(ErrorKind::kCorruptData, message); }

std::uint32_t checksum_of(std::span<const std::byte> bytes) {
  return checksum_xxh32(bytes, kChecksumSeed) & kChecksumMask;
}

std::uint32_t read_uint32(const std::byte* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

void write_uint32(std::uint32_t value, std::byte* bytes) { std::memcpy(bytes, &value, sizeof(value)); }

// Requires: at most LZ4_MAX_INPUT_SIZE bytes.
void append_block(std::span<const std::byte> bytes, std::vector<std::byte>& output) {
  const std::size_t start = output.size();
  const int bound = LZ4_compressBound(static_cast<int>(bytes.size()));
  output.resize(start + static_cast<std::size_t>(bound));
  const int written = LZ4_compress_default(reinterpret_cast<const char*>(bytes.data()),
                                           reinterpret_cast<char*>(output.data() + start),
                                           static_cast<int>(bytes.size()), bound);
  if (written <= 0)
    throw Error(ErrorKind::kInternal, fmt::format("lz4 could not compress {} bytes", bytes.size()));
  output.resize(start + static_cast<std::size_t>(written));
}

// True where the block decodes to exactly `decoded`.
bool decode_block(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  constexpr std::size_t kMaxBytes = std::numeric_limits<int>::max();
  if (encoded.size() > kMaxBytes || decoded.size() > kMaxBytes) return false;
  // lz4 wants a place to write to also where nothing is to be written.
  char nowhere = 0;
  char* const target = decoded.empty() ? &nowhere : reinterpret_cast<char*>(decoded.data());
  return LZ4_decompress_safe(reinterpret_cast<const char*>(encoded.data()), target,
                             static_cast<int>(encoded.size()),
                             static_cast<int>(decoded.size())) == static_cast<int>(decoded.size());
}

struct JavaHeader {
  unsigned method = 0;
  std::uint32_t compressed_bytes = 0;
  std::uint32_t decoded_bytes = 0;
  std::uint32_t checksum = 0;
};

void write_header(const JavaHeader& header, std::byte* place) {
  std::memcpy(place, kMagic.data(), kMagic.size());
  place[8] = static_cast<std::byte>(header.method | kSizeOfBlocks);
  write_uint32(header.compressed_bytes, place + 9);
  write_uint32(header.decoded_bytes, place + 13);
  write_uint32(header.checksum, place + 17);
}

JavaHeader read_header(std::span<const std::byte> encoded) {
  if (encoded.size() < kHeaderBytes || std::memcmp(encoded.data(), kMagic.data(), kMagic.size()) != 0) {
    throw_corrupt("lz4 stream is damaged or cut short");
  }
  return {std::to_integer<unsigned>(encoded[8]) & kMethodMask, read_uint32(&encoded[9]),
          read_uint32(&encoded[13]), read_uint32(&encoded[17])};
}

void append_java(std::span<const std::byte> bytes, std::vector<std::byte>& output) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kBlockBytes));
    const std::size_t start = output.size();
    output.resize(start + kHeaderBytes);
    append_block(part, output);
    JavaHeader header;
    header.method = kMethodLz4;
    if (output.size() - start - kHeaderBytes >= part.size()) {
      header.method = kMethodRaw;
      output.resize(start + kHeaderBytes);
      output.insert(output.end(), part.begin(), part.end());
    }
    header.compressed_bytes = static_cast<std::uint32_t>(output.size() - start - kHeaderBytes);
    header.decoded_bytes = static_cast<std::uint32_t>(part.size());
    header.checksum = checksum_of(part);
    write_header(header, &output[start]);
    bytes = bytes.subspan(part.size());
  }
  const std::size_t start = output.size();
  output.resize(start + kHeaderBytes);
  write_header({kMethodRaw, 0, 0, 0}, &output[start]);
}

void decode_java(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  const std::size_t expected = decoded.size();
  while (true) {
    const JavaHeader header = read_header(encoded);
    encoded = encoded.subspan(kHeaderBytes);
    if (header.decoded_bytes == 0) {
      if (header.compressed_bytes != 0 || header.checksum != 0) throw_corrupt("lz4 end mark is damaged");
      break;
    }
    if (header.compressed_bytes > encoded.size()) throw_corrupt("lz4 stream is cut short");
    if (header.decoded_bytes > decoded.size()) {
      throw_corrupt(fmt::format("lz4 stream holds more than the expected {} bytes", expected));
    }
    const auto block = encoded.first(header.compressed_bytes);
    const auto target = decoded.first(header.decoded_bytes);
    if (header.method == kMethodRaw && block.size() == target.size()) {
      std::ranges::copy(block, target.begin());
    } else if (header.method != kMethodLz4 || !decode_block(block, target)) {
      throw_corrupt("lz4 block is damaged");
    }
    if (checksum_of(target) != header.checksum) throw_corrupt("lz4 block has another checksum");
    encoded = encoded.subspan(block.size());
    decoded = decoded.subspan(target.size());
  }
  if (!encoded.empty()) {
    throw_corrupt(fmt::format("{} bytes after the end of the lz4 stream", encoded.size()));
  }
  if (!decoded.empty()) {
    throw_corrupt(fmt::format("lz4 stream holds {} bytes, expected {}", expected - decoded.size(), expected));
  }
}

void append_numcodecs(std::span<const std::byte> bytes, std::vector<std::byte>& output) {
  if (bytes.size() > LZ4_MAX_INPUT_SIZE) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("an lz4 chunk of {} bytes is above the {} that fit",
                                                         bytes.size(), LZ4_MAX_INPUT_SIZE));
  }
  const std::size_t start = output.size();
  output.resize(start + 4);
  write_uint32(static_cast<std::uint32_t>(bytes.size()), &output[start]);
  append_block(bytes, output);
}

void decode_numcodecs(std::span<const std::byte> encoded, std::span<std::byte> decoded) {
  if (encoded.size() < 4) throw_corrupt("lz4 block is cut short");
  const std::uint32_t found = read_uint32(encoded.data());
  if (found != decoded.size()) {
    throw_corrupt(fmt::format("lz4 block holds {} bytes, expected {}", found, decoded.size()));
  }
  if (!decode_block(encoded.subspan(4), decoded)) throw_corrupt("lz4 block is damaged or cut short");
}

}  // namespace

void append_lz4(std::span<const std::byte> bytes, Lz4Framing framing, std::vector<std::byte>& output) {
  if (framing == Lz4Framing::kJava) {
    append_java(bytes, output);
  } else {
    append_numcodecs(bytes, output);
  }
}

void decode_lz4(std::span<const std::byte> encoded, Lz4Framing framing, std::span<std::byte> decoded) {
  if (framing == Lz4Framing::kJava) {
    decode_java(encoded, decoded);
  } else {
    decode_numcodecs(encoded, decoded);
  }
}

}  // namespace organon::storage
