#include "organon/storage/codecs/codec.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

struct CodecCase {
  std::string name;
  Encoding encoding;
  bool has_checksum = false;  ///< damage never gives other bytes
};

void PrintTo(const CodecCase& c, std::ostream* out) { *out << c.name; }

/// The laws of a codec of bytes.
class CodecContract : public ::testing::TestWithParam<CodecCase> {
 protected:
  static std::vector<std::byte> make_bytes(std::size_t count, bool is_random) {
    std::vector<std::byte> bytes(count);
    std::uint64_t state = 42;
    for (std::size_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bytes[i] = static_cast<std::byte>(is_random ? state >> 56 : i / 100);
    }
    return bytes;
  }
  static Codec codec() { return GetParam().encoding.codec; }
  static std::vector<std::byte> encode(Bytes bytes, int level = -1) {
    Encoding encoding = GetParam().encoding;
    encoding.level = level;
    encoding.voxel_bytes = 2;
    std::vector<std::byte> encoded;
    append_encoded(encoding, bytes, encoded);
    return encoded;
  }
  static void decode_into(Bytes encoded, std::span<std::byte> decoded) {
    decode(codec(), encoded, decoded, GetParam().encoding.lz4_framing);
  }
  static void expect_corrupt(Bytes encoded, std::size_t decoded_bytes) {
    std::vector<std::byte> decoded(decoded_bytes);
    try {
      decode_into(encoded, decoded);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.what();
    }
  }
};

TEST_P(CodecContract, DecodesWhatItEncodedAtEveryLevel) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{1000}, std::size_t{300000}}) {
    for (const bool is_random : {false, true}) {
      const std::vector<std::byte> bytes = make_bytes(count, is_random);
      for (const int level : {-1, 0, 1, 2, 6, 9}) {
        if (!find_level_problem(codec(), level).empty()) continue;
        const std::vector<std::byte> encoded = encode(bytes, level);
        std::vector<std::byte> decoded(count);
        decode_into(encoded, decoded);
        EXPECT_EQ(decoded, bytes) << count << " bytes, level " << level;
      }
    }
  }
}

TEST_P(CodecContract, AppendsAfterAHeader) {
  const std::vector<std::byte> bytes = make_bytes(500, false);
  std::vector<std::byte> output(7, std::byte{9});
  append_encoded(GetParam().encoding, bytes, output);
  EXPECT_EQ(output[6], std::byte{9});
  std::vector<std::byte> decoded(500);
  decode_into(Bytes(output).subspan(7), decoded);
  EXPECT_EQ(decoded, bytes);
}

TEST_P(CodecContract, RefusesOtherSizesThanExpected) {
  const std::vector<std::byte> encoded = encode(make_bytes(5000, false));
  expect_corrupt(encoded, 4999);
  expect_corrupt(encoded, 5001);
  // A bomb: far more than expected is not expanded.
  expect_corrupt(encode(std::vector<std::byte>(std::size_t{20} << 20)), 16);
}

TEST_P(CodecContract, RefusesTruncationAtEveryByte) {
  const std::vector<std::byte> encoded = encode(make_bytes(700, true));
  for (std::size_t count = 0; count < encoded.size(); ++count)
    expect_corrupt(Bytes(encoded).first(count), 700);
}

TEST_P(CodecContract, FlippedBitsNeverCrash) {
  const std::vector<std::byte> bytes = make_bytes(3000, false);
  const std::vector<std::byte> encoded = encode(bytes);
  std::vector<std::byte> decoded(bytes.size());
  for (std::size_t bit = 0; bit < 8 * encoded.size(); ++bit) {
    std::vector<std::byte> damaged = encoded;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    try {
      decode_into(damaged, decoded);
      if (GetParam().has_checksum) {
        EXPECT_EQ(decoded, bytes) << "bit " << bit;
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
}

std::vector<CodecCase> all_codecs() {
  std::vector<CodecCase> cases;
  for (const Codec codec : {Codec::kRaw, Codec::kGzip, Codec::kZlib, Codec::kZstd, Codec::kBlosc,
                            Codec::kBzip2, Codec::kXz, Codec::kLz4}) {
    const bool has_checksum = codec != Codec::kRaw && codec != Codec::kBlosc && codec != Codec::kLz4;
    cases.push_back({std::string(to_string(codec)), {.codec = codec}, has_checksum});
  }
  cases.push_back({"lz4_java", {.codec = Codec::kLz4, .lz4_framing = Lz4Framing::kJava}, true});
  for (const BloscInner inner :
       {BloscInner::kBlosclz, BloscInner::kLz4, BloscInner::kLz4hc, BloscInner::kZlib}) {
    cases.push_back(
        {"blosc_" + std::string(to_string(inner)), {.codec = Codec::kBlosc, .blosc_inner = inner}, false});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, CodecContract, ::testing::ValuesIn(all_codecs()),
                         [](const auto& parameter) { return parameter.param.name; });

class SeveralStreams : public ::testing::TestWithParam<Codec> {};

TEST_P(SeveralStreams, AreReadAsOne) {
  const std::vector<std::byte> half(100, std::byte{5});
  std::vector<std::byte> encoded;
  append_encoded({.codec = GetParam(), .level = 1}, half, encoded);
  append_encoded({.codec = GetParam(), .level = 6}, half, encoded);
  std::vector<std::byte> decoded(200);
  decode(GetParam(), encoded, decoded);
  EXPECT_EQ(decoded, std::vector<std::byte>(200, std::byte{5}));
  EXPECT_THROW(decode(GetParam(), encoded, std::span(decoded).first(199)), Error);
  EXPECT_THROW(decode(GetParam(), encoded, std::span(decoded).first(100)), Error);
}

INSTANTIATE_TEST_SUITE_P(All, SeveralStreams, ::testing::Values(Codec::kGzip, Codec::kBzip2, Codec::kXz),
                         [](const auto& parameter) { return std::string(to_string(parameter.param)); });

TEST(Lz4, JavaFrameIsAsLz4JavaWritesIt) {
  // 4 bytes that cannot be compressed: stored.
  const std::vector<std::byte> bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  std::vector<std::byte> encoded;
  append_encoded({.codec = Codec::kLz4, .lz4_framing = Lz4Framing::kJava}, bytes, encoded);
  ASSERT_EQ(encoded.size(), 2 * 21 + 4u);
  EXPECT_EQ(std::memcmp(encoded.data(), "LZ4Block\x16\x04\0\0\0\x04\0\0\0", 17), 0);
  const std::uint32_t checksum = XXH32(bytes.data(), bytes.size(), 0x9747b28c) & 0x0fffffff;
  EXPECT_EQ(std::memcmp(&encoded[17], &checksum, 4), 0);
  EXPECT_EQ(std::memcmp(&encoded[25], "LZ4Block\x16\0\0\0\0\0\0\0\0\0\0\0\0", 21), 0);
}

TEST(Lz4, JavaFrameHoldsManyBlocksAndEndsAtItsMark) {
  std::vector<std::byte> bytes(200000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / 7 % 251);
  std::vector<std::byte> encoded;
  append_lz4(bytes, Lz4Framing::kJava, encoded);
  std::vector<std::byte> decoded(bytes.size());
  decode_lz4(encoded, Lz4Framing::kJava, decoded);
  EXPECT_EQ(decoded, bytes);
  const auto expect_corrupt = [&](const std::vector<std::byte>& stream) {
    EXPECT_THROW(decode_lz4(stream, Lz4Framing::kJava, decoded), Error);
  };
  auto longer = encoded;
  longer.push_back({});
  expect_corrupt(longer);
  expect_corrupt({encoded.begin(), encoded.end() - 21});
  // A block that says it decodes to 4 GiB.
  auto bomb = encoded;
  std::fill_n(bomb.begin() + 13, 4, std::byte{0xff});
  expect_corrupt(bomb);
}

TEST(Codec, HeadersThatAskForMuchMemoryAreRefused) {
  std::vector<std::byte> bytes(1000, std::byte{1});
  std::vector<std::byte> encoded;
  append_encoded({.codec = Codec::kLz4}, bytes, encoded);
  std::fill_n(encoded.begin(), 4, std::byte{0xff});
  EXPECT_THROW(decode(Codec::kLz4, encoded, bytes), Error);
}

TEST(Codec, LevelsOutOfRangeAreNamed) {
  EXPECT_EQ(find_level_problem(Codec::kGzip, 10), "gzip level 10 is not in 0 .. 9");
  EXPECT_EQ(find_level_problem(Codec::kZstd, 22), "");
  EXPECT_EQ(find_level_problem(Codec::kRaw, -1), "");
  EXPECT_EQ(find_level_problem(Codec::kBzip2, 0), "bzip2 level 0 is not in 1 .. 9");
  EXPECT_EQ(find_level_problem(Codec::kLz4, 1), "lz4 level 1 is not in 0 .. 0");
}

}  // namespace
}  // namespace organon::storage
