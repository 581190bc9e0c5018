#include "organon/phantom/place_small.h"

#include <algorithm>
#include <optional>

namespace organon::phantom {
namespace {

constexpr double kStep = 24;                       // of a microtubule's chain
constexpr double kMicrotubuleLengthPerNm3 = 4e-6;  // of cytoplasm
constexpr int kNumRadiating = 40;                  // attempts
constexpr double kMicrotubuleGap = 5;
constexpr double kRibosomesPerNm3 = 900e-9;  // free ones
constexpr double kBoundPerNm2 = 4e-4;        // of the ER's surface

class MicrotubulePlacer {
 public:
  MicrotubulePlacer(Space& space, Random random) : space_(space), random_(random) {}

  void place() {
    const double cytoplasm = space_.cytoplasm_nm3();
    const double wanted = kMicrotubuleLengthPerNm3 * cytoplasm;
    const double least_length = std::min(600.0, 0.35 * space_.cell().volume.end.smallest());
    const int num_attempts = 200 + static_cast<int>(0.5e-6 * cytoplasm);
    double total = 0;
    // By value: adding objects moves them.
    std::optional<PointNm> mother;
    if (const Object* centrosome = space_.cell().first_object(Organelle::kCentrosome))
      mother = middle_nm(space_.cell().first_solid(*centrosome));
    for (int i = 0; i < num_attempts && total < wanted; ++i) {
      PointNm start = space_.random_cytoplasm_point(40, random_);
      const PointNm direction = random_direction(random_);
      // The first ones radiate from the mother centriole.
      if (mother && i < kNumRadiating) start = *mother + direction * random_.uniform(260, 330);
      if (!is_free(start)) continue;
      std::vector<PointNm> line = march(start, direction * -1);
      std::reverse(line.begin(), line.end());
      const std::vector<PointNm> onward = march(start, direction);
      line.insert(line.end(), onward.begin() + 1, onward.end());
      const double length = kStep * static_cast<double>(line.size() - 1);
      if (length < least_length) continue;
      std::vector<Solid> pieces;
      for (std::size_t k = 1; k < line.size(); ++k) {
        pieces.push_back(make_capsule(line[k - 1], line[k], kMicrotubuleRadius, random_));
      }
      space_.add(Organelle::kMicrotubule, pieces);
      total += length;
    }
  }

 private:
  static constexpr double kNeeded = kMicrotubuleRadius + kMicrotubuleGap;

  bool is_free(const PointNm& point) const { return space_.clearance_nm(point, kNeeded) >= kNeeded; }

  // Goes on until there is no free way, the volume is left or the tube is long; turns away from what lies
  // ahead.
  std::vector<PointNm> march(const PointNm& start, PointNm direction) {
    constexpr double kAhead = 75;
    std::vector<PointNm> line = {start};
    const BoxNm limits = space_.cell().volume.grow(2 * kStep);
    const int max_steps = static_cast<int>(random_.uniform(500, 2500) / kStep);
    for (int step = 0; step < max_steps && limits.contains(line.back()); ++step) {
      const Frame frame = random_frame_along(direction, random_);
      PointNm best;
      double best_room = -1;
      // Straight at first: the other half goes the other way from here.
      for (int k = 0; k < (step == 0 ? 1 : 9); ++k) {
        PointNm way = direction;
        // At most 4.6 degrees a step: radius of curvature 300 nm.
        const double turn = k < 5 ? 0.03 : 0.08;
        if (k > 0) way = unit(direction + (k % 2 == 1 ? frame.v : frame.w) * (k % 4 < 2 ? turn : -turn));
        const PointNm next = line.back() + way * kStep;
        if (!is_free(next)) continue;
        const double ahead = space_.clearance_nm(next + way * kAhead, kNeeded + 30);
        const double room = std::min(ahead, kNeeded + 30) + (k == 0 ? 3 : random_.uniform(0, 6));
        if (room > best_room) {
          best_room = room;
          best = way;
        }
      }
      if (best_room < 0) break;
      direction = best;
      line.push_back(line.back() + direction * kStep);
    }
    return line;
  }

  Space& space_;
  Random random_;
};

class RibosomePlacer {
 public:
  RibosomePlacer(Space& space, Random random) : space_(space), random_(random) {}

  void place() {
    bind_to_er();
    const int num_wanted = static_cast<int>(kRibosomesPerNm3 * space_.cytoplasm_nm3());
    for (int i = 0; i < num_wanted; ++i) {
      // Polysomes: a few in a row.
      PointNm point = space_.random_cytoplasm_point(20, random_);
      const int num_members = random_.uniform() < 0.4 ? 2 + static_cast<int>(random_.below(5)) : 1;
      for (int k = 0; k < num_members; ++k, ++i) {
        add(point, 2);
        const double step = 2 * kRibosomeRadius + random_.uniform(3, 9);
        point = point + random_direction(random_) * step;
      }
    }
  }

 private:
  bool add(const PointNm& centre, double gap) {
    const Solid ball = make_ball(centre, kRibosomeRadius);
    if (!space_.cell().volume.grow(kRibosomeRadius).contains(centre) || !space_.fits(ball, gap)) return false;
    space_.add(Organelle::kRibosome, {ball});
    return true;
  }

  void bind_to_er() {
    constexpr double kOff = kRibosomeRadius + 0.5;
    const std::vector<Object> objects = space_.cell().objects;
    for (const Object& object : objects) {
      if (object.organelle != Organelle::kEr) continue;
      for (std::uint32_t i = 0; i < object.num_parts; ++i) {
        const Solid solid = space_.cell().parts[object.first_part + i].solid;
        if (solid.kind == SolidKind::kBowl) {
          bind_to_sheet(solid, kOff);
        } else {
          bind_to_tube(solid, kOff);
        }
      }
    }
    const Solid nucleus = space_.cell().nucleus;
    const int num_wanted = static_cast<int>(kBoundPerNm2 / 2 * *surface_nm2(nucleus));
    for (int i = 0; i < num_wanted; ++i) {
      const PointNm out = nucleus.centre_nm + random_direction(random_) * (1.3 * nucleus.semi_u_nm);
      const SurfacePoint surface = surface_point_near(nucleus, out);
      const auto& pores = space_.cell().pores;
      const bool is_pore = std::any_of(pores.begin(), pores.end(), [&](const Pore& pore) {
        return distance(pore.centre_nm, surface.point_nm) < kPoreRadius + 40;
      });
      if (!is_pore) add(surface.point_nm + surface.normal * kOff, 0.1);
    }
  }

  void bind_to_sheet(const Solid& sheet, double off) {
    const double disc_radius = sheet.half_angle * sheet.core_radius_nm;
    const int num_wanted = static_cast<int>(kBoundPerNm2 * 2 * 3.14159265358979 * disc_radius * disc_radius);
    for (int i = 0; i < num_wanted; ++i) {
      // A direction inside the cap, by rejection in the square around it.
      const double v = random_.uniform(-1, 1);
      const double w = random_.uniform(-1, 1);
      if (v * v + w * w > 1) continue;
      const PointNm across = (sheet.frame.v * v + sheet.frame.w * w) * sheet.sin_half;
      const double along = std::sqrt(std::max(0.0, 1 - dot(across, across)));
      const double side = random_.uniform() < 0.5 ? -1 : 1;
      const double reach = sheet.core_radius_nm + side * (sheet.radius_nm + off);
      add(sheet.centre_nm + (sheet.frame.u * along + across) * reach, 0.1);
    }
  }

  void bind_to_tube(const Solid& tube, double off) {
    // Smooth ER: most tubes carry few.
    const double density = kBoundPerNm2 * (random_.uniform() < 0.4 ? 0.8 : 0.15);
    const int num_wanted = static_cast<int>(
        density * 2 * 3.14159265358979 * tube.radius_nm * core_length_nm(tube) + random_.uniform());
    for (int i = 0; i < num_wanted; ++i) {
      const PointNm out = random_frame_along(tube.frame.u, random_).v;
      add(core_point_nm(tube, random_.uniform(-1, 1)) + out * (tube.radius_nm + off), 0.1);
    }
  }

  Space& space_;
  Random random_;
};

}  // namespace

void place_microtubules(Space& space, Random random) { MicrotubulePlacer(space, random).place(); }
void place_ribosomes(Space& space, Random random) { RibosomePlacer(space, random).place(); }

}  // namespace organon::phantom
