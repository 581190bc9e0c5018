#pragma once

#include "organon/phantom/space.h"

namespace organon::phantom {

/// Adds microtubules: bent, unbranched, each a chain of short pieces, apart from everything.
void place_microtubules(Space& space, Random random);
/// Adds ribosomes: on the ER's sheets and tubes and the outer side of the envelope, and free in the cytosol.
void place_ribosomes(Space& space, Random random);

}  // namespace organon::phantom
