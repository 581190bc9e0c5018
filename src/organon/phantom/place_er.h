#pragma once

#include "organon/phantom/space.h"

namespace organon::phantom {

/// Adds the endoplasmic reticulum as one object: sheets and a network of tubes, all of it joined to the
/// nucleus's envelope inside the volume, close to mitochondria in places. To be called after mitochondria are
/// placed.
void place_er(Space& space, Random random);

}  // namespace organon::phantom
