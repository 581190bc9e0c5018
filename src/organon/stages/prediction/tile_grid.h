#pragma once

#include "organon/geometry/block_grid.h"
#include "organon/geometry/integer_division.h"
#include "organon/nn/network_shapes.h"
#include "organon/nn/script_info.h"

namespace organon::stages {

/// The partition of a volume into tiles, the units of prediction. Outputs may be finer than the input: then
/// tiles are counted in output voxels, and what they read in input voxels.
struct TileGrid {
  Shape3 shape;            ///< of a tile: what it yields, whole input voxels
  Shape3 input;            ///< what it reads
  Shape3 halo;             ///< of it before the tile
  Index3 begin;            ///< of the tile in the output that the network makes of its input
  std::int64_t scale = 1;  ///< output voxels per input voxel and axis

  Box box(const Index3& position) const {
    return Box::at({position.z * shape.z, position.y * shape.y, position.x * shape.x}, shape);
  }
  /// Positions of the tiles that meet `box`.
  Box positions_touching(const Box& box) const {
    return {
        {floor_divide(box.begin.z, shape.z), floor_divide(box.begin.y, shape.y),
         floor_divide(box.begin.x, shape.x)},
        {ceil_divide(box.end.z, shape.z), ceil_divide(box.end.y, shape.y), ceil_divide(box.end.x, shape.x)}};
  }
  /// Raw that the tile at `position` reads; may reach outside the volume.
  Box input_box(const Index3& position) const {
    const Index3 begin_of_tile = box(position).begin;
    return Box::at({begin_of_tile.z / scale - halo.z, begin_of_tile.y / scale - halo.y,
                    begin_of_tile.x / scale - halo.x},
                   input);
  }
};

/// Tiles of about `tile` output voxels per axis with `halo` input voxels around them, so that they fit the
/// network, evenly spread over `volume` (the output's), and made of whole chunks where that is possible.
///
/// "valid" networks set the halo themselves, and yield whole steps of their coarsest level, so that tiles
/// have no seams. Where the network's output is finer than that (the paper's 8 nm network: 216 -> 68) the
/// rest of it is left out (36). Errors: kInvalidArgument where no tile can be made.
TileGrid make_tile_grid(const nn::NetworkOptions& network, const Shape3& volume, const Shape3& chunk_shape,
                        std::int64_t tile, std::int64_t halo);

/// The same with the largest tiles that predict within `memory_bytes` (nn::prediction_bytes()).
TileGrid make_largest_tile_grid(const nn::NetworkOptions& network, std::int64_t num_classes,
                                const Shape3& volume, const Shape3& chunk_shape, std::int64_t memory_bytes,
                                std::int64_t halo);

/// Tiles of a module that takes inputs of one shape. What of `halo` its output does not leave out by itself
/// is cut off; slice-wise modules take up to `tile` slices at once. Errors: kInvalidArgument where nothing is
/// left.
TileGrid make_script_tile_grid(const nn::ScriptInfo& script, const Shape3& volume, std::int64_t tile,
                               std::int64_t halo);

}  // namespace organon::stages
