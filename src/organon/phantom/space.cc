#include "organon/phantom/space.h"

#include <algorithm>

#include "organon/base/check.h"

namespace organon::phantom {

Space::Space(Cell& cell) : cell_(cell) {
  constexpr int kSteps = 40;
  const PointNm size = cell.volume.end;
  int inside = 0;
  for (int z = 0; z < kSteps; ++z) {
    for (int y = 0; y < kSteps; ++y) {
      for (int x = 0; x < kSteps; ++x) {
        const PointNm point{(z + 0.5) * size.z / kSteps, (y + 0.5) * size.y / kSteps,
                            (x + 0.5) * size.x / kSteps};
        if (cell.body_distance_nm(point) < 0 && cell.nucleus_distance_nm(point) > 0) ++inside;
      }
    }
  }
  cytoplasm_nm3_ = size.product() * inside / (kSteps * kSteps * kSteps);
}

double Space::object_clearance_nm(const PointNm& point, double enough_nm, ObjectId except) const {
  ORGANON_DCHECK(enough_nm <= kLongReach);
  const PartIndex& index = enough_nm <= kShortReach ? short_index_ : long_index_;
  double least = index.reach_nm();
  for (const Solid& solid : kept_free_) least = std::min(least, signed_distance_nm(solid, point));
  for (const std::uint32_t number : index.near(point)) {
    const Part& part = cell_.parts[number];
    if (part.object != except) least = std::min(least, signed_distance_nm(part.solid, point));
  }
  return least;
}

double Space::clearance_nm(const PointNm& point, double enough_nm, ObjectId except) const {
  const double membranes = std::min(-cell_.body_distance_nm(point), cell_.nucleus_distance_nm(point));
  // No need to look at objects where the membranes are too near already.
  if (membranes <= 0) return membranes;
  return std::min(membranes, object_clearance_nm(point, enough_nm, except));
}

bool Space::fits(const Solid& solid, double gap_nm, ObjectId except) const {
  const double needed = solid.radius_nm + gap_nm;
  const auto points = core_points_nm(solid, std::clamp(solid.radius_nm / 2, 8.0, 25.0));
  return std::all_of(points.begin(), points.end(),
                     [&](const PointNm& point) { return clearance_nm(point, needed, except) >= needed; });
}

ObjectId Space::add(Organelle organelle, const std::vector<Solid>& parts) {
  Object object;
  object.id = cell_.objects.size() + 1;
  object.organelle = organelle;
  object.first_part = static_cast<std::uint32_t>(cell_.parts.size());
  object.num_parts = static_cast<std::uint32_t>(parts.size());
  cell_.objects.push_back(object);
  for (const Solid& solid : parts) {
    const auto number = static_cast<std::uint32_t>(cell_.parts.size());
    cell_.parts.push_back({solid, bounds_nm(solid), object.id});
    const BoxNm& bounds = cell_.parts.back().bounds;
    cell_.index.add(number, bounds);
    // The nucleus is asked for by itself.
    if (organelle == Organelle::kNucleus) continue;
    short_index_.add(number, bounds);
    // Filaments and ribosomes come last; nothing large is placed after them.
    if (organelle != Organelle::kRibosome && organelle != Organelle::kMicrotubule)
      long_index_.add(number, bounds);
  }
  return object.id;
}

PointNm Space::random_cytoplasm_point(double margin_nm, Random& random) const {
  const PointNm size = cell_.volume.end;
  PointNm point;
  // Ends by itself in any cell with cytoplasm; where the margin leaves none, the last point is as good.
  for (int i = 0; i < 1000; ++i) {
    point.z = random.uniform(0, size.z);
    point.y = random.uniform(0, size.y);
    point.x = random.uniform(0, size.x);
    if (cell_.body_distance_nm(point) < -margin_nm && cell_.nucleus_distance_nm(point) > margin_nm) break;
  }
  return point;
}

SurfacePoint random_surface_point_at_roomy_side(const Cell& cell, double spread, Random& random) {
  const Solid& nucleus = cell.nucleus;
  const PointNm off_centre = cell.body.centre_nm - nucleus.centre_nm;
  const PointNm side = off_centre * (1 / (length(off_centre) + 1e-9));
  const PointNm way = side + random_direction(random) * spread;
  const double reach = 1.2 * std::max({nucleus.semi_u_nm, nucleus.semi_v_nm, nucleus.semi_w_nm});
  return surface_point_near(nucleus, nucleus.centre_nm + way * (reach / (length(way) + 1e-9)));
}

}  // namespace organon::phantom
