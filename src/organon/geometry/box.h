#pragma once

#include <string>

#include "organon/geometry/vec3.h"

namespace organon {

/// A half-open box of voxels of one grid: `begin` is inside, `end` is not. A box whose shape has a value <= 0
/// is empty.
struct Box {
  Index3 begin;
  Index3 end;

  static constexpr Box of_shape(const Shape3& shape) { return {{}, Index3(shape)}; }
  static constexpr Box at(const Index3& begin, const Shape3& shape) { return {begin, begin + Index3(shape)}; }

  constexpr bool empty() const { return end.z <= begin.z || end.y <= begin.y || end.x <= begin.x; }
  constexpr Shape3 shape() const { return Shape3(max(end - begin, Index3{})); }
  constexpr std::int64_t volume() const { return shape().product(); }
  constexpr bool contains(const Index3& index) const {
    return index.z >= begin.z && index.z < end.z && index.y >= begin.y && index.y < end.y &&
           index.x >= begin.x && index.x < end.x;
  }
  /// Every box contains an empty one.
  constexpr bool contains(const Box& other) const { return other.empty() || intersect(other) == other; }
  constexpr Box intersect(const Box& other) const { return {max(begin, other.begin), min(end, other.end)}; }
  constexpr bool intersects(const Box& other) const { return !intersect(other).empty(); }
  /// Larger by `low` before `begin` and by `high` after `end`.
  constexpr Box grow(const Shape3& low, const Shape3& high) const {
    return {begin - Index3(low), end + Index3(high)};
  }
  constexpr Box grow(std::int64_t margin) const { return grow(Shape3::cube(margin), Shape3::cube(margin)); }
  constexpr Box translate(const Index3& by) const { return {begin + by, end + by}; }
  /// The smallest box that holds both; an empty one does not count.
  constexpr Box unite(const Box& other) const {
    if (empty()) return other;
    if (other.empty()) return *this;
    return {min(begin, other.begin), max(end, other.end)};
  }

  friend constexpr bool operator==(const Box&, const Box&) = default;
};

/// "[0,0,0 : 64,64,64)" (z,y,x).
std::string to_string(const Box& box);

}  // namespace organon
