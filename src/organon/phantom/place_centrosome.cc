#include "organon/phantom/place_centrosome.h"

#include <array>

namespace organon::phantom {
namespace {

constexpr double kLeastExtent = 1200;
// A ninth of a turn, and how far the blades of triplets lean from the tangent.
constexpr double kCosNinth = 0.76604444311897804;
constexpr double kSinNinth = 0.64278760968653933;
constexpr double kInnermost = 70;  // from the axis to the axes of the innermost tubules
constexpr double kBarrelRadius = 117;
constexpr double kDistalRadius = 7;
constexpr double kSubdistalRadius = 10;
constexpr double kAppendageReach = 170;  // from the axis

struct Barrel {
  PointNm middle;
  Frame frame;  // u: along the axis, to the distal end
  double half_length_nm = 0;
};

// Middles of a triplet's three tubules, the innermost first.
using Triplet = std::array<PointNm, 3>;

std::array<Triplet, kNumTriplets> triplets_of(const Barrel& barrel) {
  std::array<Triplet, kNumTriplets> triplets;
  PointNm out = barrel.frame.v;
  for (Triplet& triplet : triplets) {
    const PointNm tangent = cross(barrel.frame.u, out);
    const PointNm blade = tangent * kCosNinth + out * kSinNinth;
    for (std::size_t k = 0; k < triplet.size(); ++k) {
      triplet[k] =
          barrel.middle + out * kInnermost + blade * (2 * kCentrioleTubuleRadius * static_cast<double>(k));
    }
    out = out * kCosNinth + tangent * kSinNinth;
  }
  return triplets;
}

void add_tubules(const Barrel& barrel, std::vector<Solid>& parts, Random& random) {
  const PointNm reach = barrel.frame.u * (barrel.half_length_nm - kCentrioleTubuleRadius);
  for (const Triplet& triplet : triplets_of(barrel)) {
    for (const PointNm& middle : triplet)
      parts.push_back(make_capsule(middle - reach, middle + reach, kCentrioleTubuleRadius, random));
  }
}

// One spoke per triplet, from the outermost tubule at `height_nm` above the barrel's middle: `out_nm` away
// from the axis and `up_nm` along it.
void add_appendages(const Barrel& barrel, double height_nm, double out_nm, double up_nm, double radius_nm,
                    std::vector<Solid>& parts, Random& random) {
  constexpr double kGap = 0.5;
  for (const Triplet& triplet : triplets_of(barrel)) {
    const PointNm away = unit(triplet.back() - barrel.middle);
    const PointNm from =
        triplet.back() + barrel.frame.u * height_nm + away * (kCentrioleTubuleRadius + radius_nm + kGap);
    parts.push_back(make_capsule(from, from + away * out_nm + barrel.frame.u * up_nm, radius_nm, random));
  }
}

// Holds a cylinder around `barrel` of this radius.
Solid hull_of(const Barrel& barrel, double radius_nm, Random& random) {
  const PointNm reach = barrel.frame.u * (barrel.half_length_nm - 0.55 * radius_nm);
  return make_capsule(barrel.middle - reach, barrel.middle + reach, 1.15 * radius_nm, random);
}

}  // namespace

void place_centrosome(Space& space, Random random) {
  constexpr double kGap = 6;
  constexpr int kNumAttempts = 2000;
  const Cell& cell = space.cell();
  if (cell.volume.end.smallest() < kLeastExtent) return;
  for (int i = 0; i < kNumAttempts; ++i) {
    const SurfacePoint surface = random_surface_point_at_roomy_side(cell, 0.8, random);
    const double off = random.uniform(170, 500);
    Barrel mother;
    mother.middle = surface.point_nm + surface.normal * off;
    if (i % 3 == 2) mother.middle = space.random_cytoplasm_point(150, random);
    mother.frame = random_frame(random);
    mother.half_length_nm = random.uniform(190, 225);
    // At a right angle to the mother, beside its proximal end.
    Barrel daughter;
    daughter.half_length_nm = random.uniform(120, 180);
    const double between = kBarrelRadius + random.uniform(25, 50);
    daughter.middle = mother.middle - mother.frame.u * (mother.half_length_nm - 95) +
                      mother.frame.v * (between + daughter.half_length_nm);
    daughter.frame = random_frame_along(mother.frame.v, random);
    const Solid mother_hull = hull_of(mother, kBarrelRadius, random);
    const Solid daughter_hull = hull_of(daughter, kBarrelRadius, random);
    const double distal_end = mother.half_length_nm - 55;
    const Solid appendages_hull =
        make_ball(mother.middle + mother.frame.u * distal_end, 1.12 * kAppendageReach);
    const auto is_free = [&](const Solid& hull) {
      return cell.volume.contains(bounds_nm(hull)) && space.fits(hull, kGap);
    };
    if (!is_free(mother_hull) || !is_free(daughter_hull) || !is_free(appendages_hull)) continue;
    std::vector<Solid> parts;
    add_tubules(mother, parts, random);
    add_tubules(daughter, parts, random);
    add_appendages(mother, mother.half_length_nm - 35, 38, 28, kDistalRadius, parts, random);
    add_appendages(mother, mother.half_length_nm - 110, 32, 0, kSubdistalRadius, parts, random);
    space.add(Organelle::kCentrosome, parts);
    for (const Barrel& barrel : {mother, daughter}) {
      constexpr double kInside = kInnermost - kCentrioleTubuleRadius;
      const PointNm reach = barrel.frame.u * (barrel.half_length_nm - kInside);
      space.keep_free(make_capsule(barrel.middle - reach, barrel.middle + reach, kInside, random));
    }
    return;
  }
}

}  // namespace organon::phantom
