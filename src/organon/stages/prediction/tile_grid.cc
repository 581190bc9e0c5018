#include "organon/stages/prediction/tile_grid.h"

#include <fmt/format.h>

#include <numeric>

#include "organon/base/error.h"
#include "organon/geometry/integer_division.h"

namespace organon::stages {
namespace {

constexpr std::int64_t kLargestInput = 2048;

}  // namespace

TileGrid make_tile_grid(const nn::NetworkOptions& network, const Shape3& volume, const Shape3& chunk_shape,
                        std::int64_t tile, std::int64_t halo) {
  const std::int64_t multiple = nn::input_multiple(network);
  if (network.padding == "valid") {
    for (std::int64_t input = 1; input <= kLargestInput; ++input) {
      const std::int64_t output = nn::output_edge(network, input);
      // Tiles must be whole steps of the coarsest level, else neighbours pool other voxels together.
      if (output < std::min(tile, round_up_to_multiple(volume.largest(), multiple)) ||
          output % multiple != 0) {
        continue;
      }
      return {Shape3::cube(output), Shape3::cube(input), Shape3::cube((input - output) / 2)};
    }
    throw Error(ErrorKind::kInvalidArgument, fmt::format("no tile of {} voxels fits the network", tile));
  }
  const std::int64_t margin = round_up_to_multiple(halo, multiple);
  const auto axis = [&](std::int64_t size, std::int64_t chunk) {
    const std::int64_t unit = std::lcm(multiple, chunk) <= 2 * tile ? std::lcm(multiple, chunk) : multiple;
    const std::int64_t wanted = round_up_to_multiple(tile, unit);
    // A last tile with little in it is shared out among the others.
    const std::int64_t count = std::max<std::int64_t>(1, (2 * size + wanted) / (2 * wanted));
    return round_up_to_multiple(ceil_divide(size, count), unit);
  };
  const Shape3 shape{axis(volume.z, chunk_shape.z), axis(volume.y, chunk_shape.y),
                     axis(volume.x, chunk_shape.x)};
  return {shape, shape + Shape3::cube(2 * margin), Shape3::cube(margin)};
}

}  // namespace organon::stages
