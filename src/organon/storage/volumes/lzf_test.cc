#include "organon/storage/volumes/lzf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "organon/base/random.h"

namespace organon::storage {
namespace {

using Bytes = std::vector<std::byte>;

// A slow encoder after the same description: the twin of the decoder.
Bytes encode_lzf(std::span<const std::byte> bytes) {
  Bytes out;
  std::size_t literal_begin = 0;
  const auto flush = [&](std::size_t end) {
    while (literal_begin < end) {
      const std::size_t count = std::min<std::size_t>(32, end - literal_begin);
      out.push_back(static_cast<std::byte>(count - 1));
      out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(literal_begin),
                 bytes.begin() + static_cast<std::ptrdiff_t>(literal_begin + count));
      literal_begin += count;
    }
  };
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t best = 0, best_distance = 0;
    for (std::size_t distance = 1; distance <= std::min<std::size_t>(at, 8192); ++distance) {
      std::size_t length = 0;
      while (at + length < bytes.size() && length < 264 &&
             bytes[at + length - distance] == bytes[at + length])
        ++length;
      if (length > best) best = length, best_distance = distance;
    }
    if (best < 3) {
      ++at;
      continue;
    }
    flush(at);
    const std::size_t length = best - 2, distance = best_distance - 1;
    if (length < 7) {
      out.push_back(static_cast<std::byte>(length << 5 | distance >> 8));
    } else {
      out.push_back(static_cast<std::byte>(7 << 5 | distance >> 8));
      out.push_back(static_cast<std::byte>(length - 7));
    }
    out.push_back(static_cast<std::byte>(distance & 255));
    at += best;
    literal_begin = at;
  }
  flush(bytes.size());
  return out;
}

TEST(Lzf, InvertsASlowEncoder) {
  Random random(8);
  for (int round = 0; round < 60; ++round) {
    Bytes bytes(random.below(1500));
    const std::uint64_t num_values = 1 + random.below(round % 3 == 0 ? 256 : 3);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(num_values));
    const Bytes encoded = encode_lzf(bytes);
    Bytes decoded(bytes.size());
    ASSERT_EQ(decode_lzf(encoded, decoded), bytes.size());
    ASSERT_EQ(decoded, bytes);
    if (!bytes.empty()) {
      Bytes small(bytes.size() - 1);
      ASSERT_FALSE(decode_lzf(encoded, small));
    }
  }
}

TEST(Lzf, DamageIsFound) {
  const auto decode = [](std::initializer_list<int> values) {
    Bytes encoded, decoded(100);
    for (const int value : values) encoded.push_back(static_cast<std::byte>(value));
    return decode_lzf(encoded, decoded);
  };
  EXPECT_EQ(decode({1, 7, 8}), 2u);
  EXPECT_EQ(decode({}), 0u);
  EXPECT_FALSE(decode({1, 7}));               // literals end too early
  EXPECT_FALSE(decode({32, 0}));              // reaches before the begin
  EXPECT_FALSE(decode({0, 7, 32, 1}));        // the same
  EXPECT_FALSE(decode({0, 7, 32}));           // no distance
  EXPECT_FALSE(decode({0, 7, 224}));          // no length
  EXPECT_FALSE(decode({0, 7, 224, 200, 0}));  // more than there is room for
  EXPECT_EQ(decode({0, 7, 32, 0}), 4u);
}

}  // namespace
}  // namespace organon::storage
