#include "organon/voxel/reduce_to_cells.h"

#include <gtest/gtest.h>

#include <map>

#include "organon/array/array.h"
#include "organon/base/random.h"

namespace organon::voxel {
namespace {

// Voxel by voxel of each cell.
std::map<std::uint64_t, int> counts_of_cell(const Array<std::uint16_t>& labels, const Shape3& factor,
                                            const Index3& cell) {
  std::map<std::uint64_t, int> counts;
  for (std::int64_t z = 0; z < factor.z; ++z)
    for (std::int64_t y = 0; y < factor.y; ++y)
      for (std::int64_t x = 0; x < factor.x; ++x)
        ++counts[labels(cell.z * factor.z + z, cell.y * factor.y + y, cell.x * factor.x + x)];
  return counts;
}

TEST(ReduceToCells, EqualsCountingEachCell) {
  Random random(4);
  for (const Shape3& factor : {Shape3{2, 2, 2}, Shape3{1, 1, 1}, Shape3{3, 1, 2}}) {
    for (const auto& wanted_list : {std::vector<std::uint64_t>{}, {7, 3}}) {
      const WantedIds wanted(wanted_list);
      const Shape3 cells{4, 5, 6};
      Array<std::uint16_t> labels({cells.z * factor.z, cells.y * factor.y, cells.x * factor.x});
      for (std::int64_t i = 0; i < labels.size(); ++i) {
        const std::uint16_t ids[] = {0, 0, 3, 7, 5};
        labels.data()[i] = i > 0 && random.uniform() < 0.5 ? labels.data()[i - 1] : ids[random.below(5)];
      }
      Array<std::uint8_t> inside(cells);
      Array<std::uint64_t> objects(cells);
      foreground_of_cells<std::uint16_t>(labels, factor, wanted, inside);
      objects_of_cells<std::uint16_t>(labels, factor, wanted, objects);
      for (std::int64_t z = 0; z < cells.z; ++z) {
        for (std::int64_t y = 0; y < cells.y; ++y) {
          for (std::int64_t x = 0; x < cells.x; ++x) {
            int sum = 0;
            int most = 0;
            std::uint64_t object = 0;
            for (const auto& [id, count] : counts_of_cell(labels, factor, {z, y, x})) {
              const bool is_wanted = id != 0 && (wanted_list.empty() || id == 3 || id == 7);
              if (!is_wanted) continue;
              sum += count;
              if (count > most) {
                most = count;
                object = id;
              }
            }
            const bool expected = 2 * sum >= factor.product();
            ASSERT_EQ(inside(z, y, x), expected ? 1 : 0);
            ASSERT_EQ(objects(z, y, x), expected ? object : 0);
          }
        }
      }
    }
  }
}

TEST(ReduceToCells, TiesGoInside) {
  Array<std::uint8_t> labels({1, 1, 4});
  labels(0, 0, 1) = 9;
  Array<std::uint8_t> cells({1, 1, 2});
  foreground_of_cells<std::uint8_t>(labels, {1, 1, 2}, WantedIds(), cells);
  EXPECT_EQ(cells(0, 0, 0), 1);
  EXPECT_EQ(cells(0, 0, 1), 0);
}

}  // namespace
}  // namespace organon::voxel
