#include "organon/voxel/smooth.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <random>

#include "organon/array/array.h"
#include "organon/array/border.h"
#include "organon/array/copy.h"
#include "organon/base/error.h"

namespace organon::voxel {
namespace {

using Volume = Array<std::uint8_t>;

enum class Pattern { kNoise, kBlobs, kSparse, kConstant };

Volume make_volume(const Shape3& shape, Pattern pattern, unsigned seed) {
  Volume volume(shape, pattern == Pattern::kConstant ? 77 : 0);
  std::mt19937 random(seed);
  for (std::int64_t i = 0; i < volume.size(); ++i) {
    std::uint8_t& v = volume.data()[i];
    if (pattern == Pattern::kNoise) v = static_cast<std::uint8_t>(random() & 255);
    if (pattern == Pattern::kSparse && random() % 4000 == 0) v = 255;
    if (pattern == Pattern::kBlobs) {
      const std::int64_t row = i / shape.x;
      const std::int64_t slice = row / shape.y;
      const auto x = static_cast<double>(i % shape.x), y = static_cast<double>(row % shape.y);
      const auto z = static_cast<double>(slice);
      const double level = 127 + 140 * std::sin(x / 9) * std::sin(y / 7) * std::sin(z / 5 + 1);
      v = static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0));
    }
  }
  return volume;
}

Volume with_halo(const Volume& volume, const Box& box, const Shape3& halo) {
  const Box domain = Box::of_shape(volume.shape());
  const Box wide = box.grow(halo, halo);
  Volume result(wide.shape());
  copy_with_border<std::uint8_t>(volume, domain, domain, Border::kReflect, 0, result, wide);
  return result;
}

/// One axis after the other in the element type of the result; `finish` ends a sum.
template <class T, class Weights, class Finish>
std::vector<T> pass(const std::vector<T>& from, Shape3& shape, int axis, const Weights& weights,
                    Finish finish) {
  const auto taps = static_cast<std::int64_t>(weights.size());
  Shape3 result = shape;
  (axis == 0 ? result.z : axis == 1 ? result.y : result.x) -= taps - 1;
  const std::int64_t step = axis == 0 ? shape.y * shape.x : axis == 1 ? shape.x : 1;
  std::vector<T> to;
  for (std::int64_t z = 0; z < result.z; ++z) {
    for (std::int64_t y = 0; y < result.y; ++y) {
      for (std::int64_t x = 0; x < result.x; ++x) {
        T sum = 0;
        for (std::int64_t k = 0; k < taps; ++k) {
          sum += weights[static_cast<std::size_t>(k)] *
                 from[static_cast<std::size_t>((z * shape.y + y) * shape.x + x + k * step)];
        }
        to.push_back(finish(sum));
      }
    }
  }
  shape = result;
  return to;
}

/// The definition in plain integers: what every instruction set must give, bit by bit. Sums of the last pass.
std::vector<std::int64_t> scalar_twin(const Volume& input, const GaussianKernels& kernels) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < input.size(); ++i) values.push_back((input.data()[i] - 128) * 256);
  const auto rounded = [](int bits) {
    return [bits](std::int64_t sum) { return (sum + (std::int64_t{1} << (bits - 1))) >> bits; };
  };
  Shape3 shape = input.shape();
  values = pass(values, shape, 2, kernels.x.weights, rounded(kernels.x.bits));
  values = pass(values, shape, 1, kernels.y.weights, rounded(kernels.y.bits));
  return pass(values, shape, 0, kernels.z.weights, [](std::int64_t sum) { return sum; });
}

std::vector<double> float64_twin(const Volume& input, double sigma_nm, const SizeNm& voxel_size) {
  std::vector<double> values(input.data(), input.data() + input.size());
  const auto weights = [&](double size) {
    const double sigma = sigma_nm / size;
    const int radius = static_cast<int>(std::ceil(3 * sigma - 1e-9));
    std::vector<double> result;
    double sum = 0;
    for (int i = -radius; i <= radius; ++i) {
      result.push_back(radius == 0 ? 1 : std::exp(-0.5 * i * i / (sigma * sigma)));
      sum += result.back();
    }
    for (double& w : result) w /= sum;
    return result;
  };
  const auto same = [](double sum) { return sum; };
  Shape3 shape = input.shape();
  values = pass(values, shape, 2, weights(voxel_size.x), same);
  values = pass(values, shape, 1, weights(voxel_size.y), same);
  return pass(values, shape, 0, weights(voxel_size.z), same);
}

std::vector<std::int64_t> available_targets() {
  std::vector<std::int64_t> targets;
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1)
    targets.push_back(rest & -rest);
  return targets;
}

TEST(Smooth, WeightsAreSymmetricAndSumToAPowerOfTwo) {
  for (const double sigma : {0.0, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.4, 3.0, 7.7, 30.0, 100.0}) {
    const GaussianKernel kernel = gaussian_kernel(sigma);
    int sum = 0;
    for (int i = 0; i <= 2 * kernel.radius; ++i) {
      const auto k = static_cast<std::size_t>(i);
      sum += kernel.weights[k];
      EXPECT_GE(kernel.weights[k], 0);
      EXPECT_EQ(kernel.weights[k], kernel.weights[kernel.weights.size() - 1 - k]);
    }
    EXPECT_EQ(sum, 1 << kernel.bits) << sigma;
    EXPECT_GE(kernel.bits, 14);
  }
  EXPECT_EQ(gaussian_kernel(2.4).radius, 8);
  EXPECT_EQ(gaussian_kernel(3.0).radius, 9);
  EXPECT_EQ(gaussian_kernel(0).radius, 0);
  EXPECT_EQ(smoothing_halo(12, {4, 4, 8}), (Shape3{9, 9, 5}));
  EXPECT_THROW(gaussian_kernel(-1), Error);
  EXPECT_THROW(gaussian_kernel(std::nan("")), Error);
}

TEST(Smooth, EveryInstructionSetGivesTheBitsOfTheScalarTwin) {
  struct Case {
    Shape3 shape;
    double sigma_nm;
    SizeNm voxel_size;
  };
  const std::vector<Case> cases = {{{5, 7, 9}, 9.6, {4, 4, 4}},    {{1, 1, 1}, 9.6, {4, 4, 4}},
                                   {{8, 33, 131}, 9.6, {4, 4, 4}}, {{4, 35, 260}, 12, {8, 4, 4}},
                                   {{6, 5, 40}, 0, {4, 4, 4}},     {{7, 6, 129}, 2, {40, 4, 4}},
                                   {{3, 2, 50}, 60, {8, 4, 6}},    {{9, 64, 128}, 1, {4, 4, 4}}};
  for (const Case& c : cases) {
    const GaussianKernels kernels = gaussian_kernels(c.sigma_nm, c.voxel_size);
    for (const Pattern pattern : {Pattern::kNoise, Pattern::kBlobs, Pattern::kSparse, Pattern::kConstant}) {
      const Volume volume = make_volume(c.shape, pattern, 3);
      const Volume input = with_halo(volume, Box::of_shape(c.shape), smoothing_halo(kernels));
      const auto twin = scalar_twin(input, kernels);
      for (const std::int64_t target : available_targets()) {
        hwy::SetSupportedTargetsForTest(target);
        Array<std::uint16_t> output(c.shape);
        smooth(input, kernels, output);
        for (std::size_t i = 0; i < twin.size(); ++i) {
          const std::int64_t rounded =
              (twin[i] + (std::int64_t{1} << (kernels.z.bits - 1))) >> kernels.z.bits;
          ASSERT_EQ(output.data()[i], rounded + 32768)
              << to_string(c.shape) << " target " << target << " at " << i;
        }
        for (const double threshold :
             {127.0, 0.0, 0.001, 76.9, 77.0, 77.1, 128.00000001, 255.0, 255.5, -9.0, 1e9}) {
          Array<std::uint8_t> mask(c.shape, 9);
          smooth_and_threshold(input, kernels, threshold, mask);
          for (std::size_t i = 0; i < twin.size(); ++i) {
            const bool inside =
                static_cast<double>(twin[i]) >= std::ldexp(threshold - 128, 8 + kernels.z.bits);
            ASSERT_EQ(mask.data()[i], inside ? 1 : 0) << threshold << " target " << target << " at " << i;
          }
        }
      }
      hwy::SetSupportedTargetsForTest(0);
    }
  }
}

TEST(Smooth, StaysWithinOneThirtySecondOfAGreyLevelOfFloat64) {
  for (const double sigma_nm : {2.0, 4.0, 6.0, 9.6, 12.0, 24.0, 40.0}) {
    const SizeNm voxel_size{8, 4, 4};
    const GaussianKernels kernels = gaussian_kernels(sigma_nm, voxel_size);
    const double bound = smoothing_error_bound(kernels, sigma_nm, voxel_size);
    for (const Pattern pattern : {Pattern::kNoise, Pattern::kBlobs, Pattern::kSparse}) {
      const Shape3 shape{9, 20, 40};
      const Volume volume = make_volume({15, 31, 47}, pattern, 5);
      const Volume input = with_halo(volume, Box::at({2, 3, 4}, shape), smoothing_halo(kernels));
      const auto twin = float64_twin(input, sigma_nm, voxel_size);
      Array<std::uint16_t> output(shape);
      smooth(input, kernels, output);
      double worst = 0;
      for (std::size_t i = 0; i < twin.size(); ++i)
        worst = std::max(worst, std::abs(output.data()[i] / 256.0 - twin[i]));
      EXPECT_LT(worst, 1.0 / 32) << sigma_nm;
      EXPECT_LE(worst, bound + 1e-9) << sigma_nm;
    }
    RecordProperty("bound at sigma " + std::to_string(sigma_nm), std::to_string(bound));
  }
}

TEST(Smooth, ConstantStaysConstantAtEveryLevel) {
  const GaussianKernels kernels = gaussian_kernels(10, {4, 4, 4});
  for (int level = 0; level < 256; level += 5) {
    const Volume input(Shape3{17, 17, 20}, static_cast<std::uint8_t>(level));
    Array<std::uint16_t> output({1, 1, 4});
    smooth(input, kernels, output);
    EXPECT_EQ(output(0, 0, 3), level * 256);
  }
}

TEST(Smooth, AnyBlocksGiveTheVoxelsOfTheWhole) {
  const Shape3 shape{21, 70, 150};
  const GaussianKernels kernels = gaussian_kernels(9.6, {8, 4, 4});
  const Shape3 halo = smoothing_halo(kernels);
  for (const Pattern pattern : {Pattern::kBlobs, Pattern::kSparse}) {
    const Volume volume = make_volume(shape, pattern, 8);
    const double threshold = pattern == Pattern::kBlobs ? 140 : 0.6;
    Array<std::uint8_t> whole(shape);
    Array<std::uint16_t> whole_values(shape);
    const Volume all = with_halo(volume, Box::of_shape(shape), halo);
    smooth_and_threshold(all, kernels, threshold, whole);
    smooth(all, kernels, whole_values);
    for (const Shape3& block : {Shape3{8, 32, 64}, Shape3{5, 13, 149}, Shape3{21, 1, 7}}) {
      for (std::int64_t z = 0; z < shape.z; z += block.z) {
        for (std::int64_t y = 0; y < shape.y; y += block.y) {
          for (std::int64_t x = 0; x < shape.x; x += block.x) {
            const Box box = Box::at({z, y, x}, block).intersect(Box::of_shape(shape));
            const Volume input = with_halo(volume, box, halo);
            Array<std::uint8_t> mask(box.shape());
            Array<std::uint16_t> values(box.shape());
            smooth_and_threshold(input, kernels, threshold, mask);
            smooth(input, kernels, values);
            const auto wm = whole.view().part(box);
            const auto wv = whole_values.view().part(box);
            for (std::int64_t i = 0; i < mask.size(); ++i) {
              const std::int64_t bx = i % box.shape().x, by = i / box.shape().x % box.shape().y;
              const std::int64_t bz = i / box.shape().x / box.shape().y;
              ASSERT_EQ(mask(bz, by, bx), wm(bz, by, bx)) << to_string(box);
              ASSERT_EQ(values(bz, by, bx), wv(bz, by, bx)) << to_string(box);
            }
          }
        }
      }
    }
  }
}

TEST(Smooth, WritesOnlyItsOutputWhereThatIsPartOfALargerArray) {
  const GaussianKernels kernels = gaussian_kernels(4, {4, 4, 4});
  const Volume volume = make_volume({12, 40, 150}, Pattern::kNoise, 2);
  const Volume input = with_halo(volume, Box::at({1, 1, 1}, {5, 33, 130}), smoothing_halo(kernels));
  Array<std::uint8_t> large({7, 35, 132}, 9);
  Array<std::uint8_t> alone({5, 33, 130});
  smooth_and_threshold(input, kernels, 127, large.view().part(Box::at({1, 1, 1}, {5, 33, 130})));
  smooth_and_threshold(input, kernels, 127, alone);
  std::int64_t nines = 0;
  for (std::int64_t i = 0; i < large.size(); ++i) nines += large.data()[i] == 9 ? 1 : 0;
  EXPECT_EQ(nines, large.size() - alone.size());
  EXPECT_EQ(large(3, 20, 100), alone(2, 19, 99));
}

}  // namespace
}  // namespace organon::voxel
