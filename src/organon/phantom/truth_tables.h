#pragma once

#include "organon/phantom/cell.h"
#include "organon/tables/object_table.h"

namespace organon::phantom {

/// Every object: `id` (unique over all classes, as in the instance labels), `class`, `volume_nm3` and
/// `surface_nm2` of the whole shape (missing where it has no formula: ER, exit sites, Golgi, microtubules,
/// and the surface of centrosomes), `centre_*_nm` (middle of its core; of objects of several parts, of the
/// box), box of the whole shape, `touches_edge` 1 where the volume cuts it. Exit sites are in the box of the
/// ER, too.
ObjectTable object_table(const Cell& cell);

/// Points of the centre lines, in order along each: `point`, `microtubule` (its object id), `z_nm`, `y_nm`,
/// `x_nm`. Lines end at most 50 nm outside the volume.
ObjectTable microtubule_table(const Cell& cell);

/// Pairs of objects whose surfaces come within `limit_nm` (at most 10) of each other: `pair`, `id_a` <
/// `id_b`, `class_a`, `class_b`, `distance_nm` (exact to 0.01; never negative). The envelope counts as
/// nucleus and as ER, an exit site as itself and as ER. Pairs may lie outside the volume by as much as their
/// objects do.
ObjectTable close_pair_table(const Cell& cell, double limit_nm = 10);

}  // namespace organon::phantom
