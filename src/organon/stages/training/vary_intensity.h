#pragma once

#include "organon/array/array.h"
#include "organon/base/random.h"
#include "organon/stages/training/augment_options.h"

namespace organon::stages {

/// Varies the grey values of a patch of raw, about [-1, 1], as microscopes do: blurs it, spoils a slice, and
/// changes contrast, brightness and gamma and adds noise. `slice_axis`: that along which slices were cut.
void vary_intensity(const AugmentOptions& augment, std::size_t slice_axis, Random& random, Array<float>& raw);

}  // namespace organon::stages
