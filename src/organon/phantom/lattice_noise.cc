#include "organon/phantom/lattice_noise.h"

#include <cmath>

#include "organon/base/random.h"

namespace organon::phantom {

LatticeNoise::LatticeNoise(std::uint64_t seed, double wavelength_nm)
    : seed_(mix64(seed)), per_nm_(1 / wavelength_nm) {
  Random random(seed_);
  for (double& shift : shift_) shift = random.uniform();
}

LatticeNoise::Weighted LatticeNoise::place(double coordinate, int axis) const {
  const double position = coordinate * per_nm_ + shift_[axis];
  const double cell = std::floor(position);
  const double t = position - cell;
  return {static_cast<std::int64_t>(cell), t * t * (3 - 2 * t)};
}

double LatticeNoise::corner(std::int64_t z, std::int64_t y, std::int64_t x) const {
  const std::uint64_t key = (static_cast<std::uint64_t>(z) * 0x9e3779b97f4a7c15ull) ^
                            (static_cast<std::uint64_t>(y) * 0xc2b2ae3d27d4eb4full) ^
                            (static_cast<std::uint64_t>(x) * 0x165667b19e3779f9ull);
  return static_cast<double>(static_cast<std::int64_t>(mix64(seed_ ^ key)) >> 11) * 0x1.0p-52;
}

double LatticeNoise::column(const Weighted& z, const Weighted& y, std::int64_t x) const {
  const auto blend = [](double a, double b, double weight) { return a + (b - a) * weight; };
  return blend(blend(corner(z.cell, y.cell, x), corner(z.cell, y.cell + 1, x), y.weight),
               blend(corner(z.cell + 1, y.cell, x), corner(z.cell + 1, y.cell + 1, x), y.weight), z.weight);
}

double LatticeNoise::at(const PointNm& point) const {
  const Weighted z = place(point.z, 0);
  const Weighted y = place(point.y, 1);
  const Weighted x = place(point.x, 2);
  const double first = column(z, y, x.cell);
  return first + (column(z, y, x.cell + 1) - first) * x.weight;
}

void LatticeNoise::add_row(double z_nm, double y_nm, std::span<const double> x, float factor,
                           std::span<float> values) const {
  const Weighted z = place(z_nm, 0);
  const Weighted y = place(y_nm, 1);
  std::int64_t cell = 0;
  double first = 0;
  double second = 0;
  bool is_set = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Weighted at = place(x[i], 2);
    if (!is_set || at.cell != cell) {
      first = is_set && at.cell == cell + 1 ? second : column(z, y, at.cell);
      second = column(z, y, at.cell + 1);
      cell = at.cell;
      is_set = true;
    }
    values[i] += factor * static_cast<float>(first + (second - first) * at.weight);
  }
}

}  // namespace organon::phantom
