#pragma once

#include <cstdint>
#include <vector>

#include "organon/array/array_view.h"

namespace organon::voxel {

/// Weights of one axis, in integers: weights[radius] is the centre, weights sum to exactly 2^bits and are
/// symmetric.
struct GaussianKernel {
  int radius = 0;
  int bits = 0;
  std::vector<std::int16_t> weights;
};

/// One kernel per axis.
struct GaussianKernels {
  GaussianKernel z;
  GaussianKernel y;
  GaussianKernel x;
};

/// The Gaussian of `sigma_voxels` (>= 0, at most 100) cut at radius ceil(3 sigma); sigma 0 gives the
/// identity. Errors: kInvalidArgument outside that range.
GaussianKernel gaussian_kernel(double sigma_voxels);
/// Per axis the kernel of `sigma_nm` / voxel size.
GaussianKernels gaussian_kernels(double sigma_nm, const SizeNm& voxel_size_nm);

/// How far an output voxel reads on each side: the radii of gaussian_kernels().
Shape3 smoothing_halo(double sigma_nm, const SizeNm& voxel_size_nm);
Shape3 smoothing_halo(const GaussianKernels& kernels);

/// Upper limit, for any input, of |smooth() - the same Gaussian in exact arithmetic|, in grey levels.
double smoothing_error_bound(const GaussianKernels& kernels, double sigma_nm, const SizeNm& voxel_size_nm);

/// Gaussian smoothing in fixed point, so that a voxel comes out the same in whatever block it is computed.
///
/// The passes run x, y, z; each adds up exact integers and rounds once, half up, to 8 fractional bits.
///
///     input 8 bits --x--> 8.8 --y--> 8.8 --z--> exact sum --> 8.8 (smooth) or compared
///     (smooth_and_threshold)
///
/// Shapes: `input` is the output shape grown by smoothing_halo() on both sides, its border already filled by
/// the caller (array/border.h, kReflect at the domain's faces). Rows of both must be contiguous (stride x =
/// 1). Units: `output` is grey level * 256. Halo: smoothing_halo(kernels). Cost: 3 (radius + 1) multiply-adds
/// a voxel in 32-bit vector lanes; extra memory about 0.5 MiB at radius 8, whatever the block. Where all that
/// a row of output depends on is one grey level, the arithmetic is left out.
void smooth(ArrayView<const std::uint8_t> input, const GaussianKernels& kernels,
            ArrayView<std::uint16_t> output);

/// As smooth(), then `mask` = 1 where the smoothed value >= `threshold` (grey levels), else 0. The value is
/// compared before its last rounding. Where the greatest input is below, or the smallest reaches, the
/// threshold, the answer is known without arithmetic: weights are not negative, so no smoothed value leaves
/// the range of its inputs.
void smooth_and_threshold(ArrayView<const std::uint8_t> input, const GaussianKernels& kernels,
                          double threshold, ArrayView<std::uint8_t> mask);

}  // namespace organon::voxel
