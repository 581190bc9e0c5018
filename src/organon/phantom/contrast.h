#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "organon/phantom/cell.h"

namespace organon::phantom {

/// How one label looks.
struct Stain {
  float grey = 150;
  float spread = 0;  ///< of whole objects around it
  float fine = 0;    ///< texture of about 22 nm
  float middle = 0;  ///< of about 65 nm
  float coarse = 0;  ///< of about 300 nm
};

/// How a cell is stained and imaged. Grey values are those of the final uint8 image.
struct Contrast {
  std::string_view name;
  std::array<Stain, ids::kCount> stains{};
  double blur_z_nm = 6;  ///< sigma of the beam's reach in depth
  double blur_yx_nm = 5;
  float read_noise = 5;      ///< standard deviation
  float shot_noise = 0.35F;  ///< variance per grey value
  float drift = 4;           ///< of brightness along the slices
  float jitter = 1.5F;       ///< of brightness from slice to slice
  float curtains = 5;        ///< of the stripes along y
};

/// hela, jurkat, macrophage, sum159: called after the cells of the paper, none is a model of one.
const std::vector<std::string>& contrast_names();
/// Errors: kInvalidArgument.
Contrast contrast_named(const std::string& name);

}  // namespace organon::phantom
