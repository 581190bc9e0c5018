#pragma once

#include <cstdint>
#include <string>

#include "organon/array/array_view.h"
#include "organon/stages/ingest/mask_report.h"

namespace organon::stages {

/// An SVG of six slices of raw with the mask's outline, what lies outside darkened, axes in nm as a polygon
/// file counts them, and the histogram of texture with the threshold. `means` (grey values) and `mask` are of
/// report.domain. The same text for the same input.
std::string mask_picture(const MaskReport& report, ArrayView<const float> means,
                         ArrayView<const std::uint8_t> mask);

}  // namespace organon::stages
