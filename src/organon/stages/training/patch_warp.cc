#include "organon/stages/training/patch_warp.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "organon/array/border.h"
#include "organon/base/check.h"

namespace organon::stages {
namespace {

using Matrix = std::array<std::array<float, 3>, 3>;
using Triple = std::array<std::int64_t, 3>;

constexpr std::int64_t kNodeSpacing = 8;  // voxels of raw between displacements that are kept

Triple triple(const Index3& index) { return {index.z, index.y, index.x}; }

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

// Rotation by `angle` about the unit vector `u` (Rodrigues), times `scale`.
Matrix rotation(double angle, double scale, const std::array<double, 3>& u) {
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  const double cross[3][3] = {{0, -u[2], u[1]}, {u[2], 0, -u[0]}, {-u[1], u[0], 0}};
  Matrix m{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      m[i][j] = static_cast<float>(scale * ((i == j ? c : 0) + u[i] * u[j] * (1 - c) + s * cross[i][j]));
    }
  }
  return m;
}

std::array<double, 3> random_direction(Random& random) {
  std::array<double, 3> u{};
  for (double& value : u) value = random.normal();
  const double length = std::sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
  for (double& value : u) value /= length;
  return u;
}

// Weights of the four control points about a place, t behind the second: cubic convolution, which meets the
// points. Source: [keys1981cubic].
std::array<float, 4> cubic_weights(float t) {
  const float t2 = t * t;
  const float t3 = t2 * t;
  return {-0.5F * t3 + t2 - 0.5F * t, 1.5F * t3 - 2.5F * t2 + 1, -1.5F * t3 + 2 * t2 + 0.5F * t,
          0.5F * t3 - 0.5F * t2};
}

// Along one axis, where a voxel of a patch that is not turned lies in the crop: so many voxels of memory from
// 0.
struct AxisStep {
  std::int64_t voxels;
  bool is_inside;
};

// The eight crop voxels about the place of a voxel of a turned patch, and their weights.
struct Corners {
  std::array<std::int64_t, 8> voxel;
  std::array<float, 8> weight;
  bool is_inside;
};

float target_of(float stored) { return (stored - 127) / 128; }

static_assert(std::endian::native == std::endian::little, "the first byte is the first corner's");

// The stored values at the corners of a place inside a class's targets, one byte each: neighbours along x lie
// side by side.
std::uint64_t values_at(const std::uint8_t* stored, const Corners& corners) {
  std::uint64_t values = 0;
  for (std::size_t k = 0; k < 8; k += 2) {
    std::uint16_t pair = 0;
    std::memcpy(&pair, stored + corners.voxel[k], sizeof pair);
    values |= std::uint64_t{pair} << (8 * k);
  }
  return values;
}

constexpr std::uint64_t kEachByte = 0x0101010101010101;

bool has_zero_byte(std::uint64_t values) { return ((values - kEachByte) & ~values & (kEachByte << 7)) != 0; }

float interpolate(std::uint64_t values, const std::array<float, 8>& weight) {
  const auto bytes = std::bit_cast<std::array<std::uint8_t, 8>>(values);
  std::array<float, 8> part;  // in an order in which processors do several at once
  for (std::size_t k = 0; k < 8; ++k) part[k] = weight[k] * static_cast<float>(bytes[k]);
  for (std::size_t k = 0; k < 4; ++k) part[k] += part[k + 4];
  return (part[0] + part[2]) + (part[1] + part[3]);
}

}  // namespace

PatchWarp::PatchWarp(const AugmentOptions& options, const Box& window, const SizeNm& voxel_size_nm,
                     Random& random)
    : window_(window) {
  const std::array<double, 3> size = {voxel_size_nm.z, voxel_size_nm.y, voxel_size_nm.x};
  const Triple shape = triple(Index3(window.shape()));
  if (options.symmetries) {
    for (std::size_t i = 2; i > 0; --i) {
      const auto j = static_cast<std::size_t>(random.below(i + 1));
      const bool is_alike = std::abs(size[i] - size[j]) <= 0.01 * size[i] && shape[i] == shape[j];
      if (is_alike) std::swap(axis_[i], axis_[j]);
    }
    for (bool& reversed : is_reversed_) reversed = random.below(2) == 1;
  }
  is_turned_ = random.uniform() < options.turned_share;
  if (!is_turned_) return;
  const double angle = random.uniform(-1, 1) * options.rotation_degrees * std::numbers::pi / 180;
  const double scale = std::pow(1 + options.scale_range, random.uniform(-1, 1));
  const std::array<double, 3> about =
      options.turn_axis == "z" ? std::array<double, 3>{1, 0, 0} : random_direction(random);
  Matrix symmetry{};
  for (std::size_t i = 0; i < 3; ++i) symmetry[axis_[i]][i] = is_reversed_[i] ? -1.0F : 1.0F;
  Matrix turn = rotation(angle, scale, about);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) turn[i][j] *= static_cast<float>(size[j] / size[i]);
  }
  matrix_ = multiply(turn, symmetry);
  if (options.elastic_nm > 0) draw_displacements(options, voxel_size_nm, random);
}

void PatchWarp::draw_displacements(const AugmentOptions& options, const SizeNm& voxel_size_nm,
                                   Random& random) {
  const Shape3 shape = window_.shape();
  const auto spacing = static_cast<float>(options.elastic_spacing);
  const std::array<double, 3> size = {voxel_size_nm.z, voxel_size_nm.y, voxel_size_nm.x};
  nodes_ = {(shape.z + kNodeSpacing - 1) / kNodeSpacing + 1, (shape.y + kNodeSpacing - 1) / kNodeSpacing + 1,
            (shape.x + kNodeSpacing - 1) / kNodeSpacing + 1};
  // Control points lie anywhere with regard to the patch, and reach one beyond it on each side.
  std::array<float, 3> phase{};
  for (float& value : phase) value = static_cast<float>(random.uniform());
  const auto last = [&](std::int64_t nodes, float begin) {
    return static_cast<std::int64_t>(begin + static_cast<float>((nodes - 1) * kNodeSpacing) / spacing) + 4;
  };
  const Shape3 controls{last(nodes_.z, phase[0]), last(nodes_.y, phase[1]), last(nodes_.x, phase[2])};
  std::vector<std::array<float, 3>> control(static_cast<std::size_t>(controls.product()));
  for (auto& shift : control) {
    for (std::size_t a = 0; a < 3; ++a)
      shift[a] = static_cast<float>(random.normal() * options.elastic_nm / size[a]);
  }
  displacements_.assign(static_cast<std::size_t>(nodes_.product()), {0, 0, 0});
  std::size_t node = 0;
  for (std::int64_t z = 0; z < nodes_.z; ++z) {
    for (std::int64_t y = 0; y < nodes_.y; ++y) {
      for (std::int64_t x = 0; x < nodes_.x; ++x, ++node) {
        const Triple at = {z, y, x};
        Triple first{};
        std::array<std::array<float, 4>, 3> weight{};
        for (std::size_t a = 0; a < 3; ++a) {
          const float place = phase[a] + static_cast<float>(at[a] * kNodeSpacing) / spacing;
          first[a] = static_cast<std::int64_t>(place);
          weight[a] = cubic_weights(place - static_cast<float>(first[a]));
        }
        for (std::size_t i = 0; i < 64; ++i) {
          const std::int64_t cz = first[0] + static_cast<std::int64_t>(i / 16);
          const std::int64_t cy = first[1] + static_cast<std::int64_t>(i / 4 % 4);
          const std::int64_t cx = first[2] + static_cast<std::int64_t>(i % 4);
          const float w = weight[0][i / 16] * weight[1][i / 4 % 4] * weight[2][i % 4];
          const auto& shift = control[static_cast<std::size_t>((cz * controls.y + cy) * controls.x + cx)];
          for (std::size_t a = 0; a < 3; ++a) displacements_[node][a] += w * shift[a];
        }
      }
    }
  }
}

// At a place of the patch in voxels of raw: linear between nodes.
std::array<float, 3> PatchWarp::displacement(const std::array<float, 3>& voxel) const {
  const Triple nodes = triple(Index3(nodes_));
  std::array<std::int64_t, 3> first{};
  std::array<float, 3> t{};
  for (std::size_t a = 0; a < 3; ++a) {
    const float place = std::max(0.0F, voxel[a] / static_cast<float>(kNodeSpacing));
    first[a] = std::min(static_cast<std::int64_t>(place), nodes[a] - 2);
    t[a] = place - static_cast<float>(first[a]);
  }
  std::array<float, 3> sum{};
  for (std::size_t k = 0; k < 8; ++k) {
    const std::int64_t z = first[0] + static_cast<std::int64_t>(k >> 2);
    const std::int64_t y = first[1] + static_cast<std::int64_t>(k >> 1 & 1);
    const std::int64_t x = first[2] + static_cast<std::int64_t>(k & 1);
    const float weight = ((k & 4) != 0 ? t[0] : 1 - t[0]) * ((k & 2) != 0 ? t[1] : 1 - t[1]) *
                         ((k & 1) != 0 ? t[2] : 1 - t[2]);
    const auto& shift = displacements_[static_cast<std::size_t>((z * nodes[1] + y) * nodes[2] + x)];
    for (std::size_t a = 0; a < 3; ++a) sum[a] += weight * shift[a];
  }
  return sum;
}

// Calls use(patch voxel, crop voxel, is inside, steps) for each row of the patch, of which the first two are
// the beginnings: a table look-up per axis.
template <class Use>
void PatchWarp::for_each_straight_row(const Window& window, const Shape3& crop, const Use& use) const {
  const Triple size = triple(Index3(crop));
  const Triple stride = {crop.y * crop.x, crop.x, 1};
  const Triple begin = triple(window.box.begin);
  const Triple shape = triple(Index3(window.box.shape()));
  std::array<std::vector<AxisStep>, 3> steps;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t a = axis_[i];
    for (std::int64_t p = 0; p < shape[i]; ++p) {
      const std::int64_t at = begin[a] + (is_reversed_[i] ? shape[i] - 1 - p : p);
      steps[i].push_back({border_index(at, size[a], Border::kReflect) * stride[a], at >= 0 && at < size[a]});
    }
  }
  std::int64_t voxel = 0;
  for (const AxisStep& z : steps[0]) {
    for (const AxisStep& y : steps[1]) {
      use(voxel, z.voxels + y.voxels, z.is_inside && y.is_inside, steps[2]);
      voxel += shape[2];
    }
  }
}

// Calls use(patch voxel, corners) for each row of the patch, which begins with that voxel.
template <class Use>
void PatchWarp::for_each_turned_row(const Window& window, const Shape3& crop, const Use& use) const {
  const Triple size = triple(Index3(crop));
  const Triple stride = {crop.y * crop.x, crop.x, 1};
  const Triple begin = triple(window.box.begin);
  const Triple shape = triple(Index3(window.box.shape()));
  const Triple raw_shape = triple(Index3(window_.shape()));
  const auto scale = static_cast<float>(window.scale);
  std::array<float, 3> centre{}, middle{}, raw_middle{};
  for (std::size_t a = 0; a < 3; ++a) {
    middle[a] = static_cast<float>(shape[a] - 1) / 2;
    centre[a] = static_cast<float>(begin[a]) + middle[a];
    raw_middle[a] = static_cast<float>(raw_shape[a] - 1) / 2;
  }
  const bool is_deformed = !displacements_.empty();
  std::vector<Corners> row(static_cast<std::size_t>(shape[2]));
  std::int64_t voxel = 0;
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        Corners& corners = row[static_cast<std::size_t>(x)];
        const std::array<float, 3> d = {static_cast<float>(z) - middle[0], static_cast<float>(y) - middle[1],
                                        static_cast<float>(x) - middle[2]};
        std::array<float, 3> shift{};
        if (is_deformed)
          shift = displacement(
              {d[0] / scale + raw_middle[0], d[1] / scale + raw_middle[1], d[2] / scale + raw_middle[2]});
        corners.is_inside = true;
        std::array<std::array<std::int64_t, 2>, 3> at{};
        std::array<float, 3> t{};
        for (std::size_t a = 0; a < 3; ++a) {
          const float p = centre[a] + matrix_[a][0] * d[0] + matrix_[a][1] * d[1] + matrix_[a][2] * d[2] +
                          shift[a] * scale;
          // Cheaper than std::floor(), which is a call.
          const auto truncated = static_cast<std::int64_t>(p);
          const std::int64_t first = truncated - (p < static_cast<float>(truncated) ? 1 : 0);
          t[a] = p - static_cast<float>(first);
          if (first >= 0 && first + 1 < size[a]) {
            at[a] = {first * stride[a], (first + 1) * stride[a]};
          } else {
            corners.is_inside = false;
            at[a] = {border_index(first, size[a], Border::kReflect) * stride[a],
                     border_index(first + 1, size[a], Border::kReflect) * stride[a]};
          }
        }
        const std::array<float, 3> s = {1 - t[0], 1 - t[1], 1 - t[2]};
        const std::array<float, 4> zy = {s[0] * s[1], s[0] * t[1], t[0] * s[1], t[0] * t[1]};
        for (std::size_t k = 0; k < 4; ++k) {
          const std::int64_t zy_at = at[0][k >> 1] + at[1][k & 1];
          corners.voxel[2 * k] = zy_at + at[2][0];
          corners.voxel[2 * k + 1] = zy_at + at[2][1];
          corners.weight[2 * k] = zy[k] * s[2];
          corners.weight[2 * k + 1] = zy[k] * t[2];
        }
      }
      use(voxel, row);
      voxel += shape[2];
    }
  }
}

void PatchWarp::take_raw(ArrayView<const float> crop, ArrayView<float> patch) const {
  ORGANON_CHECK(patch.shape() == window_.shape());
  const float* from = crop.data();
  float* to = patch.data();
  const Window window{window_, 1};
  if (!is_turned_) {
    for_each_straight_row(
        window, crop.shape(),
        [&](std::int64_t voxel, std::int64_t begin, bool, const std::vector<AxisStep>& steps) {
          for (const AxisStep& step : steps) to[voxel++] = from[begin + step.voxels];
        });
    return;
  }
  for_each_turned_row(window, crop.shape(), [&](std::int64_t voxel, const std::vector<Corners>& row) {
    for (const Corners& corners : row) {
      float sum = 0;
      for (std::size_t k = 0; k < 8; ++k) sum += corners.weight[k] * from[corners.voxel[k]];
      to[voxel++] = sum;
    }
  });
}

void PatchWarp::take_targets(const std::vector<Array<std::uint8_t>>& crop, std::int64_t scale,
                             std::vector<Array<float>>& targets,
                             std::vector<Array<std::uint8_t>>& masks) const {
  const Shape3 shape = targets.front().shape();
  const Index3 margins = Index3(window_.shape()) * scale - Index3(shape);
  ORGANON_CHECK(margins.z % 2 == 0 && margins.y % 2 == 0 && margins.x % 2 == 0);
  const Index3 margin{margins.z / 2, margins.y / 2, margins.x / 2};
  const Window window{Box::at(window_.begin * scale + margin, shape), scale};
  // Row by row and class by class, so that one row at a time is written.
  if (!is_turned_) {
    for_each_straight_row(
        window, crop.front().shape(),
        [&](std::int64_t voxel, std::int64_t begin, bool row_is_inside, const std::vector<AxisStep>& steps) {
          for (std::size_t c = 0; c < crop.size(); ++c) {
            const std::uint8_t* stored = crop[c].data() + begin;
            float* target = targets[c].data() + voxel;
            std::uint8_t* mask = masks[c].data() + voxel;
            for (const AxisStep& step : steps) {
              const std::uint8_t value = stored[step.voxels];
              const bool is_known = row_is_inside && step.is_inside && value != 0;
              *target++ = is_known ? target_of(value) : 0;
              *mask++ = is_known;
            }
          }
        });
    return;
  }
  for_each_turned_row(window, crop.front().shape(), [&](std::int64_t voxel, const std::vector<Corners>& row) {
    for (std::size_t c = 0; c < crop.size(); ++c) {
      const std::uint8_t* stored = crop[c].data();
      float* target = targets[c].data() + voxel;
      std::uint8_t* mask = masks[c].data() + voxel;
      for (const Corners& corners : row) {
        const std::uint64_t values = corners.is_inside ? values_at(stored, corners) : 0;
        const bool is_known = !has_zero_byte(values);
        float value = 127;
        if (is_known) {
          // Far from all boundaries, as most places are, the corners are alike.
          const std::uint64_t first = values & 0xFF;
          value =
              values == first * kEachByte ? static_cast<float>(first) : interpolate(values, corners.weight);
        }
        *target++ = target_of(value);
        *mask++ = is_known;
      }
    }
  });
}

std::size_t PatchWarp::slice_axis() const {
  if (!is_turned_) return static_cast<std::size_t>(std::find(axis_.begin(), axis_.end(), 0U) - axis_.begin());
  std::size_t best = 0;
  for (std::size_t i = 1; i < 3; ++i)
    if (std::abs(matrix_[0][i]) > std::abs(matrix_[0][best])) best = i;
  return best;
}

}  // namespace organon::stages
