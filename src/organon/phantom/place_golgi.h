#pragma once

#include "organon/phantom/space.h"

namespace organon::phantom {

/// Stacks of flattened cisternae on that side of the nucleus where there is most room, each with a few
/// vesicles at its rims. One stack at least, which is smaller where there is little room.
void place_golgi(Space& space, Random random);

}  // namespace organon::phantom
