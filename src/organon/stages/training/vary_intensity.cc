#include "organon/stages/training/vary_intensity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "organon/array/border.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kGammaSteps = 512;

double spread(double range, Random& random) { return std::pow(1 + range, random.uniform(-1, 1)); }

// About normal with standard deviation 1: the sum of four uniform numbers of 16 bits.
float quick_normal(Random& random) {
  const std::uint64_t bits = random.next();
  const auto sum =
      static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
  return (sum - 2 * 65535.0F) * (1.7320508F / 65536.0F);
}

// Calls use(first voxel, voxels to the next) for each line of the array along `axis`.
template <class Use>
void for_each_line(const Shape3& shape, std::size_t axis, const Use& use) {
  const std::array<std::int64_t, 3> size = {shape.z, shape.y, shape.x};
  const std::array<std::int64_t, 3> stride = {shape.y * shape.x, shape.x, 1};
  const std::size_t b = axis == 0 ? 1 : 0;
  const std::size_t c = axis == 2 ? 1 : 2;
  for (std::int64_t i = 0; i < size[b]; ++i) {
    for (std::int64_t k = 0; k < size[c]; ++k) use(i * stride[b] + k * stride[c], stride[axis]);
  }
}

void blur(double sigma_voxels, Array<float>& raw) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma_voxels));
  if (radius == 0) return;
  std::vector<float> weights;
  float sum = 0;
  for (std::int64_t i = -radius; i <= radius; ++i) {
    const double t = static_cast<double>(i) / sigma_voxels;
    weights.push_back(static_cast<float>(std::exp(-0.5 * t * t)));
    sum += weights.back();
  }
  for (float& weight : weights) weight /= sum;
  const std::array<std::int64_t, 3> size = {raw.shape().z, raw.shape().y, raw.shape().x};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<float> line(static_cast<std::size_t>(size[axis] + 2 * radius));
    for_each_line(raw.shape(), axis, [&](std::int64_t first, std::int64_t step) {
      float* voxels = raw.data() + first;
      for (std::int64_t i = -radius; i < size[axis] + radius; ++i)
        line[static_cast<std::size_t>(i + radius)] =
            voxels[border_index(i, size[axis], Border::kReflect) * step];
      for (std::int64_t i = 0; i < size[axis]; ++i) {
        float blurred = 0;
        for (std::size_t k = 0; k < weights.size(); ++k)
          blurred += weights[k] * line[static_cast<std::size_t>(i) + k];
        voxels[i * step] = blurred;
      }
    });
  }
}

// Milling that failed, a slice imaged twice, or in a bad moment.
void spoil_slice(std::size_t axis, Random& random, Array<float>& raw) {
  const std::array<std::int64_t, 3> size = {raw.shape().z, raw.shape().y, raw.shape().x};
  const auto slice = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(size[axis])));
  const std::uint64_t kind = random.below(3);
  const auto value = static_cast<float>(random.uniform(-1, 1));
  const auto factor = static_cast<float>(random.uniform(0.3, 1));
  for_each_line(raw.shape(), axis, [&](std::int64_t first, std::int64_t step) {
    float& voxel = raw.data()[first + slice * step];
    if (kind == 0) voxel = value;
    if (kind == 1) voxel = raw.data()[first + std::max<std::int64_t>(slice - 1, 0) * step];
    if (kind == 2) voxel = voxel * factor + 0.5F * value;
  });
}

}  // namespace

void vary_intensity(const AugmentOptions& augment, std::size_t slice_axis, Random& random,
                    Array<float>& raw) {
  const bool is_blurred = random.uniform() < augment.blurred_share;
  const double sigma_voxels = random.uniform() * augment.blur_voxels;
  if (is_blurred && sigma_voxels > 0.1) blur(sigma_voxels, raw);
  const bool is_spoilt = random.uniform() < augment.defect_share;
  if (is_spoilt) spoil_slice(slice_axis, random, raw);

  const auto contrast = static_cast<float>(spread(augment.contrast_range, random));
  const auto shift = static_cast<float>(random.uniform(-1, 1) * augment.brightness_range);
  const double gamma = spread(augment.gamma_range, random);
  const auto noise = static_cast<float>(random.uniform() * augment.noise);
  const bool is_noisy = random.uniform() < 0.7 && noise > 0;
  std::array<float, kGammaSteps + 2> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double u = std::min(1.0, static_cast<double>(i) / kGammaSteps);
    table[i] = static_cast<float>(std::pow(u, gamma) * 2 - 1) * contrast + shift;
  }
  for (std::int64_t i = 0; i < raw.size(); ++i) {
    const float u = std::clamp((raw.data()[i] + 1) / 2, 0.0F, 1.0F) * static_cast<float>(kGammaSteps);
    const auto k = static_cast<std::size_t>(u);
    const float value = table[k] + (table[k + 1] - table[k]) * (u - static_cast<float>(k));
    raw.data()[i] = is_noisy ? value + noise * quick_normal(random) : value;
  }
}

}  // namespace organon::stages
