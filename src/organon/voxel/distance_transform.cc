#include "organon/voxel/distance_transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "organon/base/error.h"

namespace organon::voxel {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
/// Columns taken together: one cache line of floats.
constexpr std::int64_t kColumns = 16;

/// Along x the nearest voxel of the set is counted in voxels, forwards and back.
void nearest_in_row(const std::uint8_t* mask, std::int64_t stride, std::int64_t count, bool foreground,
                    double step_nm, double bound_nm2, std::vector<std::int64_t>& voxels, float* row,
                    std::int64_t row_stride) {
  std::int64_t since = count;
  for (std::int64_t x = 0; x < count; ++x) {
    since = (mask[x * stride] != 0) == foreground ? 0 : since + 1;
    voxels[static_cast<std::size_t>(x)] = since;
  }
  since = count;
  for (std::int64_t x = count; x-- > 0;) {
    std::int64_t& nearest = voxels[static_cast<std::size_t>(x)];
    since = nearest == 0 ? 0 : since + 1;
    nearest = std::min(nearest, since);
    const double distance = static_cast<double>(nearest) * step_nm;
    const double squared = distance * distance;
    row[x * row_stride] = nearest >= count || squared > bound_nm2 ? kInfinity : static_cast<float>(squared);
  }
}

/// Lower envelope of the parabolas value(q) + (step (p - q))^2 along one column.
class Envelope {
 public:
  explicit Envelope(std::int64_t longest)
      : apexes_(static_cast<std::size_t>(longest)),
        begins_(static_cast<std::size_t>(longest) + 1),
        values_(static_cast<std::size_t>(longest)) {}

  void apply(float* column, std::int64_t count, double step_nm, double bound_nm2) {
    const double step2 = step_nm * step_nm;
    std::size_t size = 0;
    bool any_positive = false;
    for (std::int64_t q = 0; q < count; ++q) {
      const double value = static_cast<double>(column[q]);
      any_positive |= value > 0;
      if (value == static_cast<double>(kInfinity)) continue;
      // The parabola at q is lower than the one at v from p = `begin` on.
      double begin = -1;
      while (size > 0) {
        const std::size_t top = size - 1;
        const auto v = apexes_[top];
        const double middle = 0.5 * static_cast<double>(q + v);
        begin = middle + (value - values_[top]) / (2 * step2 * static_cast<double>(q - v));
        if (begin > begins_[top]) break;
        --size;
      }
      if (size == 0) begin = -1;
      apexes_[size] = q;
      values_[size] = value;
      begins_[size] = begin;
      ++size;
    }
    if (size == 0 || !any_positive) return;
    std::size_t k = 0;
    for (std::int64_t p = 0; p < count; ++p) {
      while (k + 1 < size && begins_[k + 1] < static_cast<double>(p)) ++k;
      const double distance = static_cast<double>(p - apexes_[k]) * step_nm;
      const double squared = values_[k] + distance * distance;
      column[p] = squared > bound_nm2 ? kInfinity : static_cast<float>(squared);
    }
  }

 private:
  std::vector<std::int64_t> apexes_;
  std::vector<double> begins_;
  std::vector<double> values_;
};

/// One pass over columns that run with `step`; columns side by side are `across` apart.
void column_pass(float* data, std::int64_t num_columns, std::int64_t across, std::int64_t count,
                 std::int64_t step, double step_nm, double bound_nm2, Envelope& envelope,
                 std::vector<float>& buffer) {
  for (std::int64_t first = 0; first < num_columns; first += kColumns) {
    const std::int64_t columns = std::min(kColumns, num_columns - first);
    float* const block = data + first * across;
    for (std::int64_t p = 0; p < count; ++p)
      for (std::int64_t c = 0; c < columns; ++c)
        buffer[static_cast<std::size_t>(c * count + p)] = block[p * step + c * across];
    for (std::int64_t c = 0; c < columns; ++c)
      envelope.apply(buffer.data() + c * count, count, step_nm, bound_nm2);
    for (std::int64_t p = 0; p < count; ++p)
      for (std::int64_t c = 0; c < columns; ++c)
        block[p * step + c * across] = buffer[static_cast<std::size_t>(c * count + p)];
  }
}

}  // namespace

void squared_distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                                const DistanceOptions& options, ArrayView<float> squared_nm2) {
  ORGANON_CHECK(mask.shape() == squared_nm2.shape());
  if (!(voxel_size_nm.smallest() > 0 && std::isfinite(voxel_size_nm.product())) || !(options.bound_nm >= 0)) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("distance transform needs positive voxel sizes and a bound >= 0, found {} and {} nm",
                    to_string(voxel_size_nm), options.bound_nm));
  }
  const Shape3 shape = mask.shape();
  if (mask.size() == 0) return;
  // A little more than the bound's square, so that a distance equal to the bound is not lost to rounding.
  const double bound_nm2 = options.bound_nm * options.bound_nm * (1 + 1e-6);
  const bool foreground = options.to == DistanceTo::kForeground;
  const Stride3 stride = squared_nm2.stride();
  std::vector<std::int64_t> voxels(static_cast<std::size_t>(shape.x));
  Envelope envelope(std::max(shape.z, shape.y));
  std::vector<float> buffer(static_cast<std::size_t>(kColumns * std::max(shape.z, shape.y)));
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y)
      nearest_in_row(mask.row(z, y), mask.stride().x, shape.x, foreground, voxel_size_nm.x, bound_nm2, voxels,
                     squared_nm2.row(z, y), stride.x);
    column_pass(squared_nm2.row(z, 0), shape.x, stride.x, shape.y, stride.y, voxel_size_nm.y, bound_nm2,
                envelope, buffer);
  }
  for (std::int64_t y = 0; y < shape.y; ++y)
    column_pass(squared_nm2.row(0, y), shape.x, stride.x, shape.z, stride.z, voxel_size_nm.z, bound_nm2,
                envelope, buffer);
}

void distance_transform(ArrayView<const std::uint8_t> mask, const SizeNm& voxel_size_nm,
                        const DistanceOptions& options, ArrayView<float> distance_nm) {
  squared_distance_transform(mask, voxel_size_nm, options, distance_nm);
  const Shape3 shape = distance_nm.shape();
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y) {
      float* const row = distance_nm.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x)
        row[x * distance_nm.stride().x] = std::sqrt(row[x * distance_nm.stride().x]);
    }
}

}  // namespace organon::voxel
