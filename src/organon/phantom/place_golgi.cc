#include "organon/phantom/place_golgi.h"

#include <algorithm>

namespace organon::phantom {
namespace {

constexpr double kShare = 0.015;  // of the cytoplasm
constexpr double kPi = 3.14159265358979323846;

struct Stack {
  std::vector<Solid> parts;
  Solid hull;  // all parts lie in it
  double volume_nm3 = 0;
};

// Nested caps of spheres about one centre, all seen from there under similar angles.
Stack make_stack(const PointNm& middle, const Frame& frame, double scale, Random& random) {
  Stack stack;
  const int num_cisternae = 4 + static_cast<int>(random.below(scale < 0.7 ? 1 : 3));
  const double thinner = std::max(0.8, scale);
  const double half_thickness = thinner * random.uniform(14.5, 17);
  const double gap = thinner * random.uniform(10, 14);
  const double pitch = 2 * half_thickness + gap;
  const double disc_radius = scale * random.uniform(240, 380);
  const double core_radius = std::max(disc_radius, random.uniform(350, 900));
  const double half_height = (num_cisternae - 1) / 2.0 * pitch + half_thickness + gap;
  stack.hull = make_bowl(middle, frame, core_radius, disc_radius, half_height);
  for (int i = 0; i < num_cisternae; ++i) {
    const double radius = core_radius + (i - (num_cisternae - 1) / 2.0) * pitch;
    const double disc = disc_radius * (radius / core_radius) * random.uniform(0.82, 1.0);
    const PointNm centre = stack.hull.centre_nm;
    const Solid cisterna = make_bowl(centre + frame.u * radius, frame, radius, disc, half_thickness);
    stack.parts.push_back(cisterna);
    stack.volume_nm3 += kPi * disc * disc * 2 * half_thickness;
    // Swollen for a part of the rim, on every other cisterna: there is not room enough for neighbours' rims.
    if (i % 2 == 1) continue;
    const double rim_radius = radius * cisterna.sin_half;
    const PointNm out = random_frame_along(frame.u, random).v;
    const PointNm on_rim = centre + frame.u * (radius * cisterna.cos_half) + out * rim_radius;
    stack.parts.push_back(make_arc(on_rim, {out, cross(frame.u, out), frame.u}, rim_radius,
                                   rim_radius * random.uniform(1.5, 4), half_thickness + gap - 4));
  }
  return stack;
}

// Buds that have left the rims.
void place_vesicles_around(Space& space, const Stack& stack, Random& random) {
  constexpr int kMostVesicles = 9;
  const Solid& hull = stack.hull;
  for (int i = 0, num_placed = 0; i < 60 && num_placed < kMostVesicles; ++i) {
    const PointNm across = random_frame_along(hull.frame.u, random).v;
    const PointNm on_rim = hull.centre_nm + hull.frame.u * (hull.core_radius_nm * hull.cos_half) +
                           across * (hull.core_radius_nm * hull.sin_half);
    const double radius = random.uniform(25, 33);
    const double off = random.uniform(20, 130);
    const double along = random.uniform(-1.2, 1.2) * hull.radius_nm;
    const Solid vesicle = make_ball(on_rim + across * off + hull.frame.u * along, radius);
    if (!space.cell().volume.contains(vesicle.centre_nm) || !space.fits(vesicle, 4)) continue;
    space.add(Organelle::kVesicle, {vesicle});
    ++num_placed;
  }
}

}  // namespace

void place_golgi(Space& space, Random random) {
  constexpr double kGap = 6;
  const Cell& cell = space.cell();
  const double wanted = kShare * space.cytoplasm_nm3();
  const int num_attempts = 600 + static_cast<int>(0.05e-6 * space.cytoplasm_nm3());
  const BoxNm inner = cell.volume.grow(-std::min(120.0, 0.2 * cell.volume.end.smallest()));
  double filled = 0;
  for (int i = 0; i < num_attempts && filled < wanted; ++i) {
    const SurfacePoint surface = random_surface_point_at_roomy_side(cell, 1.0, random);
    const double off = random.uniform(90, std::max(450.0, 0.6 * cell.nucleus.semi_u_nm));
    PointNm middle = surface.point_nm + surface.normal * off;
    // Where there is no room beside the nucleus, anywhere.
    if (filled == 0 && i % 3 == 2) middle = space.random_cytoplasm_point(90, random);
    const double tilt = random.uniform(0, 0.6);
    const PointNm along = unit(surface.normal + random_direction(random) * tilt);
    const Frame frame = random_frame_along(along, random);
    const double scale = filled == 0 ? 1 - 0.65 * i / num_attempts : random.uniform(0.7, 1.0);
    const Stack stack = make_stack(middle, frame, scale, random);
    if (!inner.contains(middle) || !space.fits(stack.hull, kGap)) continue;
    space.add(Organelle::kGolgi, stack.parts);
    place_vesicles_around(space, stack, random);
    filled += stack.volume_nm3;
  }
}

}  // namespace organon::phantom
