#include "organon/stages/training/augment_options.h"

namespace organon::stages {

AugmentOptions AugmentOptions::none() {
  AugmentOptions none;
  none.symmetries = false;
  none.turned_share = 0;
  none.rotation_degrees = 0;
  none.scale_range = 0;
  none.elastic_nm = 0;
  none.blurred_share = 0;
  none.defect_share = 0;
  none.contrast_range = 0;
  none.brightness_range = 0;
  none.gamma_range = 0;
  none.noise = 0;
  return none;
}

void AugmentOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  table
      .add("symmetries", symmetries, {"mirror axes, and swap those of equal voxel size", "", -kAny, kAny, {}})
      .add("turned_share", turned_share, {"share of the patches turned, scaled and deformed", "", 0, 1, {}})
      .add("turn_axis", turn_axis, {"axis of the turns; the paper's is z", "", -kAny, kAny, {"any", "z"}})
      .add("rotation_degrees", rotation_degrees, {"largest turn of a patch", "degrees", 0, 180, {}})
      .add("scale_range", scale_range, {"patches are scaled by 1/(1+range) to 1+range", "", 0, 1, {}})
      .add("elastic_nm", elastic_nm,
           {"standard deviation of the shifts of control points that deform a patch", "nm", 0, 1000, {}})
      .add("elastic_spacing", elastic_spacing, {"distance of control points", "voxels", 8, 10000, {}})
      .add("blurred_share", blurred_share, {"share of the patches that are blurred", "", 0, 1, {}})
      .add("blur_voxels", blur_voxels, {"largest width of the Gaussian that blurs", "voxels", 0, 4, {}})
      .add(
          "defect_share", defect_share,
          {"share of the patches in which a slice is missing, doubled, too dark or too bright", "", 0, 1, {}})
      .add("contrast_range", contrast_range, {"contrast times 1/(1+range) to 1+range", "", 0, 4, {}})
      .add("brightness_range", brightness_range,
           {"largest shift of grey values, 1 being half the contrast window", "", 0, 2, {}})
      .add("gamma_range", gamma_range, {"exponent from 1/(1+range) to 1+range", "", 0, 4, {}})
      .add("noise", noise, {"largest standard deviation of added noise", "", 0, 2, {}});
}

}  // namespace organon::stages
