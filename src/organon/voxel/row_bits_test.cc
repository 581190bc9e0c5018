#include "organon/voxel/row_bits.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <random>
#include <vector>

namespace organon::voxel {
namespace {

template <class T>
void expect_bits_of_the_definition() {
  std::mt19937 random(3);
  for (std::int64_t width = 0; width < 300; ++width) {
    std::vector<T> row(static_cast<std::size_t>(width));
    // The ids differ in their highest bit only, or not at all.
    for (T& id : row)
      id = random() % 3 == 0 ? 0 : static_cast<T>(T{1} << (random() % 2 * (8 * sizeof(T) - 1)));
    std::vector<T> other = row;
    for (T& id : other) id = random() % 4 == 0 ? 1 : id;
    std::vector<std::uint64_t> nonzero(static_cast<std::size_t>(num_words(width)) + 1, 77);
    std::vector<std::uint64_t> differences = nonzero;
    find_nonzero<T>(row.data(), width, nonzero.data());
    find_differences<T>(row.data(), other.data(), width, differences.data());
    EXPECT_EQ(nonzero.back(), 77u);
    EXPECT_EQ(differences.back(), 77u);
    for (std::int64_t i = 0; i < 64 * num_words(width); ++i) {
      const auto at = static_cast<std::size_t>(i);
      ASSERT_EQ(nonzero[at / 64] >> (i % 64) & 1, i < width && row[at] != 0) << width << " " << i;
      ASSERT_EQ(differences[at / 64] >> (i % 64) & 1, i < width && row[at] != other[at]) << width << " " << i;
    }
  }
}

TEST(RowBits, AreThoseOfTheirDefinitionAtEveryWidthOnEveryInstructionSet) {
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    expect_bits_of_the_definition<std::uint8_t>();
    expect_bits_of_the_definition<std::uint16_t>();
    expect_bits_of_the_definition<std::uint32_t>();
    expect_bits_of_the_definition<std::uint64_t>();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace organon::voxel
