#include "organon/stages/training/sample_slice.h"

#include <algorithm>
#include <cmath>

namespace organon::stages {
namespace {

using storage::Rgb8;

constexpr std::int64_t kHatchPixels = 8;  // from line to line
constexpr Rgb8 kHatchGround{88, 88, 88};
constexpr Rgb8 kHatchLine{136, 136, 136};
constexpr Rgb8 kInside{178, 24, 43};
constexpr Rgb8 kOutside{33, 102, 172};
constexpr double kLeastInside = 0.3;  // share of red of a target just above 0

std::uint8_t level(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

Rgb8 between_white_and(const Rgb8& color, double share) {
  const auto mix = [share](std::uint8_t end) { return level(255 + share * (end - 255.0)); };
  return {mix(color.red), mix(color.green), mix(color.blue)};
}

}  // namespace

MiddleSlice::MiddleSlice(const SampleOptions& options)
    : scale_(options.target_scale),
      raw_z_(options.shape.z / 2),
      shape_{1, options.shape.y * scale_, options.shape.x * scale_} {
  const Index3 margins = Index3(options.shape) * scale_ - Index3(options.output_shape);
  const Index3 margin{margins.z / 2, margins.y / 2, margins.x / 2};
  target_z_ = raw_z_ * scale_ - margin.z;
  predicted_ = Box::at({0, margin.y, margin.x}, {1, options.output_shape.y, options.output_shape.x});
}

Rgb8 grey_of_raw(float raw, double brightness) {
  const std::uint8_t grey = level((static_cast<double>(raw) + 1) * 127.5 * brightness);
  return {grey, grey, grey};
}

// The step at the boundary shows what is inside where structures are so thin that no target gets far above 0.
Rgb8 color_of_target(float target) {
  const double value = std::clamp(static_cast<double>(target), -1.0, 1.0);
  return value > 0 ? between_white_and(kInside, kLeastInside + (1 - kLeastInside) * value)
                   : between_white_and(kOutside, -value);
}

Rgb8 color_of_unknown(std::int64_t y, std::int64_t x) {
  return (y + x) % kHatchPixels < 2 ? kHatchLine : kHatchGround;
}

}  // namespace organon::stages
