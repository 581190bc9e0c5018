#include "organon/phantom/directions.h"

namespace organon::phantom {

PointNm random_direction(Random& random) {
  for (;;) {
    const double z = random.uniform(-1, 1);
    const double y = random.uniform(-1, 1);
    const double x = random.uniform(-1, 1);
    const double squared = z * z + y * y + x * x;
    if (squared > 0.01 && squared <= 1) return PointNm{z, y, x} * (1 / std::sqrt(squared));
  }
}

Frame random_frame_along(const PointNm& direction, Random& random) {
  for (;;) {
    const PointNm other = random_direction(random);
    const PointNm across = other - direction * dot(other, direction);
    if (length(across) < 0.1) continue;
    const PointNm v = unit(across);
    return {direction, v, cross(direction, v)};
  }
}

Frame random_frame(Random& random) {
  const PointNm direction = random_direction(random);
  return random_frame_along(direction, random);
}

}  // namespace organon::phantom
