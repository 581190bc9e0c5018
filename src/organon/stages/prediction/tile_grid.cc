#include "organon/stages/prediction/tile_grid.h"

#include <fmt/format.h>

#include <numeric>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network_cost.h"

namespace organon::stages {
TileGrid make_tile_grid(const nn::NetworkOptions& network, const Shape3& volume, const Shape3& chunk_shape,
                        std::int64_t tile, std::int64_t halo) {
  const std::int64_t scale = network.output_scale;
  const Shape3 multiple = nn::input_multiple(network);
  if (network.is_valid()) {
    const auto wanted = [&](std::int64_t size, std::int64_t step) {
      return std::min(tile, round_up_to_multiple(size, step * scale));
    };
    const Shape3 least{wanted(volume.z, multiple.z), wanted(volume.y, multiple.y),
                       wanted(volume.x, multiple.x)};
    const auto made = nn::smallest_tile(network, least);
    if (!made) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("no tile of {} voxels fits the network", to_string(least)));
    }
    return {made->shape, made->input, made->halo, made->begin, scale};
  }
  const auto axis = [&](std::int64_t size, std::int64_t chunk, std::int64_t step) {
    const std::int64_t unit =
        std::lcm(step * scale, chunk) <= 2 * tile ? std::lcm(step * scale, chunk) : step * scale;
    const std::int64_t wanted = round_up_to_multiple(tile, unit);
    // A last tile with little in it is shared out among the others.
    const std::int64_t count = std::max<std::int64_t>(1, (2 * size + wanted) / (2 * wanted));
    return round_up_to_multiple(ceil_divide(size, count), unit);
  };
  const Shape3 shape{axis(volume.z, chunk_shape.z, multiple.z), axis(volume.y, chunk_shape.y, multiple.y),
                     axis(volume.x, chunk_shape.x, multiple.x)};
  const Shape3 margin{round_up_to_multiple(halo, multiple.z), round_up_to_multiple(halo, multiple.y),
                      round_up_to_multiple(halo, multiple.x)};
  const Shape3 input{shape.z / scale + 2 * margin.z, shape.y / scale + 2 * margin.y,
                     shape.x / scale + 2 * margin.x};
  return {shape, input, margin, Index3(margin * scale), scale};
}

TileGrid make_largest_tile_grid(const nn::NetworkOptions& network, std::int64_t num_classes,
                                const Shape3& volume, const Shape3& chunk_shape, std::int64_t memory_bytes,
                                std::int64_t halo) {
  const auto largest = nn::largest_tile(network, num_classes, memory_bytes, halo);
  const std::int64_t step = nn::input_multiple(network).smallest() * network.output_scale;
  // Tiles of whole chunks may be larger than was asked for.
  for (std::int64_t edge = largest ? largest->shape.largest() : 0; edge > 0; edge -= step) {
    const TileGrid tiles = make_tile_grid(network, volume, chunk_shape, edge, halo);
    if (nn::prediction_bytes(network, num_classes, tiles.input) <= memory_bytes) return tiles;
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("no tile of this network with a halo of {} voxels is predicted within {} MiB", halo,
                          memory_bytes >> 20));
}

TileGrid make_script_tile_grid(const nn::ScriptInfo& script, const Shape3& volume, std::int64_t tile,
                               std::int64_t halo) {
  const std::int64_t scale = script.output_scale;
  const Shape3 margin = script.margin();
  const auto cut = [&](std::int64_t of_axis) { return std::max<std::int64_t>(0, halo - of_axis); };
  Shape3 more{cut(margin.z), cut(margin.y), cut(margin.x)};
  Shape3 input = script.input_shape;
  Shape3 output = script.output_shape;
  if (script.is_slice_wise) {
    // Slices know nothing of each other.
    more.z = 0;
    input.z = output.z = std::clamp<std::int64_t>(volume.z, 1, tile);
  }
  const Index3 shape = Index3(output) - Index3(more) * (2 * scale);
  if (shape.z < 1 || shape.y < 1 || shape.x < 1) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("a halo of {} voxels leaves nothing of the module's output of {}", halo,
                            to_string(script.output_shape)));
  }
  return {Shape3(shape), input, margin + more, Index3(more) * scale, scale};
}

}  // namespace organon::stages
