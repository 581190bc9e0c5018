#include "organon/phantom/place_er.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace organon::phantom {
namespace {

constexpr double kSheetShare = 0.075;  // of the cytoplasm
constexpr double kTubeShare = 0.060;
constexpr double kLongestTube = 450;
constexpr double kGap = 4;          // from other objects
constexpr double kMembraneGap = 8;  // from nucleus and plasma membrane
constexpr double kSpacing = 25;     // of the points that stand for the network
constexpr double kPi = 3.14159265358979323846;

class ErPlacer {
 public:
  ErPlacer(Space& space, Random random)
      : space_(space), cell_(space.cell()), random_(random), points_(150, 0) {}

  void place() {
    const double cytoplasm = space_.cytoplasm_nm3();
    for (int i = 0; i < attempts(150) && sheets_nm3_ < kSheetShare * cytoplasm; ++i) add_sheet();
    touch_mitochondria();
    for (int i = 0; i < attempts(3000) && tubes_nm3_ < kTubeShare * cytoplasm; ++i) add_node();
    // What could not be joined at first may be near the network now.
    for (int i = 0; i < attempts(150) && sheets_nm3_ < kSheetShare * cytoplasm; ++i) add_sheet();
    space_.add(Organelle::kEr, solids_);
  }

 private:
  int attempts(double per_um3) const {
    return 20 + static_cast<int>(per_um3 * space_.cytoplasm_nm3() * 1e-9);
  }

  void register_points(const Solid& solid) {
    for (const PointNm& point : core_points_nm(solid, kSpacing)) {
      if (!cell_.volume.contains(point)) continue;
      points_.add(static_cast<std::uint32_t>(network_.size()), {point, point});
      network_.push_back(point);
    }
  }

  void add(const Solid& solid) {
    solids_.push_back(solid);
    register_points(solid);
  }

  bool point_is_free(const PointNm& point, double radius) const {
    return cell_.volume.contains(point) && -cell_.body_distance_nm(point) >= radius + kMembraneGap &&
           cell_.nucleus_distance_nm(point) >= radius + kMembraneGap &&
           space_.object_clearance_nm(point, radius + kGap) >= radius + kGap;
  }

  // A tube from a to b; where it ends at the envelope, its last piece may touch the nucleus.
  bool tube_is_free(const PointNm& a, const PointNm& b, double radius, bool ends_at_envelope) const {
    const double length = distance(a, b);
    const int num_steps = static_cast<int>(length / 10) + 1;
    const double near_end = radius + kEnvelopeThickness + 2 * kMembraneGap;
    for (int i = 0; i <= num_steps; ++i) {
      const double t = static_cast<double>(i) / num_steps;
      const PointNm point = a + (b - a) * t;
      if (ends_at_envelope && (1 - t) * length < near_end) {
        if (!cell_.volume.contains(point) || space_.object_clearance_nm(point, radius + kGap) < radius + kGap)
          return false;
      } else if (!point_is_free(point, radius)) {
        return false;
      }
    }
    return true;
  }

  struct Goal {
    PointNm point;
    double distance = 0;
    bool is_envelope = false;
  };

  // The nearest places of the network, apart from each other, and of the envelope.
  std::vector<Goal> goals_from(const PointNm& point) const {
    std::vector<Goal> all;
    const BoxNm around = BoxNm{point, point}.grow(kLongestTube);
    for (const std::uint32_t number : points_.near(around)) {
      const double far = distance(network_[number], point);
      if (far < kLongestTube && far > 1) all.push_back({network_[number], far, false});
    }
    std::sort(all.begin(), all.end(), [](const Goal& a, const Goal& b) { return a.distance < b.distance; });
    std::vector<Goal> goals;
    for (const Goal& goal : all) {
      if (goals.size() == 8) break;
      const bool is_new = std::all_of(goals.begin(), goals.end(), [&](const Goal& other) {
        return distance(goal.point, other.point) > 80;
      });
      if (is_new) goals.push_back(goal);
    }
    const SurfacePoint surface = surface_point_near(cell_.nucleus, point);
    const double far = distance(surface.point_nm, point);
    const bool meets_pore = std::any_of(cell_.pores.begin(), cell_.pores.end(), [&](const Pore& pore) {
      return distance(pore.centre_nm, surface.point_nm) < kPoreRadius + 60;
    });
    if (far < kLongestTube && !meets_pore && cell_.volume.contains(surface.point_nm)) {
      goals.push_back({surface.point_nm - surface.normal * (kEnvelopeThickness / 2), far, true});
    }
    std::sort(goals.begin(), goals.end(),
              [](const Goal& a, const Goal& b) { return a.distance < b.distance; });
    return goals;
  }

  // Joins `from` to the network or the envelope by a tube, straight or bent; how many of the ways there to
  // take.
  bool link(const PointNm& from, double radius, int num_wanted = 1) {
    int num_links = 0;
    for (const Goal& goal : goals_from(from)) {
      if (num_links > 0 && goal.distance < 150) continue;  // loops have some size
      for (int bend = 0; bend < 4; ++bend) {
        PointNm middle = (from + goal.point) * 0.5;
        const double size = bend == 3 ? 0 : 0.1 + 0.1 * bend;
        const PointNm side = random_direction(random_) * (size * goal.distance);
        if (goal.distance > 120) middle = middle + side;
        if (!tube_is_free(from, middle, radius, false) ||
            !tube_is_free(middle, goal.point, radius, goal.is_envelope)) {
          continue;
        }
        if (goal.is_envelope && cell_.nucleus_distance_nm(middle) < radius + kMembraneGap) continue;
        add(make_capsule(from, middle, radius, random_));
        add(make_capsule(middle, goal.point, radius, random_));
        tubes_nm3_ += kPi * radius * radius * (distance(from, middle) + distance(middle, goal.point));
        ++num_links;
        break;
      }
      if (num_links == num_wanted) return true;
    }
    return num_links > 0;
  }

  void add_sheet() {
    const double half_thickness = random_.uniform(34, 40);
    const double disc_radius = random_.uniform(150, 330);
    PointNm middle;
    Frame frame;
    double core_radius = 0;
    if (random_.uniform() < 0.6) {
      // Around the nucleus, as cisternae lie.
      const double off = random_.uniform(90, 420);
      const double radius =
          std::max({cell_.nucleus.semi_u_nm, cell_.nucleus.semi_v_nm, cell_.nucleus.semi_w_nm});
      const SurfacePoint surface = surface_point_near(
          cell_.nucleus, cell_.nucleus.centre_nm + random_direction(random_) * (1.2 * radius));
      middle = surface.point_nm + surface.normal * off;
      frame = random_frame_along(surface.normal, random_);
      core_radius = (radius + off) * random_.uniform(0.9, 1.6);
    } else {
      middle = space_.random_cytoplasm_point(60, random_);
      frame = random_frame(random_);
      core_radius = random_.uniform(400, 1500);
    }
    core_radius = std::max(core_radius, disc_radius);
    if (!cell_.volume.contains(middle)) return;
    const Solid sheet = make_bowl(middle, frame, core_radius, disc_radius, half_thickness);
    const auto points = core_points_nm(sheet, 20);
    // Only what lies inside the volume must be free; outside nothing is placed that counts.
    for (const PointNm& point : points) {
      if (-cell_.body_distance_nm(point) < half_thickness + kMembraneGap ||
          cell_.nucleus_distance_nm(point) < half_thickness + kMembraneGap ||
          space_.object_clearance_nm(point, half_thickness + kGap) < half_thickness + kGap ||
          touches_network(point, 2 * half_thickness + 25)) {
        return;
      }
    }
    for (int i = 0; i < 6; ++i) {
      const PointNm from = points[random_.below(points.size())];
      if (!cell_.volume.contains(from) || !link(from, random_.uniform(36, 44))) continue;
      add(sheet);
      sheets_nm3_ += kPi * disc_radius * disc_radius * 2 * half_thickness;
      return;
    }
  }

  bool touches_network(const PointNm& point, double radius) const {
    const auto near = points_.near(BoxNm{point, point}.grow(radius));
    return std::any_of(near.begin(), near.end(),
                       [&](std::uint32_t number) { return distance(network_[number], point) < radius; });
  }

  // Short tubes along mitochondria, a few nanometres off: contact sites.
  void touch_mitochondria() {
    const std::vector<Object> objects = cell_.objects;
    for (const Object& object : objects) {
      if (object.organelle != Organelle::kMito) continue;
      const Solid& mito = cell_.first_solid(object);
      for (int i = 0; i < 4; ++i) {
        const double t = random_.uniform(-0.8, 0.8);
        const PointNm on_core = core_point_nm(mito, t);
        const PointNm tangent = unit(core_point_nm(mito, t + 0.01) - core_point_nm(mito, t - 0.01));
        const PointNm out = random_frame_along(tangent, random_).v;
        const double radius = random_.uniform(36, 44);
        const PointNm middle = on_core + out * (mito.radius_nm + random_.uniform(4, 9) + radius);
        const PointNm reach = tangent * random_.uniform(40, 90);
        const Solid tube = make_capsule(middle - reach, middle + reach, radius, random_);
        if (!tube_is_free(middle - reach, middle + reach, radius, false) || !link(middle + reach, radius))
          continue;
        add(tube);
        tubes_nm3_ += kPi * radius * radius * core_length_nm(tube);
        break;
      }
    }
  }

  void add_node() {
    const PointNm node = space_.random_cytoplasm_point(50, random_);
    const double radius = random_.uniform(36, 44);
    if (!point_is_free(node, radius) || touches_network(node, 150)) return;
    link(node, radius, random_.uniform() < 0.5 ? 2 : 1);
  }

  Space& space_;
  Cell& cell_;
  Random random_;
  std::vector<Solid> solids_;
  std::vector<PointNm> network_;
  PartIndex points_;
  double sheets_nm3_ = 0;
  double tubes_nm3_ = 0;
};

}  // namespace

void place_er(Space& space, Random random) { ErPlacer(space, random).place(); }

}  // namespace organon::phantom
