#include "organon/voxel/cell_texture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::voxel {
namespace {

constexpr int kLeastExponent = -8;  // variances up to 2 to this share the least code
// 2 to the power of k / 8: where the bins of an octave begin. Written out: log() differs between machines.
constexpr std::array<double, 8> kBinBegins = {1.0,
                                              1.0905077326652577,
                                              1.189207115002721,
                                              1.2968395546510096,
                                              1.4142135623730951,
                                              1.5422108254079408,
                                              1.681792830507429,
                                              1.8340080864093424};
constexpr int kBinsPerOctave = static_cast<int>(kBinBegins.size());
constexpr double kLeastShare = 1.0 / 64;
constexpr std::int64_t kPaddingShare = 32;
constexpr std::int64_t kLeastPairs = 8;

// Sums over the slices of a cell.
struct CellSums {
  std::int64_t voxels = 0;
  std::int64_t values = 0;
  std::int64_t variance = 0;    // n^2 times that of each slice, n voxels a slice
  std::int64_t covariance = 0;  // p^2 times that of each slice, p pairs a slice
  std::int64_t slices = 0;
  std::int64_t filled_pairs = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
};

template <class T>
bool is_filling(T value) {
  return value == 0 || value == std::numeric_limits<T>::min() || value == std::numeric_limits<T>::max();
}

// A slice of a cell: n voxels, p pairs along y.
template <class T>
void add_slice(ArrayView<const T> slice, CellSums& sums) {
  const std::int64_t ny = slice.shape().y;
  const std::int64_t nx = slice.shape().x;
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  std::int64_t products = 0;
  std::int64_t first_row = 0;
  std::int64_t last_row = 0;
  T least = std::numeric_limits<T>::max();
  T greatest = std::numeric_limits<T>::min();
  for (std::int64_t y = 0; y < ny; ++y) {
    const T* row = slice.row(0, y);
    const T* before = y > 0 ? slice.row(0, y - 1) : nullptr;
    std::int64_t row_sum = 0;
    for (std::int64_t x = 0; x < nx; ++x) {
      const std::int64_t value = row[x];
      row_sum += value;
      squares += value * value;
      least = std::min(least, row[x]);
      greatest = std::max(greatest, row[x]);
    }
    if (before != nullptr) {
      for (std::int64_t x = 0; x < nx; ++x) {
        products += static_cast<std::int64_t>(row[x]) * before[x];
        sums.filled_pairs += row[x] == before[x] && is_filling(row[x]);
      }
    }
    sum += row_sum;
    if (y == 0) first_row = row_sum;
    if (y == ny - 1) last_row = row_sum;
  }
  const std::int64_t n = ny * nx;
  const std::int64_t p = (ny - 1) * nx;
  sums.voxels += n;
  sums.values += sum;
  sums.variance += n * squares - sum * sum;
  sums.covariance += p * products - (sum - last_row) * (sum - first_row);
  sums.slices += 1;
  sums.least = std::min<std::int64_t>(sums.least, least);
  sums.greatest = std::max<std::int64_t>(sums.greatest, greatest);
}

std::uint16_t code_of(const CellSums& sums, std::int64_t pairs_per_slice) {
  if (pairs_per_slice < kLeastPairs) return kUncountedCell;
  if (sums.least == sums.greatest) return kConstantCell;
  if (sums.filled_pairs * kPaddingShare > pairs_per_slice * sums.slices) return kUncountedCell;
  const auto mean_of = [&](std::int64_t sum, std::int64_t n) {
    return static_cast<double>(sum) / (static_cast<double>(sums.slices) * static_cast<double>(n * n));
  };
  const double variance = mean_of(sums.variance, sums.voxels / sums.slices);
  const double covariance = mean_of(sums.covariance, pairs_per_slice);
  return texture_code(std::max(covariance, kLeastShare * variance));
}

}  // namespace

std::uint16_t texture_code(double variance) {
  if (!(variance > std::ldexp(1.0, kLeastExponent))) return kFirstTexture;
  int exponent = 0;
  const double mantissa = 2 * std::frexp(variance, &exponent);  // 1 .. 2
  const auto in_octave =
      std::upper_bound(kBinBegins.begin(), kBinBegins.end(), mantissa) - kBinBegins.begin() - 1;
  const int bin = (exponent - 1 - kLeastExponent) * kBinsPerOctave + static_cast<int>(in_octave);
  return static_cast<std::uint16_t>(
      std::min<std::size_t>(kFirstTexture + static_cast<std::size_t>(bin), kNumTextures - 1));
}

double texture_sd(std::uint16_t code) {
  ORGANON_CHECK(code >= kFirstTexture);
  const int bin = code - kFirstTexture;
  if (bin == 0) return 0;
  return std::sqrt(std::ldexp(kBinBegins[static_cast<std::size_t>(bin % kBinsPerOctave)],
                              bin / kBinsPerOctave + kLeastExponent));
}

template <class T>
void texture_of_cells(ArrayView<const T> raw, const Shape3& factor, ArrayView<std::uint16_t> codes,
                      ArrayView<float> means) {
  if (factor.smallest() < 1 || factor.largest() > kLargestCell) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("texture: cells of {} voxels, expected 1 to {} along each axis",
                            to_string(factor), kLargestCell));
  }
  const Shape3 shape = codes.shape();
  ORGANON_CHECK(raw.stride().x == 1 && means.shape() == shape);
  ORGANON_CHECK(shape == Shape3(ceil_divide(raw.shape().z, factor.z), ceil_divide(raw.shape().y, factor.y),
                                ceil_divide(raw.shape().x, factor.x)));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const Box cell =
            Box::at({z * factor.z, y * factor.y, x * factor.x}, factor).intersect(Box::of_shape(raw.shape()));
        CellSums sums;
        for (std::int64_t slice = cell.begin.z; slice < cell.end.z; ++slice) {
          Box plane = cell;
          plane.begin.z = slice;
          plane.end.z = slice + 1;
          add_slice(raw.part(plane), sums);
        }
        codes(z, y, x) = code_of(sums, (cell.shape().y - 1) * cell.shape().x);
        means(z, y, x) =
            static_cast<float>(static_cast<double>(sums.values) / static_cast<double>(sums.voxels));
      }
    }
  }
}

template void texture_of_cells(ArrayView<const std::uint8_t>, const Shape3&, ArrayView<std::uint16_t>,
                               ArrayView<float>);
template void texture_of_cells(ArrayView<const std::int8_t>, const Shape3&, ArrayView<std::uint16_t>,
                               ArrayView<float>);
template void texture_of_cells(ArrayView<const std::uint16_t>, const Shape3&, ArrayView<std::uint16_t>,
                               ArrayView<float>);
template void texture_of_cells(ArrayView<const std::int16_t>, const Shape3&, ArrayView<std::uint16_t>,
                               ArrayView<float>);

}  // namespace organon::voxel
