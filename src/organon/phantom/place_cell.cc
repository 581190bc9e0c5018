#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/phantom/place_centrosome.h"
#include "organon/phantom/place_er.h"
#include "organon/phantom/place_exit_sites.h"
#include "organon/phantom/place_golgi.h"
#include "organon/phantom/place_small.h"
#include "organon/phantom/space.h"

namespace organon::phantom {
namespace {

constexpr double kLeastExtent = 200;
constexpr double kLargestNucleus = 3000;
constexpr double kPi = 3.14159265358979323846;
constexpr double kMitoShare = 0.15;  // of the cytoplasm
constexpr double kEndoShare = 0.01;
constexpr double kLysosomeShare = 0.02;
constexpr double kLdShare = 0.012;

double mean_extent(const SizeNm& size) { return std::cbrt(size.product()); }

void place_body(Cell& cell, Random random) {
  const PointNm size = cell.volume.end;
  const double mean = mean_extent(SizeNm(size));
  const auto semi = [&](double extent) {
    return std::max(0.62 * extent, 0.45 * mean) * random.uniform(0.97, 1.05);
  };
  const auto shift = [&](double extent) { return extent * (0.5 + random.uniform(-0.03, 0.03)); };
  const PointNm centre{shift(size.z), shift(size.y), shift(size.x)};
  const double semi_z = semi(size.z);
  const double semi_y = semi(size.y);
  const double semi_x = semi(size.x);
  cell.body = make_ellipsoid(centre, Frame{}, semi_z, semi_y, semi_x);
  cell.waves_nm = std::min(70.0, 0.035 * size.smallest());
}

void place_nucleus(Cell& cell, Random random) {
  const PointNm size = cell.volume.end;
  std::array<double, 3> extents = {size.z, size.y, size.x};
  std::sort(extents.begin(), extents.end());
  // Smaller in small volumes, and as far off the middle as the body lets it: one side has room for a Golgi.
  const double mean = mean_extent(SizeNm(size));
  const double share = std::min(0.33, 0.19 + 0.1e-3 * mean);
  const double radius = std::min({kLargestNucleus, share * mean, 0.36 * extents[1]});
  const auto shift = [&](double extent) {
    const double side = random.uniform() < 0.5 ? -1 : 1;
    return extent * (0.5 + side * (0.29 - 0.63 * share) * random.uniform(0.7, 1.0));
  };
  const PointNm centre{shift(size.z), shift(size.y), shift(size.x)};
  const double u = radius * random.uniform(0.95, 1.1);
  const double v = radius * random.uniform(0.88, 1.0);
  const double w = radius * random.uniform(0.88, 1.05);
  cell.nucleus = make_ellipsoid(centre, random_frame(random), u, v, w);

  // Pores, a pore's width or more apart.
  const int num_wanted = static_cast<int>(4 * kPi * radius * radius * 9e-6);
  for (int i = 0; i < 30 * num_wanted && static_cast<int>(cell.pores.size()) < num_wanted; ++i) {
    const PointNm out = cell.nucleus.centre_nm + random_direction(random) * (1.1 * radius);
    const SurfacePoint surface = surface_point_near(cell.nucleus, out);
    const PointNm middle = surface.point_nm - surface.normal * (kEnvelopeThickness / 2);
    const bool is_apart = std::all_of(cell.pores.begin(), cell.pores.end(), [&](const Pore& pore) {
      return distance(pore.centre_nm, middle) > 3 * kPoreRadius;
    });
    if (is_apart) cell.pores.push_back({middle, surface.normal});
  }

  const int num_nucleoli = radius > 1200 ? 2 : 1;
  for (int i = 0; i < 50 && static_cast<int>(cell.nucleoli.size()) < num_nucleoli; ++i) {
    const double size_nm = std::min(700.0, radius * random.uniform(0.26, 0.34));
    // One draw a statement: the order of evaluation within one is the compiler's choice.
    const double off = radius * random.uniform(0.1, 0.5);
    const PointNm place = centre + random_direction(random) * off;
    const bool is_apart = std::all_of(cell.nucleoli.begin(), cell.nucleoli.end(), [&](const Solid& other) {
      return distance(place, other.centre_nm) > 2.5 * size_nm;
    });
    if (!is_apart || cell.nucleus_distance_nm(place) > -(size_nm * 1.2 + kEnvelopeThickness)) continue;
    const double semi_u = size_nm * random.uniform(0.9, 1.2);
    const double semi_w = size_nm * random.uniform(0.8, 1.0);
    cell.nucleoli.push_back(make_ellipsoid(place, random_frame(random), semi_u, size_nm, semi_w));
  }
}

Solid random_mito(const PointNm& middle, Random& random) {
  const double radius = random.uniform(95, 185);
  const double length = random.uniform(1.5, 5.5) * radius;
  const Frame frame = random_frame(random);
  if (random.uniform() < 0.25) {
    const PointNm reach = frame.u * (length / 2);
    return make_capsule(middle - reach, middle + reach, radius, random);
  }
  return make_arc(middle, frame, std::max(2.2 * radius, length / 2) * random.uniform(1.0, 3.5), length,
                  radius);
}

Solid moved(Solid solid, const PointNm& by) {
  solid.centre_nm = solid.centre_nm + by;
  return solid;
}

// Beside `partner`, slid towards it until at most 3 nm are left between them.
Solid slide_to(const Solid& partner, Random& random) {
  const PointNm on_core = core_point_nm(partner, random.uniform(-1, 1));
  const Solid mito = random_mito(on_core, random);
  const PointNm way = random_direction(random);
  const double gap = random.uniform(0.2, 3);
  double near = 0;
  double far = partner.radius_nm + mito.radius_nm + core_length_nm(partner) + core_length_nm(mito);
  for (int i = 0; i < 40; ++i) {
    const double middle = (near + far) / 2;
    (least_distance_nm(moved(mito, way * middle), partner) < gap ? near : far) = middle;
  }
  return moved(mito, way * far);
}

void place_mitochondria(Space& space, Random random) {
  constexpr double kGap = 6;
  const double wanted = kMitoShare * space.cytoplasm_nm3();
  const int num_attempts = 600 + static_cast<int>(1e-6 * space.cytoplasm_nm3());
  double filled = 0;
  std::vector<ObjectId> mitos;
  for (int i = 0; i < num_attempts && filled < wanted; ++i) {
    Solid mito;
    ObjectId partner = 0;
    if (!mitos.empty() && random.uniform() < 0.4) {
      partner = mitos[random.below(mitos.size())];
      mito = slide_to(space.cell().first_solid(space.cell().object(partner)), random);
      if (!space.cell().volume.contains(middle_nm(mito))) continue;
    } else {
      mito = random_mito(space.random_cytoplasm_point(100, random), random);
    }
    if (!space.fits(mito, kGap, partner)) continue;
    // Sliding may have ended beside one end and run into the other.
    if (partner != 0 && least_distance_nm(mito, space.cell().first_solid(space.cell().object(partner))) < 0)
      continue;
    mitos.push_back(space.add(Organelle::kMito, {mito}));
    filled += *volume_nm3(mito);
  }
}

// Balls and bent sausages of 200 to 500 nm; where there is no room for the first, smaller.
void place_endosomes(Space& space, Random random) {
  const double wanted = kEndoShare * space.cytoplasm_nm3();
  const int num_attempts = 600 + static_cast<int>(0.2e-6 * space.cytoplasm_nm3());
  double filled = 0;
  for (int i = 0; i < num_attempts && filled < wanted; ++i) {
    const PointNm middle = space.random_cytoplasm_point(80, random);
    const bool has_room = filled > 0 || i < num_attempts / 2;
    const double radius = has_room ? random.uniform(100, 180) : 70;
    const double core_length = has_room ? random.uniform(0, 500 - 2 * radius) : 0;
    const Frame frame = random_frame(random);
    Solid solid = make_ball(middle, radius);
    if (core_length > 100) solid = make_arc(middle, frame, 2 * radius, core_length, radius);
    if (!space.fits(solid, 5)) continue;
    space.add(Organelle::kEndo, {solid});
    filled += *volume_nm3(solid);
  }
}

void place_round(Space& space, Organelle organelle, double share, double least_radius, double largest_radius,
                 Random random) {
  const double wanted = share * space.cytoplasm_nm3();
  const int num_attempts = 300 + static_cast<int>(0.5e-6 * space.cytoplasm_nm3());
  double filled = 0;
  for (int i = 0; i < num_attempts && filled < wanted; ++i) {
    const PointNm middle = space.random_cytoplasm_point(least_radius, random);
    const double radius = random.uniform(least_radius, largest_radius);
    Solid solid = make_ball(middle, radius);
    if (organelle == Organelle::kLysosome) {
      const double half_length = radius * random.uniform(0.05, 0.7);
      const PointNm reach = random_direction(random) * half_length;
      solid = make_capsule(middle - reach, middle + reach, radius, random);
    }
    if (!space.fits(solid, 4)) continue;
    space.add(organelle, {solid});
    filled += *volume_nm3(solid);
  }
}

}  // namespace

Cell make_cell(const SizeNm& size_nm, std::uint64_t seed) {
  if (!(size_nm.smallest() >= kLeastExtent)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("phantom: expected a volume of at least {} nm along each axis, found {}",
                            kLeastExtent, to_string(size_nm)));
  }
  Cell cell(size_nm, seed);
  place_body(cell, Random(seed, 1));
  place_nucleus(cell, Random(seed, 2));
  Space space(cell);
  space.add(Organelle::kNucleus, {cell.nucleus});
  // What every cell of some size must have comes first.
  place_centrosome(space, Random(seed, 10));
  place_golgi(space, Random(seed, 11));
  place_endosomes(space, Random(seed, 12));
  place_mitochondria(space, Random(seed, 3));
  place_round(space, Organelle::kLysosome, kLysosomeShare, 90, 200, Random(seed, 4));
  place_round(space, Organelle::kLd, kLdShare, 80, 190, Random(seed, 5));
  place_er(space, Random(seed, 6));
  place_exit_sites(space, Random(seed, 13));
  place_round(space, Organelle::kVesicle, 0.012, 27, 60, Random(seed, 7));
  place_microtubules(space, Random(seed, 8));
  place_ribosomes(space, Random(seed, 9));
  return cell;
}

}  // namespace organon::phantom
