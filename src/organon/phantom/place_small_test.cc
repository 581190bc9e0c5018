#include "organon/phantom/place_small.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace organon::phantom {
namespace {

// Cell 4 of this size once read the centriole where it no longer was: placing tubes moves objects.
TEST(Cell, MicrotubulesRadiateFromTheMotherCentriole) {
  for (const std::uint64_t seed : {1, 4}) {
    const Cell cell = make_cell({1536, 2048, 2048}, seed);
    const Object* centrosome = cell.first_object(Organelle::kCentrosome);
    ASSERT_NE(centrosome, nullptr);
    const PointNm mother = middle_nm(cell.first_solid(*centrosome));
    int num_near = 0;
    for (const Object& object : cell.objects) {
      if (object.organelle != Organelle::kMicrotubule) continue;
      double nearest = 1e9;
      for (std::uint32_t i = 0; i < object.num_parts; ++i)
        nearest = std::min(nearest, distance(middle_nm(cell.parts[object.first_part + i].solid), mother));
      num_near += nearest < 360;
    }
    EXPECT_GT(num_near, 5) << "seed " << seed;
  }
}

}  // namespace
}  // namespace organon::phantom
