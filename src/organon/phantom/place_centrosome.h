#pragma once

#include "organon/phantom/space.h"

namespace organon::phantom {

/// Two centrioles at right angles near the nucleus, the mother with appendages; nothing in volumes of less
/// than 1200 nm along an axis. Each centriole is a barrel of nine triplets of solid tubules, 230 nm wide.
void place_centrosome(Space& space, Random random);

}  // namespace organon::phantom
