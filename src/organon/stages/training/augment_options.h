#pragma once

#include <cstdint>
#include <string>

#include "organon/base/options.h"

namespace organon::stages {

/// How samples are varied. Every chance and range is per sample.
struct AugmentOptions {
  bool symmetries = true;         ///< mirror axes, and swap those with equal voxel size
  std::string turn_axis = "any";  ///< about which samples turn: "any", or "z" as in the paper
  double rotation_degrees = 30;   ///< largest turn
  double scale_range = 0.15;      ///< sizes from 1 / (1 + range) to 1 + range
  double elastic_nm = 10;         ///< standard deviation of the shifts of control points; 0: none
  double elastic_spacing = 100;   ///< voxels between control points
  double turned_share = 0.5;      ///< of the samples that are turned, scaled and deformed
  double blur_voxels = 0.8;       ///< largest width of the Gaussian that blurs
  double blurred_share = 0.15;    ///< of the samples
  double defect_share = 0.05;     ///< of the samples with a slice missing, doubled, too dark or too bright
  double contrast_range = 0.45;   ///< factor from 1 / (1 + range) to 1 + range
  double brightness_range = 0.3;  ///< shift, in units of half the contrast window
  double gamma_range = 0.4;       ///< exponent from 1 / (1 + range) to 1 + range
  double noise = 0.15;            ///< largest standard deviation

  static AugmentOptions none();
  void bind(OptionTable& table);
};

}  // namespace organon::stages
