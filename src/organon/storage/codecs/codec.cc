#include "organon/storage/codecs/codec.h"

#include <fmt/format.h>

#include "organon/base/check.h"
#include "organon/storage/codecs/blosc.h"
#include "organon/storage/codecs/gzip.h"
#include "organon/storage/codecs/raw.h"
#include "organon/storage/codecs/zstd.h"

namespace organon::storage {

int default_level(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
    case Codec::kZlib:
    case Codec::kBlosc:  // 6 times faster than 5 on EM, and not larger
      return 1;
    case Codec::kZstd:
      return 3;
    case Codec::kRaw:
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  return 0;
}

std::string find_level_problem(Codec codec, int level) {
  if (level == -1) return {};
  int highest = 0;
  if (codec == Codec::kGzip || codec == Codec::kZlib || codec == Codec::kBlosc) highest = 9;
  if (codec == Codec::kZstd) highest = 22;
  if (level >= 0 && level <= highest) return {};
  return fmt::format("{} level {} is not in 0 .. {}", to_string(codec), level, highest);
}

void append_encoded(Codec codec, int level, std::size_t voxel_bytes, Bytes bytes,
                    std::vector<std::byte>& output) {
  if (level == -1) level = default_level(codec);
  switch (codec) {
    case Codec::kRaw:
      return append_raw(bytes, output);
    case Codec::kGzip:
      return append_gzip(bytes, level, GzipFraming::kGzip, output);
    case Codec::kZlib:
      return append_gzip(bytes, level, GzipFraming::kZlib, output);
    case Codec::kZstd:
      return append_zstd(bytes, level, output);
    case Codec::kBlosc:
      return append_blosc(bytes, level, voxel_bytes, output);
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  ORGANON_CHECK(false && "not a codec of bytes");
}

void decode(Codec codec, Bytes encoded, std::span<std::byte> decoded) {
  switch (codec) {
    case Codec::kRaw:
      return decode_raw(encoded, decoded);
    case Codec::kGzip:
      return decode_gzip(encoded, GzipFraming::kGzip, decoded);
    case Codec::kZlib:
      return decode_gzip(encoded, GzipFraming::kZlib, decoded);
    case Codec::kZstd:
      return decode_zstd(encoded, decoded);
    case Codec::kBlosc:
      return decode_blosc(encoded, decoded);
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  ORGANON_CHECK(false && "not a codec of bytes");
}

}  // namespace organon::storage
