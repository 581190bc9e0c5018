#include "organon/storage/codecs/codec.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

/// The laws of a codec of bytes.
class CodecContract : public ::testing::TestWithParam<Codec> {
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
  std::vector<std::byte> encode(Bytes bytes, int level = -1) const {
    std::vector<std::byte> encoded;
    append_encoded(GetParam(), level, 2, bytes, encoded);
    return encoded;
  }
  void expect_corrupt(Bytes encoded, std::size_t decoded_bytes) const {
    std::vector<std::byte> decoded(decoded_bytes);
    try {
      decode(GetParam(), encoded, decoded);
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
        if (!find_level_problem(GetParam(), level).empty()) continue;
        const std::vector<std::byte> encoded = encode(bytes, level);
        std::vector<std::byte> decoded(count);
        decode(GetParam(), encoded, decoded);
        EXPECT_EQ(decoded, bytes) << count << " bytes, level " << level;
      }
    }
  }
}

TEST_P(CodecContract, AppendsAfterAHeader) {
  const std::vector<std::byte> bytes = make_bytes(500, false);
  std::vector<std::byte> output(7, std::byte{9});
  append_encoded(GetParam(), -1, 1, bytes, output);
  EXPECT_EQ(output[6], std::byte{9});
  std::vector<std::byte> decoded(500);
  decode(GetParam(), Bytes(output).subspan(7), decoded);
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
      decode(GetParam(), damaged, decoded);
      const bool has_checksum = GetParam() != Codec::kRaw && GetParam() != Codec::kBlosc;
      if (has_checksum) {
        EXPECT_EQ(decoded, bytes) << "bit " << bit;
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CodecContract,
                         ::testing::Values(Codec::kRaw, Codec::kGzip, Codec::kZlib, Codec::kZstd,
                                           Codec::kBlosc),
                         [](const auto& parameter) { return std::string(to_string(parameter.param)); });

TEST(Gzip, ReadsSeveralMembersAsOneStream) {
  const std::vector<std::byte> half(100, std::byte{5});
  std::vector<std::byte> encoded;
  append_encoded(Codec::kGzip, 1, 1, half, encoded);
  append_encoded(Codec::kGzip, 6, 1, half, encoded);
  std::vector<std::byte> decoded(200);
  decode(Codec::kGzip, encoded, decoded);
  EXPECT_EQ(decoded, std::vector<std::byte>(200, std::byte{5}));
}

TEST(Codec, LevelsOutOfRangeAreNamed) {
  EXPECT_EQ(find_level_problem(Codec::kGzip, 10), "gzip level 10 is not in 0 .. 9");
  EXPECT_EQ(find_level_problem(Codec::kZstd, 22), "");
  EXPECT_EQ(find_level_problem(Codec::kRaw, -1), "");
}

}  // namespace
}  // namespace organon::storage
