#pragma once

#include "organon/phantom/cell.h"

namespace organon::phantom {

/// The room that is left while a cell is being filled.
class Space {
 public:
  explicit Space(Cell& cell);

  Cell& cell() { return cell_; }
  const Cell& cell() const { return cell_; }
  /// Volume between nucleus and plasma membrane inside the volume.
  double cytoplasm_nm3() const { return cytoplasm_nm3_; }

  /// Distance of `point` to the nearest object, place kept free, nucleus or plasma membrane; values above
  /// `enough_nm` (at most kLongReach) may be too large. Objects numbered `except` do not count.
  double clearance_nm(const PointNm& point, double enough_nm, ObjectId except = 0) const;
  /// As clearance_nm(), to objects and what is kept free alone.
  double object_clearance_nm(const PointNm& point, double enough_nm, ObjectId except = 0) const;
  /// Whether `solid` keeps `gap_nm` from everything.
  bool fits(const Solid& solid, double gap_nm, ObjectId except = 0) const;

  /// Adds an object of these parts.
  ObjectId add(Organelle organelle, const std::vector<Solid>& parts);

  /// Nothing is placed there from now on, though no object is there: the inside of a barrel.
  void keep_free(const Solid& solid) { kept_free_.push_back(solid); }

  /// A point of the cytoplasm inside the volume (at least `margin_nm` from membranes).
  PointNm random_cytoplasm_point(double margin_nm, Random& random) const;

  static constexpr double kLongReach = 320;

 private:
  static constexpr double kShortReach = 80;

  Cell& cell_;
  double cytoplasm_nm3_ = 0;
  std::vector<Solid> kept_free_;
  PartIndex long_index_{200, kLongReach};
  PartIndex short_index_{100, kShortReach};
};

/// A random point of the nucleus's surface on the side where the nucleus leaves most room, as far as `spread`
/// lets it: 0 is the middle of that side, beyond about 3 all sides are alike.
SurfacePoint random_surface_point_at_roomy_side(const Cell& cell, double spread, Random& random);

}  // namespace organon::phantom
