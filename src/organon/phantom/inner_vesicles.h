#pragma once

#include <vector>

#include "organon/phantom/cell.h"

namespace organon::phantom {

/// The vesicles inside one endosome, balls that neither overlap nor meet its membrane: a few in most, none in
/// early ones, one in four.
std::vector<Solid> inner_vesicles(const Cell& cell, const Object& endosome);

}  // namespace organon::phantom
