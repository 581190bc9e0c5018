#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace organon {

/// Three numbers in the order z, y, x, used by name and never by position. `Tag` keeps kinds apart: an index
/// is not a shape, a point is not a size. Converting between kinds is explicit: `Shape3(index)`.
template <class T, class Tag>
struct Vec3 {
  T z{};
  T y{};
  T x{};

  constexpr Vec3() = default;
  constexpr Vec3(T z_value, T y_value, T x_value) : z(z_value), y(y_value), x(x_value) {}
  template <class U, class OtherTag>
  constexpr explicit Vec3(const Vec3<U, OtherTag>& other)
      : z(static_cast<T>(other.z)), y(static_cast<T>(other.y)), x(static_cast<T>(other.x)) {}

  static constexpr Vec3 cube(T edge) { return {edge, edge, edge}; }

  constexpr T product() const { return z * y * x; }
  constexpr T largest() const { return std::max({z, y, x}); }
  constexpr T smallest() const { return std::min({z, y, x}); }

  friend constexpr bool operator==(const Vec3&, const Vec3&) = default;
  friend constexpr Vec3 operator+(Vec3 a, Vec3 b) { return {a.z + b.z, a.y + b.y, a.x + b.x}; }
  friend constexpr Vec3 operator-(Vec3 a, Vec3 b) { return {a.z - b.z, a.y - b.y, a.x - b.x}; }
  friend constexpr Vec3 operator*(Vec3 a, T f) { return {a.z * f, a.y * f, a.x * f}; }
  friend constexpr Vec3 min(Vec3 a, Vec3 b) {
    return {std::min(a.z, b.z), std::min(a.y, b.y), std::min(a.x, b.x)};
  }
  friend constexpr Vec3 max(Vec3 a, Vec3 b) {
    return {std::max(a.z, b.z), std::max(a.y, b.y), std::max(a.x, b.x)};
  }
};

/// Voxel index, or a difference of two.
using Index3 = Vec3<std::int64_t, struct IndexTag>;
/// Numbers of voxels per axis.
using Shape3 = Vec3<std::int64_t, struct ShapeTag>;
/// A place in nanometres.
using PointNm = Vec3<double, struct PointNmTag>;
/// An extent in nanometres, such as a voxel's.
using SizeNm = Vec3<double, struct SizeNmTag>;

/// "64,64,64": z, y, x, as on the command line.
std::string to_string(const Index3& index);
std::string to_string(const Shape3& shape);
std::string to_string(const PointNm& point);
std::string to_string(const SizeNm& size);

}  // namespace organon
