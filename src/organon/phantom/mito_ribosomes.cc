#include "organon/phantom/mito_ribosomes.h"

#include <cmath>

namespace organon::phantom {
namespace {

// At most one in each cell of a lattice, which holds it whole: a point asks one cell.
constexpr double kCell = 56;
constexpr double kShare = 0.5;
constexpr double kToWall = kMitoRibosomeRadius + 2;  // of the cell, so that neighbours stand apart

}  // namespace

MitoRibosomes::MitoRibosomes(const Cell& cell, const Object& mito, const Cristae& cristae)
    : solid_(cell.first_solid(mito)),
      cristae_(cristae),
      seed_(mix64(cell.seed ^ mix64(mito.id + 0x7269626f))) {}

bool MitoRibosomes::contains(const PointNm& point) const {
  const double z = std::floor(point.z / kCell);
  const double y = std::floor(point.y / kCell);
  const double x = std::floor(point.x / kCell);
  const auto bits = [](double index) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(index)); };
  Random random(seed_, bits(z) << 42 ^ (bits(y) & 0x1fffff) << 21 ^ (bits(x) & 0x1fffff));
  if (random.uniform() >= kShare) return false;
  PointNm centre;
  centre.z = z * kCell + random.uniform(kToWall, kCell - kToWall);
  centre.y = y * kCell + random.uniform(kToWall, kCell - kToWall);
  centre.x = x * kCell + random.uniform(kToWall, kCell - kToWall);
  if (distance(point, centre) > kMitoRibosomeRadius) return false;
  const double depth = -signed_distance_nm(solid_, centre) - kMitoMembraneThickness;
  return depth >= kMitoRibosomeRadius && !cristae_.contains(centre);
}

}  // namespace organon::phantom
