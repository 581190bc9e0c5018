#include "organon/phantom/place_exit_sites.h"

#include <algorithm>

namespace organon::phantom {
namespace {

constexpr double kPerNm3 = 1.5e-9;  // of cytoplasm: chosen, more than cells have
constexpr double kGap = 4;

struct Neck {
  PointNm on_core;
  PointNm out;
  double off_nm = 0;  // from the core to the ER's surface
};

// A random place of the ER's surface.
Neck random_neck(const Solid& er, Random& random) {
  if (er.kind != SolidKind::kBowl) {
    const double t = random.uniform(-1, 1);
    return {core_point_nm(er, t), random_frame_along(er.frame.u, random).v, er.radius_nm};
  }
  // Near the rim as well as on the face, either side.
  const double across = er.sin_half * random.uniform(0, 1);
  const PointNm way =
      unit(er.frame.u * std::sqrt(1 - across * across) + random_frame_along(er.frame.u, random).v * across);
  return {er.centre_nm + way * er.core_radius_nm, way * (random.uniform() < 0.5 ? -1 : 1), er.radius_nm};
}

// Empty where there is no room.
std::vector<Solid> grow(const Space& space, const Neck& neck, ObjectId er, Random& random) {
  constexpr int kMostArms = 5;
  constexpr std::size_t kLeastParts = 1 + 2 * 3;  // a neck and three arms
  const PointNm node = neck.on_core + neck.out * (neck.off_nm + random.uniform(45, 75));
  const double neck_radius = random.uniform(23, 27);
  if (!space.cell().volume.grow(-30).contains(node) || !space.fits(make_ball(node, neck_radius), kGap))
    return {};
  std::vector<Solid> parts = {make_capsule(neck.on_core, node, neck_radius, random)};
  if (!space.fits(parts.front(), kGap, er)) return {};
  for (int i = 0, num_arms = 0; i < 16 && num_arms < kMostArms; ++i) {
    const PointNm way = unit(neck.out * 0.5 + random_direction(random));
    const PointNm tip = node + way * random.uniform(55, 105);
    const double tube_radius = random.uniform(21, 25);
    const double bud_radius = tube_radius + random.uniform(3, 10);
    const Solid bud = make_ball(tip, bud_radius);
    const Solid arm = make_capsule(node, tip, tube_radius, random);
    // Buds stand apart, so that one sees them.
    const bool is_apart = std::all_of(parts.begin() + 1, parts.end(), [&](const Solid& other) {
      return other.kind != SolidKind::kBall ||
             distance(other.centre_nm, tip) > bud_radius + other.radius_nm + kGap;
    });
    if (!is_apart || !space.fits(bud, kGap) || !space.fits(arm, kGap)) continue;
    parts.push_back(arm);
    parts.push_back(bud);
    ++num_arms;
  }
  if (parts.size() < kLeastParts) return {};
  return parts;
}

}  // namespace

void place_exit_sites(Space& space, Random random) {
  const Object er = *space.cell().first_object(Organelle::kEr);
  if (er.num_parts == 0) return;
  const int num_wanted = 2 + static_cast<int>(kPerNm3 * space.cytoplasm_nm3());
  int num_placed = 0;
  for (int i = 0; i < 400 + 60 * num_wanted && num_placed < num_wanted; ++i) {
    const auto part = static_cast<std::uint32_t>(er.first_part + random.below(er.num_parts));
    const Neck neck = random_neck(space.cell().parts[part].solid, random);
    const std::vector<Solid> parts = grow(space, neck, er.id, random);
    if (parts.empty()) continue;
    space.add(Organelle::kEres, parts);
    ++num_placed;
  }
}

}  // namespace organon::phantom
