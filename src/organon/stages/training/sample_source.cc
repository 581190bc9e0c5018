#include "organon/stages/training/sample_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "organon/array/border.h"
#include "organon/base/error.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kMaxForeground = 20000;
constexpr std::uint8_t kForegroundValue = 128;  // targets above 127 are inside
constexpr std::int64_t kGammaSteps = 512;

using Matrix = std::array<std::array<float, 3>, 3>;

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

// Rotation by `angle` about a uniformly random axis (Rodrigues), times `scale`.
Matrix rotation(double angle, double scale, Random& random) {
  double u[3] = {random.normal(), random.normal(), random.normal()};
  const double length = std::sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
  for (double& value : u) value /= length;
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

// Which axis of the crop each axis of the patch runs along, and whether it runs backwards.
struct Symmetry {
  std::array<std::size_t, 3> axis = {0, 1, 2};
  std::array<bool, 3> is_reversed = {false, false, false};
};

Symmetry random_symmetry(Random& random) {
  Symmetry symmetry;
  for (std::size_t i = 2; i > 0; --i) std::swap(symmetry.axis[i], symmetry.axis[random.below(i + 1)]);
  for (bool& reversed : symmetry.is_reversed) reversed = random.below(2) == 1;
  return symmetry;
}

Matrix matrix_of(const Symmetry& symmetry) {
  Matrix m{};
  for (std::size_t i = 0; i < 3; ++i) m[symmetry.axis[i]][i] = symmetry.is_reversed[i] ? -1.0F : 1.0F;
  return m;
}

double spread(double range, Random& random) { return std::pow(1 + range, random.uniform(-1, 1)); }

using Triple = std::array<std::int64_t, 3>;
Triple triple(const Shape3& shape) { return {shape.z, shape.y, shape.x}; }

// Calls use(patch voxel, crop voxel, is inside) for a cube of `edge` voxels about `centre`, by symmetry
// alone: a table look-up per axis.
template <class Use>
void for_each_by_symmetry(const Symmetry& symmetry, const Triple& centre, std::int64_t edge,
                          const Shape3& shape, const Use& use) {
  const Triple size = triple(shape);
  const Triple stride = {shape.y * shape.x, shape.x, 1};
  std::array<std::vector<std::int64_t>, 3> offset;
  std::array<std::vector<std::uint8_t>, 3> is_inside;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t a = symmetry.axis[i];
    for (std::int64_t p = 0; p < edge; ++p) {
      const std::int64_t at = centre[a] - edge / 2 + (symmetry.is_reversed[i] ? edge - 1 - p : p);
      offset[i].push_back(border_index(at, size[a], Border::kReflect) * stride[a]);
      is_inside[i].push_back(at >= 0 && at < size[a]);
    }
  }
  const auto count = static_cast<std::size_t>(edge);
  std::int64_t voxel = 0;
  for (std::size_t z = 0; z < count; ++z) {
    for (std::size_t y = 0; y < count; ++y) {
      const std::int64_t row = offset[0][z] + offset[1][y];
      const bool row_is_inside = is_inside[0][z] != 0 && is_inside[1][y] != 0;
      for (std::size_t x = 0; x < count; ++x, ++voxel) {
        use(voxel, row + offset[2][x], row_is_inside && is_inside[2][x] != 0);
      }
    }
  }
}

// The eight crop voxels about a place, and their weights.
struct Corners {
  std::array<std::int64_t, 8> voxel;
  std::array<float, 8> weight;
};

// Calls use(patch voxel, corners, is inside) for a cube of `edge` voxels turned by `m` about `centre`.
template <class Use>
void for_each_turned(const Matrix& m, const std::array<float, 3>& centre, std::int64_t edge,
                     const Shape3& shape, const Use& use) {
  const Triple size = triple(shape);
  const Triple stride = {shape.y * shape.x, shape.x, 1};
  const float middle = static_cast<float>(edge - 1) / 2;
  Corners corners{};
  std::int64_t voxel = 0;
  for (std::int64_t z = 0; z < edge; ++z) {
    for (std::int64_t y = 0; y < edge; ++y) {
      for (std::int64_t x = 0; x < edge; ++x, ++voxel) {
        const std::array<float, 3> d = {static_cast<float>(z) - middle, static_cast<float>(y) - middle,
                                        static_cast<float>(x) - middle};
        bool is_inside = true;
        std::array<std::array<std::int64_t, 2>, 3> at{};
        std::array<float, 3> t{};
        for (std::size_t a = 0; a < 3; ++a) {
          const float p = centre[a] + m[a][0] * d[0] + m[a][1] * d[1] + m[a][2] * d[2];
          // Truncation after a shift is floor, and cheaper.
          const auto first = static_cast<std::int64_t>(p + 65536.0F) - 65536;
          t[a] = p - static_cast<float>(first);
          if (first >= 0 && first + 1 < size[a]) {
            at[a] = {first * stride[a], (first + 1) * stride[a]};
          } else {
            is_inside = false;
            at[a] = {border_index(first, size[a], Border::kReflect) * stride[a],
                     border_index(first + 1, size[a], Border::kReflect) * stride[a]};
          }
        }
        const std::array<float, 3> s = {1 - t[0], 1 - t[1], 1 - t[2]};
        const std::array<float, 4> zy = {s[0] * s[1], s[0] * t[1], t[0] * s[1], t[0] * t[1]};
        for (std::size_t k = 0; k < 4; ++k) {
          const std::int64_t row = at[0][k >> 1] + at[1][k & 1];
          corners.voxel[2 * k] = row + at[2][0];
          corners.voxel[2 * k + 1] = row + at[2][1];
          corners.weight[2 * k] = zy[k] * s[2];
          corners.weight[2 * k + 1] = zy[k] * t[2];
        }
        use(voxel, corners, is_inside);
      }
    }
  }
}

void set_target(TrainingSample& sample, std::size_t c, std::int64_t voxel, float stored, bool is_known) {
  sample.targets[c].data()[voxel] = is_known ? (stored - 127) / 128 : 0;
  sample.masks[c].data()[voxel] = is_known;
}

// About normal with standard deviation 1: the sum of four uniform numbers of 16 bits.
float quick_normal(Random& random) {
  const std::uint64_t bits = random.next();
  const auto sum =
      static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
  return (sum - 2 * 65535.0F) * (1.7320508F / 65536.0F);
}

void vary_intensity(const AugmentOptions& augment, Random& random, Array<float>& raw) {
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

}  // namespace

void find_places(TrainingCrop& crop) {
  crop.foreground.clear();
  crop.annotated = {};
  for (const Array<std::uint8_t>& target : crop.targets) {
    const Shape3 shape = target.shape();
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < target.size(); ++i) count += target.data()[i] >= kForegroundValue;
    const std::int64_t every = std::max<std::int64_t>(1, (count + kMaxForeground - 1) / kMaxForeground);
    std::vector<Index3> places;
    std::int64_t seen = 0;
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        const std::uint8_t* row = target.view().row(z, y);
        std::int64_t first = shape.x;
        std::int64_t last = -1;
        for (std::int64_t x = 0; x < shape.x; ++x) {
          if (row[x] == 0) continue;
          first = std::min(first, x);
          last = x;
          if (row[x] >= kForegroundValue && seen++ % every == 0) places.push_back({z, y, x});
        }
        if (last >= 0) crop.annotated = crop.annotated.unite({{z, y, first}, {z + 1, y + 1, last + 1}});
      }
    }
    crop.foreground.push_back(std::move(places));
  }
}

SampleSource::SampleSource(const std::vector<TrainingCrop>& crops, const SampleOptions& options)
    : crops_(crops), options_(options) {
  double sum = 0;
  for (const TrainingCrop& crop : crops) {
    sum += static_cast<double>(crop.annotated.volume());
    cumulative_voxels_.push_back(sum);
  }
  if (sum == 0) {
    throw Error(ErrorKind::kInvalidArgument,
                "training: no crop has an annotated voxel; look at its box and labels");
  }
}

const TrainingCrop& SampleSource::choose_crop(Random& random) const {
  const double at = random.uniform() * cumulative_voxels_.back();
  std::size_t i = 0;
  while (i + 1 < crops_.size() && cumulative_voxels_[i] <= at) ++i;
  return crops_[i];
}

Index3 SampleSource::choose_centre(const TrainingCrop& crop, Random& random) const {
  const Box& box = crop.annotated;
  Index3 centre;
  const auto& places = crop.foreground[random.below(crop.foreground.size())];
  if (random.uniform() < options_.foreground_share && !places.empty()) {
    const auto jitter = [&] {
      return static_cast<std::int64_t>(random.uniform(-0.35, 0.35) *
                                       static_cast<double>(options_.output_edge));
    };
    centre = places[random.below(places.size())];
    centre.z += jitter();
    centre.y += jitter();
    centre.x += jitter();
  } else {
    const auto anywhere = [&](std::int64_t begin, std::int64_t end) {
      return begin + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end - begin)));
    };
    centre.z = anywhere(box.begin.z, box.end.z);
    centre.y = anywhere(box.begin.y, box.end.y);
    centre.x = anywhere(box.begin.x, box.end.x);
  }
  // Patches stay inside what is annotated where they fit, so that few voxels have no say or are mirrored.
  const auto keep_inside = [&](std::int64_t value, std::int64_t begin, std::int64_t end) {
    const std::int64_t edge = options_.output_edge;
    return end - begin <= edge ? (begin + end) / 2
                               : std::clamp(value, begin + edge / 2, end - (edge - edge / 2));
  };
  return {keep_inside(centre.z, box.begin.z, box.end.z), keep_inside(centre.y, box.begin.y, box.end.y),
          keep_inside(centre.x, box.begin.x, box.end.x)};
}

TrainingSample SampleSource::sample(std::int64_t step, std::int64_t place) const {
  Random random(mix64(options_.seed) + static_cast<std::uint64_t>(place), static_cast<std::uint64_t>(step));
  const TrainingCrop& crop = choose_crop(random);
  const Shape3 shape = crop.raw.shape();
  const Index3 centre = choose_centre(crop, random);
  const AugmentOptions& augment = options_.augment;
  const Symmetry symmetry = augment.symmetries ? random_symmetry(random) : Symmetry{};
  const std::int64_t edge = options_.edge;
  const std::int64_t output_edge = options_.output_edge;

  TrainingSample sample;
  sample.raw = Array<float>::uninitialized(Shape3::cube(edge));
  const std::size_t num_classes = crop.targets.size();
  for (std::size_t c = 0; c < num_classes; ++c) {
    sample.targets.push_back(Array<float>::uninitialized(Shape3::cube(output_edge)));
    sample.masks.push_back(Array<std::uint8_t>::uninitialized(Shape3::cube(output_edge)));
  }
  if (random.uniform() < augment.turned_share) {
    const double angle = random.uniform(-1, 1) * augment.rotation_degrees * std::numbers::pi / 180;
    const double scale = spread(augment.scale_range, random);
    const Matrix m = multiply(rotation(angle, scale, random), matrix_of(symmetry));
    // Even edges have their middle between voxels.
    const float half = edge % 2 == 0 ? 0.5F : 0.0F;
    const std::array<float, 3> middle = {static_cast<float>(centre.z) - half,
                                         static_cast<float>(centre.y) - half,
                                         static_cast<float>(centre.x) - half};
    for_each_turned(m, middle, edge, shape, [&](std::int64_t voxel, const Corners& corners, bool) {
      float sum = 0;
      for (std::size_t k = 0; k < 8; ++k) sum += corners.weight[k] * crop.raw.data()[corners.voxel[k]];
      sample.raw.data()[voxel] = sum;
    });
    for_each_turned(m, middle, output_edge, shape,
                    [&](std::int64_t voxel, const Corners& corners, bool inside) {
                      for (std::size_t c = 0; c < num_classes; ++c) {
                        const std::uint8_t* stored = crop.targets[c].data();
                        float sum = 0;
                        bool is_known = inside;
                        for (std::size_t k = 0; k < 8; ++k) {
                          const std::uint8_t value = stored[corners.voxel[k]];
                          is_known = is_known && value != 0;
                          sum += corners.weight[k] * static_cast<float>(value);
                        }
                        set_target(sample, c, voxel, sum, is_known);
                      }
                    });
  } else {
    const Triple middle = {centre.z, centre.y, centre.x};
    for_each_by_symmetry(symmetry, middle, edge, shape, [&](std::int64_t voxel, std::int64_t from, bool) {
      sample.raw.data()[voxel] = crop.raw.data()[from];
    });
    for_each_by_symmetry(symmetry, middle, output_edge, shape,
                         [&](std::int64_t voxel, std::int64_t from, bool inside) {
                           for (std::size_t c = 0; c < num_classes; ++c) {
                             const std::uint8_t stored = crop.targets[c].data()[from];
                             set_target(sample, c, voxel, stored, inside && stored != 0);
                           }
                         });
  }
  vary_intensity(augment, random, sample.raw);
  return sample;
}

}  // namespace organon::stages
