#include "organon/phantom/cristae.h"

#include <cmath>

namespace organon::phantom {

Cristae::Cristae(const Cell& cell, const Object& mito)
    : solid_(cell.first_solid(mito)),
      seed_(mix64(cell.seed ^ mix64(mito.id + 0x63726973))),
      waves_(seed_, 110) {
  Random random(seed_);
  spacing_nm_ = random.uniform(50, 76);
  slope_v_ = random.uniform(-0.9, 0.9);
  slope_w_ = random.uniform(-0.9, 0.9);
}

bool Cristae::contains(const PointNm& point) const {
  const PlaceInSolid place = place_in(solid_, point);
  // Thickness is measured across the leaning fold.
  const double stretch = std::sqrt(1 + slope_v_ * slope_v_ + slope_w_ * slope_w_);
  const double position = place.along_nm + slope_v_ * place.across_v_nm + slope_w_ * place.across_w_nm +
                          14 * waves_.at(point) * stretch;
  const double cell = std::floor(position / (spacing_nm_ * stretch));
  Random random(seed_, static_cast<std::uint64_t>(static_cast<std::int64_t>(cell)));
  if (random.uniform() < 0.08) return false;
  const double middle = (cell + random.uniform(0.4, 0.6)) * spacing_nm_ * stretch;
  if (std::abs(position - middle) > kCristaThickness / 2 * stretch) return false;
  // From one side, to between a quarter beyond the middle and the far wall.
  const PointNm side = random_direction(random);
  const double across = std::sqrt(side.y * side.y + side.x * side.x) + 1e-9;
  const double towards =
      (side.y * place.across_v_nm + side.x * place.across_w_nm) / across / solid_.radius_nm;
  return towards > -random.uniform(0.2, 1.0);
}

}  // namespace organon::phantom
