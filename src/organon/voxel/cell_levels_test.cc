#include "organon/voxel/cell_levels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"
#include "organon/voxel/downsample.h"

namespace organon::voxel {
namespace {

template <class T>
Array<T> random_voxels(const Shape3& shape, std::uint64_t num_values, std::uint64_t seed) {
  Array<T> voxels(shape);
  Random random(seed);
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    voxels.data()[i] = static_cast<T>(random.below(num_values));
  return voxels;
}

// The levels by factors (1 or 2 per axis each), each from pieces of the one before; expect(level, cell)
// compares.
template <class Cells, class T, class Expect>
void expect_levels(const Array<T>& voxels, const std::vector<Shape3>& factors, const Expect& expect) {
  std::optional<Cells> finer;
  Shape3 cell{1, 1, 1};
  for (const Shape3& factor : factors) {
    cell = {cell.z * factor.z, cell.y * factor.y, cell.x * factor.x};
    const Shape3 from = finer ? finer->shape() : voxels.shape();
    const Shape3 shape{ceil_divide(from.z, factor.z), ceil_divide(from.y, factor.y),
                       ceil_divide(from.x, factor.x)};
    Cells level(shape);
    if (finer) {
      level.take_cells(*finer, factor, {0, 0, 0});
    } else {
      // In pieces of 4 cells.
      const BlockGrid pieces(Box::of_shape(shape), {4, 4, 4});
      for (std::int64_t i = 0; i < pieces.count(); ++i) {
        const Box box = pieces.box_of(i);
        const Box source = Box{{box.begin.z * factor.z, box.begin.y * factor.y, box.begin.x * factor.x},
                               {box.end.z * factor.z, box.end.y * factor.y, box.end.x * factor.x}}
                               .intersect(Box::of_shape(voxels.shape()));
        level.take_voxels(voxels.view().part(source), factor, box.begin);
      }
    }
    level = Cells::from_bytes(shape, level.to_bytes());
    Array<T> reduced(shape);
    level.reduce({cell, voxels.shape(), {0, 0, 0}}, reduced.view());
    expect(reduced, cell);
    finer.emplace(std::move(level));
  }
}

const std::vector<std::vector<Shape3>> kFactors = {{{2, 2, 2}, {2, 2, 2}, {2, 2, 2}},
                                                   {{1, 2, 2}, {1, 2, 2}, {2, 2, 2}, {2, 1, 2}}};

template <class T>
void expect_as_from_s0(std::uint64_t num_values) {
  for (const auto& factors : kFactors) {
    for (const Shape3& shape : {Shape3{16, 16, 16}, Shape3{7, 21, 19}, Shape3{1, 5, 33}}) {
      const Array<T> voxels = random_voxels<T>(shape, num_values, 7);
      expect_levels<MeanCells<T>>(voxels, factors, [&](const Array<T>& reduced, const Shape3& cell) {
        Array<T> wanted(reduced.shape());
        downsample_mean<T>(voxels, cell, wanted);
        for (std::int64_t i = 0; i < wanted.size(); ++i) {
          if constexpr (std::is_floating_point_v<T>)
            ASSERT_NEAR(reduced.data()[i], wanted.data()[i], 1e-5 * (1 + std::abs(wanted.data()[i])));
          else
            ASSERT_EQ(reduced.data()[i], wanted.data()[i]) << to_string(cell);
        }
      });
      if constexpr (std::is_integral_v<T>) {
        expect_levels<ModeCells<T>>(voxels, factors, [&](const Array<T>& reduced, const Shape3& cell) {
          Array<T> wanted(reduced.shape());
          downsample_mode<T>(voxels, cell, wanted);
          for (std::int64_t i = 0; i < wanted.size(); ++i)
            ASSERT_EQ(reduced.data()[i], wanted.data()[i]) << to_string(cell);
        });
      }
    }
  }
}

TEST(CellLevels, EveryLevelIsAsMadeFromTheVoxelsAtOnce) {
  for (const std::uint64_t num_values : {2, 5, 250}) {
    expect_as_from_s0<std::uint8_t>(num_values);
    expect_as_from_s0<std::uint16_t>(num_values);
    expect_as_from_s0<std::uint32_t>(num_values);
    expect_as_from_s0<std::uint64_t>(num_values);
    expect_as_from_s0<float>(num_values);
  }
}

TEST(CellLevels, BytesOfOtherShapesAreRefused) {
  ModeCells<std::uint32_t> cells({2, 2, 2});
  cells.take_voxels(random_voxels<std::uint32_t>({4, 4, 4}, 9, 1), {2, 2, 2}, {0, 0, 0});
  std::vector<std::byte> bytes = cells.to_bytes();
  EXPECT_THROW(ModeCells<std::uint32_t>::from_bytes({2, 2, 3}, bytes), Error);
  bytes[0] = std::byte{200};
  EXPECT_THROW(ModeCells<std::uint32_t>::from_bytes({2, 2, 2}, bytes), Error);
  EXPECT_THROW(ModeCells<std::uint32_t>::from_bytes({2, 2, 2}, {}), Error);
  EXPECT_THROW(MeanCells<float>::from_bytes({2, 2, 2}, bytes), Error);
}

}  // namespace
}  // namespace organon::voxel
