#pragma once

#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network_options.h"

namespace organon::stages {

/// The partition of a volume into tiles, the units of prediction.
struct TileGrid {
  Shape3 shape;  ///< of a tile: what it yields
  Shape3 input;  ///< what it reads
  Shape3 halo;   ///< of it before the tile

  /// Positions of the tiles that meet `box`.
  Box positions_touching(const Box& box) const {
    return {
        {floor_divide(box.begin.z, shape.z), floor_divide(box.begin.y, shape.y),
         floor_divide(box.begin.x, shape.x)},
        {ceil_divide(box.end.z, shape.z), ceil_divide(box.end.y, shape.y), ceil_divide(box.end.x, shape.x)}};
  }
  /// Raw that the tile at `position` reads; may reach outside the volume.
  Box input_box(const Index3& position) const {
    const Index3 begin{position.z * shape.z - halo.z, position.y * shape.y - halo.y,
                       position.x * shape.x - halo.x};
    return Box::at(begin, input);
  }
};

/// Tiles of about `tile` voxels per axis with `halo` voxels around them, so that they fit the network, evenly
/// spread over `volume`, and made of whole chunks where that is possible.
///
/// "valid" networks set the halo themselves, and their tiles are cubes.
/// Errors: kInvalidArgument where no tile can be made.
TileGrid make_tile_grid(const nn::NetworkOptions& network, const Shape3& volume, const Shape3& chunk_shape,
                        std::int64_t tile, std::int64_t halo);

}  // namespace organon::stages
