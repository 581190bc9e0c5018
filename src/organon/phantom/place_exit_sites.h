#pragma once

#include "organon/phantom/space.h"

namespace organon::phantom {

/// Exit sites: clusters of short tubes with swollen ends, each grown out of the ER by one neck, with a common
/// lumen. Requires: the ER is placed.
void place_exit_sites(Space& space, Random random);

}  // namespace organon::phantom
