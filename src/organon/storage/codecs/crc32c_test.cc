#include "organon/storage/codecs/crc32c.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/random.h"

namespace organon::storage {
namespace {

// Bit by bit, with the reversed polynomial.
std::uint32_t crc32c_by_bits(std::span<const std::byte> bytes) {
  std::uint32_t state = 0xffffffff;
  for (const std::byte byte : bytes) {
    state ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0x82f63b78u : 0u);
  }
  return ~state;
}

TEST(Crc32c, EqualsTheValuesOfRfc3720) {
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xe3069283u);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xff})), 0x62a8ab43u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, EqualsItsTwinForAnyLengthAndPlace) {
  Random random(1);
  std::vector<std::byte> bytes(3000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  for (int trial = 0; trial < 200; ++trial) {
    const auto begin = static_cast<std::size_t>(random.below(100));
    const auto count = static_cast<std::size_t>(random.below(2900));
    const auto part = std::span<const std::byte>(bytes).subspan(begin, count);
    EXPECT_EQ(crc32c(part), crc32c_by_bits(part));
  }
}

TEST(Crc32c, IsAppendedAndTakenOffAgain) {
  std::vector<std::byte> bytes(10, std::byte{3});
  append_crc32c(bytes, 4);
  ASSERT_EQ(bytes.size(), 14u);
  const auto content = without_crc32c(std::span(bytes).subspan(4));
  EXPECT_EQ(content.size(), 6u);
  for (std::size_t bit = 0; bit < 80; ++bit) {
    bytes[4 + bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_THROW(without_crc32c(std::span(bytes).subspan(4)), Error);
    bytes[4 + bit / 8] ^= std::byte{1} << (bit % 8);
  }
  EXPECT_THROW(without_crc32c(std::span(bytes).first(3)), Error);
}

}  // namespace
}  // namespace organon::storage
