#include "organon/phantom/inner_vesicles.h"

#include <algorithm>

namespace organon::phantom {

std::vector<Solid> inner_vesicles(const Cell& cell, const Object& endosome) {
  constexpr double kGap = 4;
  constexpr int kAttemptsPerVesicle = 10;
  const Solid& body = cell.first_solid(endosome);
  Random random(mix64(cell.seed ^ mix64(endosome.id + 0x6d7662)));
  const int num_wanted = random.uniform() < 0.25 ? 0 : 6 + static_cast<int>(random.below(20));
  std::vector<Solid> vesicles;
  for (int i = 0; i < kAttemptsPerVesicle * num_wanted && static_cast<int>(vesicles.size()) < num_wanted;
       ++i) {
    const double radius = random.uniform(19, 30);
    const double room = body.radius_nm - kEndoMembraneThickness - kGap - radius;
    const double t = random.uniform(-1, 1);
    // The square root fills the middle no more than the rest of the cross-section.
    const double off = room * std::sqrt(random.uniform());
    const Solid ball = make_ball(core_point_nm(body, t) + random_direction(random) * off, radius);
    const bool is_apart = std::all_of(vesicles.begin(), vesicles.end(), [&](const Solid& other) {
      return distance(other.centre_nm, ball.centre_nm) > radius + other.radius_nm + kGap;
    });
    if (is_apart) vesicles.push_back(ball);
  }
  return vesicles;
}

}  // namespace organon::phantom
