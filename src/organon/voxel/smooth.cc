#include "organon/voxel/smooth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "organon/base/error.h"
#include "organon/voxel/smooth_kernels.h"

namespace organon::voxel {
namespace {

constexpr double kLargestSigmaVoxels = 100;
// Sums of 2^15 * 2^16 still fit a signed 32-bit lane.
constexpr int kMostBits = 16;

int kernel_radius(double sigma_voxels) {
  // The tiny number keeps 12 nm / 4 nm = 3 at radius 9 whatever the last bit of the division.
  return static_cast<int>(std::ceil(3 * sigma_voxels - 1e-9));
}

std::vector<double> exact_weights(double sigma_voxels, int radius) {
  std::vector<double> weights(2 * static_cast<std::size_t>(radius) + 1, 1.0);
  if (radius > 0) {
    for (int i = -radius; i <= radius; ++i) {
      weights[static_cast<std::size_t>(i + radius)] = std::exp(-0.5 * i * i / (sigma_voxels * sigma_voxels));
    }
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

void check_shapes(ArrayView<const std::uint8_t> input, const GaussianKernels& kernels, const Shape3& output,
                  const Stride3& stride) {
  const Shape3 halo = smoothing_halo(kernels);
  ORGANON_CHECK(input.shape() == output + halo + halo);
  ORGANON_CHECK(input.stride().x == 1 && stride.x == 1);
}

}  // namespace

GaussianKernel gaussian_kernel(double sigma_voxels) {
  if (!(sigma_voxels >= 0 && sigma_voxels <= kLargestSigmaVoxels)) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("smoothing sigma must be 0 to {} voxels, found {}",
                                                         kLargestSigmaVoxels, sigma_voxels));
  }
  GaussianKernel kernel;
  kernel.radius = kernel_radius(sigma_voxels);
  const auto exact = exact_weights(sigma_voxels, kernel.radius);
  const auto centre = static_cast<std::size_t>(kernel.radius);
  // The centre, the largest weight, must fit 16 signed bits, with room for one pair of corrections.
  kernel.bits = kMostBits;
  while (exact[centre] * (1 << kernel.bits) > INT16_MAX - 2) --kernel.bits;

  // Round down, then hand the missing units to the pairs that lost most: by pairs, so that it stays
  // symmetric.
  const int total = 1 << kernel.bits;
  kernel.weights.resize(exact.size());
  std::vector<std::size_t> order;
  int missing = total;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    kernel.weights[i] =
        static_cast<std::int16_t>(std::floor(exact[std::min(i, exact.size() - 1 - i)] * total));
    missing -= kernel.weights[i];
    if (i < centre) order.push_back(i);
  }
  const auto lost = [&](std::size_t i) { return exact[i] * total - kernel.weights[i]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lost(a) > lost(b); });
  for (const std::size_t i : order) {
    // One unit may be left to the centre; which of the two does less harm is seen from what each lost.
    if (missing < 2 || (lost(i) < 0.5 && missing <= 2)) break;
    ++kernel.weights[i];
    ++kernel.weights[exact.size() - 1 - i];
    missing -= 2;
  }
  kernel.weights[centre] = static_cast<std::int16_t>(kernel.weights[centre] + missing);
  return kernel;
}

GaussianKernels gaussian_kernels(double sigma_nm, const SizeNm& voxel_size_nm) {
  return {gaussian_kernel(sigma_nm / voxel_size_nm.z), gaussian_kernel(sigma_nm / voxel_size_nm.y),
          gaussian_kernel(sigma_nm / voxel_size_nm.x)};
}

Shape3 smoothing_halo(double sigma_nm, const SizeNm& voxel_size_nm) {
  return smoothing_halo(gaussian_kernels(sigma_nm, voxel_size_nm));
}

Shape3 smoothing_halo(const GaussianKernels& kernels) {
  return {kernels.z.radius, kernels.y.radius, kernels.x.radius};
}

double smoothing_error_bound(const GaussianKernels& kernels, double sigma_nm, const SizeNm& voxel_size_nm) {
  // Inputs lie in 0..255 and the weight errors of an axis add up to 0, so the worst input is 255 where the
  // error is positive and 0 elsewhere. Passes average, so they never enlarge the error of the pass before.
  double bound = 0;
  const auto add = [&](const GaussianKernel& kernel, double voxel_size) {
    const auto exact = exact_weights(sigma_nm / voxel_size, kernel.radius);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      bound += 255 * std::max(0.0, kernel.weights[i] / std::ldexp(1.0, kernel.bits) - exact[i]);
    }
    if (kernel.radius > 0) bound += 0.5 / 256;
  };
  add(kernels.z, voxel_size_nm.z);
  add(kernels.y, voxel_size_nm.y);
  add(kernels.x, voxel_size_nm.x);
  return bound;
}

void smooth(ArrayView<const std::uint8_t> input, const GaussianKernels& kernels,
            ArrayView<std::uint16_t> output) {
  check_shapes(input, kernels, output.shape(), output.stride());
  SmoothJob job;
  job.input = input;
  job.kernels = &kernels;
  job.values = output;
  run_smooth_job(job);
}

void smooth_and_threshold(ArrayView<const std::uint8_t> input, const GaussianKernels& kernels,
                          double threshold, ArrayView<std::uint8_t> mask) {
  check_shapes(input, kernels, mask.shape(), mask.stride());
  SmoothJob job;
  job.input = input;
  job.kernels = &kernels;
  job.mask = mask;
  // Outside -1 .. 256 the answer no longer changes; the limits keep the sum within 32 bits or just beyond.
  const double limited = std::clamp(threshold, -1.0, 256.0);
  job.threshold_sum = static_cast<std::int64_t>(std::ceil(std::ldexp(limited - 128, 8 + kernels.z.bits)));
  job.threshold_level = static_cast<int>(std::ceil(limited));
  run_smooth_job(job);
}

}  // namespace organon::voxel
