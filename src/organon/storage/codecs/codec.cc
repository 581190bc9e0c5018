#include "organon/storage/codecs/codec.h"

#include <fmt/format.h>

#include "organon/base/check.h"
#include "organon/storage/codecs/blosc.h"
#include "organon/storage/codecs/bzip2.h"
#include "organon/storage/codecs/gzip.h"
#include "organon/storage/codecs/raw.h"
#include "organon/storage/codecs/xz.h"
#include "organon/storage/codecs/zstd.h"

namespace organon::storage {
namespace {

struct Levels {
  int lowest = 0;
  int highest = 0;
  int by_default = 0;
};

Levels levels_of(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
    case Codec::kZlib:
    case Codec::kBlosc:  // 6 times faster than 5 on EM, and not larger
      return {0, 9, 1};
    case Codec::kZstd:
      return {0, 22, 3};
    case Codec::kBzip2:  // chunks of up to 900 kB are one block then
      return {1, 9, 9};
    case Codec::kXz:
      return {0, 9, 1};
    case Codec::kRaw:
    case Codec::kLz4:
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  return {};
}

}  // namespace

Encoding encoding_of(const DatasetSpec& spec, Lz4Framing lz4_framing) {
  return {spec.codec, spec.level, size_of(spec.data_type), spec.blosc_inner, lz4_framing};
}

int default_level(Codec codec) { return levels_of(codec).by_default; }

std::string find_level_problem(Codec codec, int level) {
  const Levels levels = levels_of(codec);
  if (level == -1 || (level >= levels.lowest && level <= levels.highest)) return {};
  return fmt::format("{} level {} is not in {} .. {}", to_string(codec), level, levels.lowest,
                     levels.highest);
}

void append_encoded(const Encoding& encoding, Bytes bytes, std::vector<std::byte>& output) {
  const int level = encoding.level == -1 ? default_level(encoding.codec) : encoding.level;
  switch (encoding.codec) {
    case Codec::kRaw:
      return append_raw(bytes, output);
    case Codec::kGzip:
      return append_gzip(bytes, level, GzipFraming::kGzip, output);
    case Codec::kZlib:
      return append_gzip(bytes, level, GzipFraming::kZlib, output);
    case Codec::kZstd:
      return append_zstd(bytes, level, output);
    case Codec::kBlosc:
      return append_blosc(bytes, encoding.blosc_inner, level, encoding.voxel_bytes, output);
    case Codec::kBzip2:
      return append_bzip2(bytes, level, output);
    case Codec::kXz:
      return append_xz(bytes, level, output);
    case Codec::kLz4:
      return append_lz4(bytes, encoding.lz4_framing, output);
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  ORGANON_CHECK(false && "not a codec of bytes");
}

void decode(Codec codec, Bytes encoded, std::span<std::byte> decoded, Lz4Framing lz4_framing) {
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
    case Codec::kBzip2:
      return decode_bzip2(encoded, decoded);
    case Codec::kXz:
      return decode_xz(encoded, decoded);
    case Codec::kLz4:
      return decode_lz4(encoded, lz4_framing, decoded);
    case Codec::kCompressedSegmentation:
    case Codec::kJpeg:
    case Codec::kPng:
      break;
  }
  ORGANON_CHECK(false && "not a codec of bytes");
}

}  // namespace organon::storage
