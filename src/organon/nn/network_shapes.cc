#include "organon/nn/network_shapes.h"

#include <algorithm>
#include <cmath>

#include "organon/geometry/integer_division.h"

namespace organon::nn {
namespace {

constexpr std::int64_t kLargestInput = 65536;

// One axis of NetworkOptions.
struct Axis {
  std::vector<std::int64_t> pooling;
  std::vector<std::int64_t> lost;  // by all convolutions of a level and direction, where they are not padded
  std::int64_t stem = 1;
  std::int64_t scale = 1;
  bool is_valid = false;
  bool is_centred = false;

  Axis(const NetworkOptions& network, std::int64_t Shape3::*axis)
      : stem(network.stem),
        scale(network.output_scale),
        is_valid(network.is_valid()),
        is_centred(network.alignment == "centred") {
    for (std::int64_t level = 0; level < network.num_levels(); ++level) {
      if (level + 1 < network.num_levels()) pooling.push_back(network.pooling_at(level).*axis);
      lost.push_back(network.convolutions * (network.kernel_at(level).*axis - 1));
    }
  }

  std::size_t num_levels() const { return lost.size(); }
  std::int64_t cropped(std::size_t level) const { return is_valid ? lost[level] : 0; }
  /// Voxels of `level` in a step of the coarsest one.
  std::int64_t step(std::size_t level) const {
    std::int64_t product = 1;
    for (std::size_t i = level; i < pooling.size(); ++i) product *= pooling[i];
    return product;
  }
};

// One axis of LevelShapes and of NetworkShapes.
struct AxisLevel {
  std::int64_t input = 0, down = 0, repeated = 0, joined = 0, down_begin = 0, repeated_begin = 0, shift = 0,
               up = 0;
};

struct AxisShapes {
  std::vector<AxisLevel> levels;
  std::int64_t refined = 0, output = 0, output_begin = 0;
};

// What joins at a level. `before`: where the repeated map begins in `down`.
bool join(const Axis& axis, std::size_t l, std::int64_t before, AxisLevel& level) {
  const std::int64_t lost = axis.cropped(l);
  const std::int64_t step = axis.step(l);
  // Cropped so that outputs of shifted tiles agree: only whole steps of the coarser levels are kept.
  level.joined = round_down_to_multiple(level.repeated - lost, step) + lost;
  if (!axis.is_centred || !axis.is_valid) {
    level.down_begin = floor_divide(level.down - level.joined, 2);
    level.repeated_begin = floor_divide(level.repeated - level.joined, 2);
  } else {
    const auto middle = [&] { return floor_divide(level.down - level.joined, 2) - before; };
    const auto lies_in_the_middle = [&] {
      return (level.down - level.joined) % 2 == 0 && middle() >= 0 &&
             middle() <= level.repeated - level.joined;
    };
    while (l == 0 && level.joined > lost && !lies_in_the_middle()) level.joined -= step;
    level.repeated_begin =
        std::clamp<std::int64_t>(middle(), 0, std::max<std::int64_t>(0, level.repeated - level.joined));
    level.down_begin = before + level.repeated_begin;
  }
  level.shift = before + level.repeated_begin - level.down_begin;
  level.up = level.joined - lost;
  return level.up > 0;
}

std::optional<AxisShapes> shapes_of(const Axis& axis, std::int64_t input) {
  AxisShapes shapes;
  if (input <= 0 || input % axis.stem != 0) return std::nullopt;
  std::int64_t size = input / axis.stem;
  const std::size_t levels = axis.num_levels();
  for (std::size_t l = 0; l < levels; ++l) {
    AxisLevel level;
    level.input = size;
    level.down = level.up = size - axis.cropped(l);
    shapes.levels.push_back(level);
    if (level.down <= 0) return std::nullopt;
    if (l + 1 == levels) break;
    if (level.down % axis.pooling[l] != 0) return std::nullopt;
    size = level.down / axis.pooling[l];
  }
  // Where a level's result begins in its input.
  std::int64_t begin = axis.cropped(levels - 1) / 2;
  for (std::size_t l = levels - 1; l-- > 0;) {
    AxisLevel& level = shapes.levels[l];
    level.repeated = shapes.levels[l + 1].up * axis.pooling[l];
    if (!join(axis, l, begin * axis.pooling[l], level)) return std::nullopt;
    begin = axis.cropped(l) + level.down_begin;
  }
  shapes.refined = shapes.levels[0].up * axis.scale;
  const std::int64_t lost = axis.scale > 1 ? axis.cropped(0) : 0;
  shapes.output = (shapes.refined - lost) * axis.stem;
  shapes.output_begin = (begin * axis.scale + lost / 2) * axis.stem;
  if (shapes.output <= 0) return std::nullopt;
  return shapes;
}

// The input of which the deepest level sees `size` voxels.
std::int64_t input_of_deepest(const Axis& axis, std::int64_t size) {
  for (std::size_t l = axis.num_levels() - 1; l-- > 0;) size = size * axis.pooling[l] + axis.cropped(l);
  return size * axis.stem;
}

std::int64_t smallest_input(const Axis& axis, std::int64_t output) {
  for (std::int64_t size = 1;; ++size) {
    const std::int64_t input = input_of_deepest(axis, size);
    if (input > kLargestInput) return 0;
    const auto shapes = shapes_of(axis, input);
    if (shapes && shapes->output >= output) return input;
  }
}

std::int64_t receptive_radius(const Axis& axis) {
  // All levels' convolutions on both ways, and what is left of a cell of the coarsest level beyond the voxel
  // that sees its first.
  std::int64_t radius = axis.step(0) - 1;
  std::int64_t step = 1;
  const std::size_t levels = axis.num_levels();
  const auto shapes = axis.is_valid && !axis.is_centred ? shapes_of(axis, smallest_input(axis, 1))
                                                        : std::optional<AxisShapes>();
  for (std::size_t l = 0; l < levels; ++l) {
    radius += axis.lost[l] / 2 * step * (l + 1 < levels ? 2 : 1);
    if (shapes) radius += std::abs(shapes->levels[l].shift) * step;
    if (l + 1 < levels) step *= axis.pooling[l];
  }
  // The same in input voxels, from each place that an output voxel can have in a folded voxel.
  const std::int64_t margin = axis.scale > 1 ? axis.lost[0] / 2 : 0;
  std::int64_t farthest = 0;
  for (std::int64_t output = 0; output < axis.stem * axis.scale; ++output) {
    const std::int64_t at = output / axis.scale;
    const std::int64_t cell = output / axis.stem;
    const std::int64_t first = (floor_divide(cell - margin, axis.scale) - radius) * axis.stem;
    const std::int64_t end = (floor_divide(cell + margin, axis.scale) + radius + 1) * axis.stem;
    farthest = std::max({farthest, at - first, end - 1 - at});
  }
  return farthest;
}

// One axis of a Tile.
struct AxisTile {
  std::int64_t input = 0, shape = 0, halo = 0, begin = 0;
};

std::optional<AxisTile> tile_of(const Axis& axis, std::int64_t input, std::int64_t halo) {
  const auto shapes = shapes_of(axis, input);
  if (!shapes) return std::nullopt;
  const std::int64_t multiple = axis.stem * axis.step(0);
  if (!axis.is_valid) {
    const std::int64_t margin = round_up_to_multiple(halo, multiple);
    if (input % multiple != 0 || input <= 2 * margin) return std::nullopt;
    return AxisTile{input, (input - 2 * margin) * axis.scale, margin, margin * axis.scale};
  }
  const std::int64_t step = multiple * axis.scale;
  for (std::int64_t shape = round_down_to_multiple(shapes->output, step); shape > 0; shape -= step) {
    // In the middle, so that mirrored inputs yield the same tile, and after whole voxels of the input.
    const std::int64_t begin = (shapes->output - shape) / 2;
    if ((shapes->output - shape) % 2 != 0 || (shapes->output_begin + begin) % axis.scale != 0) continue;
    return AxisTile{input, shape, (shapes->output_begin + begin) / axis.scale, begin};
  }
  return std::nullopt;
}

}  // namespace

std::optional<NetworkShapes> shapes_of(const NetworkOptions& network, const Shape3& input) {
  const auto z = shapes_of(Axis(network, &Shape3::z), input.z);
  const auto y = shapes_of(Axis(network, &Shape3::y), input.y);
  const auto x = shapes_of(Axis(network, &Shape3::x), input.x);
  if (!z || !y || !x) return std::nullopt;
  NetworkShapes shapes;
  for (std::size_t l = 0; l < z->levels.size(); ++l) {
    const auto shape = [&](std::int64_t AxisLevel::*member) {
      return Shape3{z->levels[l].*member, y->levels[l].*member, x->levels[l].*member};
    };
    shapes.levels.push_back({shape(&AxisLevel::input), shape(&AxisLevel::down), shape(&AxisLevel::repeated),
                             shape(&AxisLevel::joined), Index3(shape(&AxisLevel::down_begin)),
                             Index3(shape(&AxisLevel::repeated_begin)), Index3(shape(&AxisLevel::shift)),
                             shape(&AxisLevel::up)});
  }
  shapes.refined = {z->refined, y->refined, x->refined};
  shapes.output = {z->output, y->output, x->output};
  shapes.output_begin = {z->output_begin, y->output_begin, x->output_begin};
  return shapes;
}

Shape3 output_shape(const NetworkOptions& network, const Shape3& input) {
  const auto shapes = shapes_of(network, input);
  return shapes ? shapes->output : Shape3{};
}

std::int64_t output_edge(const NetworkOptions& network, std::int64_t input) {
  const Shape3 output = output_shape(network, Shape3::cube(input));
  return output == Shape3::cube(output.z) ? output.z : 0;
}

Shape3 input_multiple(const NetworkOptions& network) {
  return Shape3{Axis(network, &Shape3::z).step(0), Axis(network, &Shape3::y).step(0),
                Axis(network, &Shape3::x).step(0)} *
         network.stem;
}

Shape3 smallest_input(const NetworkOptions& network, const Shape3& output) {
  return {smallest_input(Axis(network, &Shape3::z), output.z),
          smallest_input(Axis(network, &Shape3::y), output.y),
          smallest_input(Axis(network, &Shape3::x), output.x)};
}

Shape3 receptive_radius(const NetworkOptions& network) {
  return {receptive_radius(Axis(network, &Shape3::z)), receptive_radius(Axis(network, &Shape3::y)),
          receptive_radius(Axis(network, &Shape3::x))};
}

std::optional<Tile> tile_of(const NetworkOptions& network, const Shape3& input, std::int64_t halo) {
  const auto z = tile_of(Axis(network, &Shape3::z), input.z, halo);
  const auto y = tile_of(Axis(network, &Shape3::y), input.y, halo);
  const auto x = tile_of(Axis(network, &Shape3::x), input.x, halo);
  if (!z || !y || !x) return std::nullopt;
  return Tile{
      input, {z->shape, y->shape, x->shape}, {z->halo, y->halo, x->halo}, {z->begin, y->begin, x->begin}};
}

std::optional<Tile> smallest_tile(const NetworkOptions& network, const Shape3& wanted) {
  constexpr std::int64_t kLargestTileInput = 2048;
  const Shape3 multiple = input_multiple(network);
  Shape3 input = smallest_input(network, wanted);
  // Only whole steps of an output are used, so that some more may be needed.
  while (input.smallest() > 0 && input.largest() <= kLargestTileInput) {
    const auto tile = tile_of(network, input, 0);
    const Shape3 found = tile ? tile->shape : Shape3{};
    if (found.z >= wanted.z && found.y >= wanted.y && found.x >= wanted.x) return tile;
    if (found.z < wanted.z) input.z += multiple.z;
    if (found.y < wanted.y) input.y += multiple.y;
    if (found.x < wanted.x) input.x += multiple.x;
  }
  return std::nullopt;
}

}  // namespace organon::nn
