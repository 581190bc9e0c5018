#include "organon/phantom/solid.h"

#include <algorithm>
#include <limits>
#include <numbers>

#include "organon/base/check.h"

namespace organon::phantom {
namespace {

constexpr double kPi = std::numbers::pi;

double square(double value) { return value * value; }

// Largest value of dot(axis, p) over the core's points p, seen from the centre.
double reach_of_core(const Solid& solid, const PointNm& axis) {
  const double along_u = dot(axis, solid.frame.u);
  switch (solid.kind) {
    case SolidKind::kBall:
      return 0;
    case SolidKind::kCapsule:
      return solid.half_length_nm * std::abs(along_u);
    case SolidKind::kArc: {
      const double along_v = dot(axis, solid.frame.v);
      const double angle = std::atan2(along_v, along_u);
      if (std::abs(angle) <= solid.half_angle) return solid.core_radius_nm * std::hypot(along_u, along_v);
      return solid.core_radius_nm * (solid.cos_half * along_u + solid.sin_half * std::abs(along_v));
    }
    case SolidKind::kBowl: {
      const double angle = std::acos(std::clamp(along_u, -1.0, 1.0));
      return solid.core_radius_nm * (angle <= solid.half_angle ? 1.0 : std::cos(angle - solid.half_angle));
    }
    case SolidKind::kEllipsoid:
      break;
  }
  return std::sqrt(square(solid.semi_u_nm * along_u) + square(solid.semi_v_nm * dot(axis, solid.frame.v)) +
                   square(solid.semi_w_nm * dot(axis, solid.frame.w)));
}

// Area of an ellipsoid: the midpoint rule converges faster than any power for this smooth periodic integrand.
double ellipsoid_surface_nm2(double a, double b, double c) {
  constexpr int kSteps = 400;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double theta = (i + 0.5) * kPi / kSteps;
    const double st = std::sin(theta);
    const double ct = std::cos(theta);
    for (int j = 0; j < kSteps; ++j) {
      const double phi = (j + 0.5) * kPi / 2 / kSteps;
      const double n =
          square(b * c * st * std::cos(phi)) + square(a * c * st * std::sin(phi)) + square(a * b * ct);
      sum += st * std::sqrt(n);
    }
  }
  return 4 * sum * (kPi / kSteps) * (kPi / 2 / kSteps);
}

// Distance from `point` (each coordinate >= 0, outside) to the ellipsoid x^2/a^2 + ... = 1: the root t of
// sum (a x / (t + a^2))^2 = 1 by bisection.
double distance_to_ellipsoid(const double (&semi)[3], const double (&point)[3]) {
  double low = 0;
  double high = 0;
  for (int i = 0; i < 3; ++i) high += semi[i] * point[i];
  for (int step = 0; step < 100; ++step) {
    const double t = (low + high) / 2;
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += square(semi[i] * point[i] / (t + semi[i] * semi[i]));
    (sum > 1 ? low : high) = t;
  }
  double squared = 0;
  for (int i = 0; i < 3; ++i) {
    const double nearest = semi[i] * semi[i] * point[i] / (low + semi[i] * semi[i]);
    squared += square(point[i] - nearest);
  }
  return std::sqrt(squared);
}

// Least distance of a bowl's core to `other`: the best of a grid laid flat on the cap and of its rim, then a
// finer search around it. The distance changes by at most 1 nm a nm.
double least_core_distance_of_bowl_nm(const Solid& bowl, const Solid& other) {
  constexpr double kStep = 8;
  const double disc_radius = bowl.half_angle * bowl.core_radius_nm;
  double best_v = 0;
  double best_w = 0;
  double best = std::numeric_limits<double>::infinity();
  // The cap's point v and w nm from its middle, measured along it; the nearest of the rim where that is
  // beyond.
  const auto look_at = [&](double v, double w) {
    double away = std::sqrt(v * v + w * w);
    if (away > disc_radius) {
      v *= disc_radius / away;
      w *= disc_radius / away;
      away = disc_radius;
    }
    const double angle = away / bowl.core_radius_nm;
    const PointNm across =
        away > 0 ? (bowl.frame.v * v + bowl.frame.w * w) * (std::sin(angle) / away) : PointNm{};
    const PointNm place = bowl.centre_nm + (bowl.frame.u * std::cos(angle) + across) * bowl.core_radius_nm;
    const double value = exact_distance_nm(other, place);
    if (value >= best) return;
    best = value;
    best_v = v;
    best_w = w;
  };
  // Beyond the rim all points of the grid are brought to it.
  const int reach = static_cast<int>(std::ceil(disc_radius / kStep)) + 1;
  for (int i = -reach; i <= reach; ++i) {
    for (int k = -reach; k <= reach; ++k) {
      if (std::hypot(i, k) <= reach) look_at(i * kStep, k * kStep);
    }
  }
  for (double step = kStep; step > 0.003; step *= 0.7) {
    const double v = best_v;
    const double w = best_w;
    for (int i = -1; i <= 1; ++i) {
      for (int k = -1; k <= 1; ++k) look_at(v + i * step, w + k * step);
    }
  }
  return best;
}

}  // namespace

bool BoxNm::intersects(const BoxNm& other) const {
  return begin.z <= other.end.z && other.begin.z <= end.z && begin.y <= other.end.y &&
         other.begin.y <= end.y && begin.x <= other.end.x && other.begin.x <= end.x;
}
bool BoxNm::contains(const PointNm& p) const {
  return begin.z <= p.z && p.z <= end.z && begin.y <= p.y && p.y <= end.y && begin.x <= p.x && p.x <= end.x;
}
BoxNm BoxNm::grow(double margin_nm) const {
  return {begin - PointNm::cube(margin_nm), end + PointNm::cube(margin_nm)};
}

Solid make_ball(const PointNm& centre_nm, double radius_nm) {
  Solid solid;
  solid.centre_nm = centre_nm;
  solid.radius_nm = radius_nm;
  return solid;
}

Solid make_capsule(const PointNm& from_nm, const PointNm& to_nm, double radius_nm, Random& random) {
  Solid solid;
  solid.kind = SolidKind::kCapsule;
  solid.centre_nm = (from_nm + to_nm) * 0.5;
  solid.half_length_nm = distance(from_nm, to_nm) / 2;
  solid.frame = random_frame_along(unit(to_nm - from_nm), random);
  solid.radius_nm = radius_nm;
  return solid;
}

Solid make_arc(const PointNm& middle_nm, const Frame& frame, double core_radius_nm, double core_length_nm,
               double radius_nm) {
  Solid solid;
  solid.kind = SolidKind::kArc;
  solid.frame = frame;
  solid.core_radius_nm = core_radius_nm;
  solid.radius_nm = radius_nm;
  solid.centre_nm = middle_nm - frame.u * core_radius_nm;
  solid.half_angle = core_length_nm / 2 / core_radius_nm;
  solid.sin_half = std::sin(solid.half_angle);
  solid.cos_half = std::cos(solid.half_angle);
  ORGANON_CHECK(solid.half_angle < kPi && core_radius_nm > radius_nm);
  return solid;
}

Solid make_bowl(const PointNm& middle_nm, const Frame& frame, double core_radius_nm, double disc_radius_nm,
                double radius_nm) {
  Solid solid = make_arc(middle_nm, frame, core_radius_nm, 2 * disc_radius_nm, radius_nm);
  solid.kind = SolidKind::kBowl;
  return solid;
}

Solid make_ellipsoid(const PointNm& centre_nm, const Frame& frame, double semi_u_nm, double semi_v_nm,
                     double semi_w_nm) {
  Solid solid;
  solid.kind = SolidKind::kEllipsoid;
  solid.centre_nm = centre_nm;
  solid.frame = frame;
  solid.semi_u_nm = semi_u_nm;
  solid.semi_v_nm = semi_v_nm;
  solid.semi_w_nm = semi_w_nm;
  return solid;
}

double exact_distance_nm(const Solid& solid, const PointNm& point) {
  const double first_order = signed_distance_nm(solid, point);
  if (solid.kind != SolidKind::kEllipsoid || first_order <= 0) return first_order;
  const PointNm q = point - solid.centre_nm;
  return distance_to_ellipsoid(
      {solid.semi_u_nm, solid.semi_v_nm, solid.semi_w_nm},
      {std::abs(dot(q, solid.frame.u)), std::abs(dot(q, solid.frame.v)), std::abs(dot(q, solid.frame.w))});
}

PlaceInSolid place_in(const Solid& solid, const PointNm& point) {
  const PointNm q = point - solid.centre_nm;
  const double u = dot(q, solid.frame.u);
  const double v = dot(q, solid.frame.v);
  const double w = dot(q, solid.frame.w);
  if (solid.kind != SolidKind::kArc) return {u, v, w};
  return {solid.core_radius_nm * std::atan2(v, u), std::sqrt(u * u + v * v) - solid.core_radius_nm, w};
}

std::optional<double> volume_nm3(const Solid& solid) {
  const double r = solid.radius_nm;
  switch (solid.kind) {
    case SolidKind::kBall:
    case SolidKind::kCapsule:
    case SolidKind::kArc:
      // Pappus: the cross-section's centre runs along the core.
      return kPi * r * r * core_length_nm(solid) + 4 * kPi / 3 * r * r * r;
    case SolidKind::kEllipsoid:
      return 4 * kPi / 3 * solid.semi_u_nm * solid.semi_v_nm * solid.semi_w_nm;
    case SolidKind::kBowl:
      break;
  }
  return std::nullopt;
}

std::optional<double> surface_nm2(const Solid& solid) {
  const double r = solid.radius_nm;
  switch (solid.kind) {
    case SolidKind::kBall:
    case SolidKind::kCapsule:
    case SolidKind::kArc:
      return 2 * kPi * r * core_length_nm(solid) + 4 * kPi * r * r;
    case SolidKind::kEllipsoid:
      return ellipsoid_surface_nm2(solid.semi_u_nm, solid.semi_v_nm, solid.semi_w_nm);
    case SolidKind::kBowl:
      break;
  }
  return std::nullopt;
}

BoxNm bounds_nm(const Solid& solid) {
  const auto reach = [&](const PointNm& axis) { return reach_of_core(solid, axis) + solid.radius_nm; };
  const PointNm z{1, 0, 0};
  const PointNm y{0, 1, 0};
  const PointNm x{0, 0, 1};
  return {solid.centre_nm - PointNm{reach(z * -1), reach(y * -1), reach(x * -1)},
          solid.centre_nm + PointNm{reach(z), reach(y), reach(x)}};
}

PointNm middle_nm(const Solid& solid) { return core_point_nm(solid, 0); }

PointNm core_point_nm(const Solid& solid, double t) {
  if (solid.kind == SolidKind::kCapsule) return solid.centre_nm + solid.frame.u * (t * solid.half_length_nm);
  if (solid.kind == SolidKind::kArc || solid.kind == SolidKind::kBowl) {
    const double angle = t * solid.half_angle;
    return solid.centre_nm + solid.frame.u * (solid.core_radius_nm * std::cos(angle)) +
           solid.frame.v * (solid.core_radius_nm * std::sin(angle));
  }
  return solid.centre_nm;
}

double core_length_nm(const Solid& solid) {
  if (solid.kind == SolidKind::kCapsule) return 2 * solid.half_length_nm;
  if (solid.kind == SolidKind::kArc) return 2 * solid.half_angle * solid.core_radius_nm;
  return 0;
}

std::vector<PointNm> core_points_nm(const Solid& solid, double spacing_nm) {
  ORGANON_CHECK(solid.kind != SolidKind::kEllipsoid);
  std::vector<PointNm> points;
  if (solid.kind == SolidKind::kBowl) {
    const double disc_radius = solid.half_angle * solid.core_radius_nm;
    const int num_rings = static_cast<int>(std::ceil(disc_radius / spacing_nm));
    points.push_back(middle_nm(solid));
    for (int ring = 1; ring <= num_rings; ++ring) {
      const double angle = solid.half_angle * ring / num_rings;
      const double ring_radius = solid.core_radius_nm * std::sin(angle);
      const int num_points = std::max(6, static_cast<int>(std::ceil(2 * kPi * ring_radius / spacing_nm)));
      for (int i = 0; i < num_points; ++i) {
        const double turn = 2 * kPi * i / num_points;
        points.push_back(solid.centre_nm + solid.frame.u * (solid.core_radius_nm * std::cos(angle)) +
                         solid.frame.v * (ring_radius * std::cos(turn)) +
                         solid.frame.w * (ring_radius * std::sin(turn)));
      }
    }
    return points;
  }
  const int num_steps = static_cast<int>(std::ceil(core_length_nm(solid) / spacing_nm));
  if (num_steps == 0) return {solid.centre_nm};
  for (int i = 0; i <= num_steps; ++i) points.push_back(core_point_nm(solid, 2.0 * i / num_steps - 1));
  return points;
}

double least_distance_nm(const Solid& a, const Solid& b) {
  const auto has_line_core = [](const Solid& solid) {
    return solid.kind != SolidKind::kBowl && solid.kind != SolidKind::kEllipsoid;
  };
  if (!has_line_core(a) && has_line_core(b)) return least_distance_nm(b, a);
  if (a.kind == SolidKind::kEllipsoid) {
    ORGANON_CHECK(b.kind != SolidKind::kEllipsoid);
    return least_distance_nm(b, a);
  }
  if (a.kind == SolidKind::kBowl) return least_core_distance_of_bowl_nm(a, b) - a.radius_nm;
  const auto at = [&](double t) { return exact_distance_nm(b, core_point_nm(a, t)); };
  const double length = core_length_nm(a);
  if (length == 0) return at(0) - a.radius_nm;
  // The distance changes by at most 1 nm a nm: the least sample, then a finer search around it.
  double best_t = 0;
  double best = at(0);
  double step = std::min(0.25, 8 / length);
  for (double t = -1; t < 1 + step; t += step) {
    const double value = at(std::min(t, 1.0));
    if (value < best) {
      best = value;
      best_t = std::min(t, 1.0);
    }
  }
  for (; step * length > 0.005; step *= 0.6) {
    for (const double t : {best_t - step, best_t + step}) {
      const double inside = std::clamp(t, -1.0, 1.0);
      const double value = at(inside);
      if (value < best) {
        best = value;
        best_t = inside;
      }
    }
  }
  return best - a.radius_nm;
}

SurfacePoint surface_point_near(const Solid& ellipsoid, const PointNm& point) {
  PointNm p = point;
  PointNm normal;
  for (int i = 0; i < 8; ++i) {
    const PointNm q = p - ellipsoid.centre_nm;
    normal = unit(ellipsoid.frame.u * (dot(q, ellipsoid.frame.u) / square(ellipsoid.semi_u_nm)) +
                  ellipsoid.frame.v * (dot(q, ellipsoid.frame.v) / square(ellipsoid.semi_v_nm)) +
                  ellipsoid.frame.w * (dot(q, ellipsoid.frame.w) / square(ellipsoid.semi_w_nm)));
    p = p - normal * signed_distance_nm(ellipsoid, p);
  }
  return {p, normal};
}

}  // namespace organon::phantom
