#pragma once

#include <cmath>

#include "organon/base/random.h"
#include "organon/geometry/vec3.h"

namespace organon::phantom {

inline double dot(const PointNm& a, const PointNm& b) { return a.z * b.z + a.y * b.y + a.x * b.x; }
inline double length(const PointNm& a) { return std::sqrt(dot(a, a)); }
inline double distance(const PointNm& a, const PointNm& b) { return length(a - b); }
/// Requires: `a` is not zero.
inline PointNm unit(const PointNm& a) { return a * (1 / length(a)); }
inline PointNm cross(const PointNm& a, const PointNm& b) {
  return {a.x * b.y - a.y * b.x, a.z * b.x - a.x * b.z, a.y * b.z - a.z * b.y};
}

/// Three unit vectors at right angles.
struct Frame {
  PointNm u{1, 0, 0};
  PointNm v{0, 1, 0};
  PointNm w{0, 0, 1};
};

/// Uniform on the sphere, by rejection: no function whose last bit differs between machines.
PointNm random_direction(Random& random);
/// Any frame whose u is `direction`, a unit vector.
Frame random_frame_along(const PointNm& direction, Random& random);
Frame random_frame(Random& random);

}  // namespace organon::phantom
