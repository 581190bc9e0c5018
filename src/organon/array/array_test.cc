#include "organon/array/array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>

#include "organon/array/any_array.h"
#include "organon/array/border.h"
#include "organon/array/copy.h"

namespace organon {
namespace {

TEST(DataType, NamesRoundTrip) {
  for (int i = 0; i < 10; ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(data_type_from_string(to_string(type)), type);
  }
  EXPECT_FALSE(data_type_from_string("complex64"));
  EXPECT_EQ(smallest_unsigned_type(255), DataType::kUint8);
  EXPECT_EQ(smallest_unsigned_type(256), DataType::kUint16);
}

TEST(ArrayView, PartSharesMemoryOfTheWhole) {
  Array<std::uint8_t> array({3, 4, 5});
  array.view().part({{1, 1, 1}, {3, 3, 3}})(1, 1, 1) = 9;
  EXPECT_EQ(array(2, 2, 2), 9);
}

TEST(Array, LargeOnesHoldTheirVoxelsAndImpossibleOnesAreRefused) {
  // Not a multiple of the large pages.
  const Array<std::uint32_t> large({7, 1024, 1025}, 5u);
  EXPECT_EQ(std::count(large.data(), large.data() + large.size(), 5u), large.size());
  EXPECT_THROW(allocate_voxels<std::uint64_t>(std::size_t{1} << 62), std::bad_alloc);
}

TEST(Border, ReflectDoesNotRepeatTheEdgeAndFoldsAnyDistance) {
  EXPECT_EQ(border_index(-1, 4, Border::kReflect), 1);
  EXPECT_EQ(border_index(4, 4, Border::kReflect), 2);
  EXPECT_EQ(border_index(-7, 4, Border::kReflect), 1);
  EXPECT_EQ(border_index(-5, 1, Border::kReflect), 0);
  EXPECT_EQ(border_index(9, 4, Border::kReplicate), 3);
}

TEST(Border, CopyWithBorderFillsOutsideByTheRule) {
  Array<std::uint8_t> line({1, 1, 3});
  for (std::int64_t x = 0; x < 3; ++x) line(0, 0, x) = static_cast<std::uint8_t>(x + 1);
  const Box domain = Box::of_shape(line.shape());
  const Box wide{{0, 0, -2}, {1, 1, 5}};
  const auto filled = [&](Border border) {
    Array<std::uint8_t> target(wide.shape());
    copy_with_border<std::uint8_t>(line, domain, domain, border, 7, target, wide);
    return std::vector<int>(target.data(), target.data() + target.size());
  };
  EXPECT_EQ(filled(Border::kReflect), (std::vector<int>{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(filled(Border::kReplicate), (std::vector<int>{1, 1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(filled(Border::kConstant), (std::vector<int>{7, 7, 1, 2, 3, 7, 7}));
}

TEST(Copy, OverlapOnlyTouchesWhatBothShare) {
  const Array<std::uint16_t> source({2, 2, 2}, 5);
  Array<std::uint16_t> target({2, 2, 2}, 1);
  copy_overlap<std::uint16_t>(source, Box::at({1, 1, 1}, {2, 2, 2}), target, Box::of_shape({2, 2, 2}));
  EXPECT_EQ(target(1, 1, 1), 5);
  EXPECT_EQ(target(0, 1, 1), 1);
}

}  // namespace
}  // namespace organon
