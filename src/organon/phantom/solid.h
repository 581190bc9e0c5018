#pragma once

#include <optional>
#include <vector>

#include "organon/phantom/directions.h"

namespace organon::phantom {

/// An axis-aligned box in space, both faces included.
struct BoxNm {
  PointNm begin;
  PointNm end;

  bool intersects(const BoxNm& other) const;
  bool contains(const PointNm& point) const;
  bool contains(const BoxNm& other) const { return contains(other.begin) && contains(other.end); }
  BoxNm grow(double margin_nm) const;
  BoxNm unite(const BoxNm& other) const { return {min(begin, other.begin), max(end, other.end)}; }
};

enum class SolidKind {
  kBall,       ///< core: a point
  kCapsule,    ///< core: a segment
  kArc,        ///< core: an arc of a circle, a bent sausage
  kBowl,       ///< core: a cap of a sphere's surface, a bent disc with round rim
  kEllipsoid,  ///< no core
};

/// A simple body: everything within `radius_nm` of its core, or an ellipsoid.
///
///     capsule  (====u====)      arc: u points from the circle's centre to the arc's middle, v along it
///     bowl: u points from the sphere's centre to the cap's middle
struct Solid {
  SolidKind kind = SolidKind::kBall;
  /// Middle of ball, capsule, ellipsoid; centre of the arc's circle and of the bowl's sphere.
  PointNm centre_nm;
  Frame frame;
  double radius_nm = 0;       ///< of the core's neighbourhood
  double core_radius_nm = 0;  ///< of the arc's circle, of the bowl's sphere
  double half_length_nm = 0;  ///< of the capsule's segment, along u
  /// Half the opening of arc and bowl, as seen from the centre; radians, below pi.
  double half_angle = 0;
  double sin_half = 0;
  double cos_half = 1;
  /// Of the ellipsoid, along u, v, w.
  double semi_u_nm = 0;
  double semi_v_nm = 0;
  double semi_w_nm = 0;
};

Solid make_ball(const PointNm& centre_nm, double radius_nm);
Solid make_capsule(const PointNm& from_nm, const PointNm& to_nm, double radius_nm, Random& random);
/// `core_length_nm` along the arc, bent with `core_radius_nm` (> radius_nm); middle of the core at
/// `middle_nm`.
Solid make_arc(const PointNm& middle_nm, const Frame& frame, double core_radius_nm, double core_length_nm,
               double radius_nm);
/// A disc of `disc_radius_nm`, measured along it, bent with `core_radius_nm`; middle at `middle_nm`.
Solid make_bowl(const PointNm& middle_nm, const Frame& frame, double core_radius_nm, double disc_radius_nm,
                double radius_nm);
Solid make_ellipsoid(const PointNm& centre_nm, const Frame& frame, double semi_u_nm, double semi_v_nm,
                     double semi_w_nm);

/// Negative inside. Exact but for ellipsoids, whose zero surface is exact and whose distance is right to
/// first order near it.
inline double signed_distance_nm(const Solid& solid, const PointNm& point) {
  const PointNm q = point - solid.centre_nm;
  switch (solid.kind) {
    case SolidKind::kBall:
      return length(q) - solid.radius_nm;
    case SolidKind::kCapsule: {
      const double along = dot(q, solid.frame.u);
      const double beyond = along - std::min(std::max(along, -solid.half_length_nm), solid.half_length_nm);
      const double squared = dot(q, q) - along * along;
      return std::sqrt(std::max(squared, 0.0) + beyond * beyond) - solid.radius_nm;
    }
    case SolidKind::kArc: {
      const double x = dot(q, solid.frame.u);
      const double y = std::abs(dot(q, solid.frame.v));
      const double out = dot(q, solid.frame.w);
      double a = 0;
      double b = 0;
      if (y * solid.cos_half <= x * solid.sin_half) {
        a = std::sqrt(x * x + y * y) - solid.core_radius_nm;
      } else {
        a = x - solid.core_radius_nm * solid.cos_half;
        b = y - solid.core_radius_nm * solid.sin_half;
      }
      return std::sqrt(a * a + b * b + out * out) - solid.radius_nm;
    }
    case SolidKind::kBowl: {
      const double along = dot(q, solid.frame.u);
      const double squared = dot(q, q);
      const double across = std::sqrt(std::max(squared - along * along, 0.0));
      if (across * solid.cos_half <= along * solid.sin_half) {
        return std::abs(std::sqrt(squared) - solid.core_radius_nm) - solid.radius_nm;
      }
      const double a = along - solid.core_radius_nm * solid.cos_half;
      const double b = across - solid.core_radius_nm * solid.sin_half;
      return std::sqrt(a * a + b * b) - solid.radius_nm;
    }
    case SolidKind::kEllipsoid:
      break;
  }
  const double u = dot(q, solid.frame.u) / solid.semi_u_nm;
  const double v = dot(q, solid.frame.v) / solid.semi_v_nm;
  const double w = dot(q, solid.frame.w) / solid.semi_w_nm;
  const double k0 = std::sqrt(u * u + v * v + w * w);
  const double gu = u / solid.semi_u_nm;
  const double gv = v / solid.semi_v_nm;
  const double gw = w / solid.semi_w_nm;
  const double k1 = std::sqrt(gu * gu + gv * gv + gw * gw);
  if (k1 == 0) return -std::min({solid.semi_u_nm, solid.semi_v_nm, solid.semi_w_nm});
  return k0 * (k0 - 1) / k1;
}

/// As signed_distance_nm(), exact for ellipsoids too, outside; slower.
double exact_distance_nm(const Solid& solid, const PointNm& point);

/// A place inside a solid in its own coordinates: along the core from its middle, and across it.
struct PlaceInSolid {
  double along_nm = 0;
  double across_v_nm = 0;
  double across_w_nm = 0;
};
/// Capsule, arc and ball (along u).
PlaceInSolid place_in(const Solid& solid, const PointNm& point);

/// Exact; none for bowls.
std::optional<double> volume_nm3(const Solid& solid);
std::optional<double> surface_nm2(const Solid& solid);

BoxNm bounds_nm(const Solid& solid);
/// Middle of the core.
PointNm middle_nm(const Solid& solid);
/// The point of the core of capsule or arc at `t` from -1 to 1; ball: its centre.
PointNm core_point_nm(const Solid& solid, double t);
double core_length_nm(const Solid& solid);
/// Points of the core, neighbours at most `spacing_nm` apart, ends included. Requires: no ellipsoid.
std::vector<PointNm> core_points_nm(const Solid& solid, double spacing_nm);

/// Least distance of two solids' surfaces, negative where they overlap: exact but for the search along a
/// core, which ends within 0.01 nm. Requires: not two ellipsoids.
double least_distance_nm(const Solid& a, const Solid& b);

/// The point of an ellipsoid's surface near `point`, and the unit normal there.
struct SurfacePoint {
  PointNm point_nm;
  PointNm normal;
};
SurfacePoint surface_point_near(const Solid& ellipsoid, const PointNm& point);

}  // namespace organon::phantom
