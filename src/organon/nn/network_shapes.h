#pragma once

#include <optional>
#include <vector>

#include "organon/nn/network_options.h"

namespace organon::nn {

// Which voxels the maps of a network have, and where they lie. Everything else that depends on sizes (crops,
// tiles, operations, memory) follows from here.

/// The maps of one level for one input. Stem and kernels are those of the options; per axis.
struct LevelShapes {
  Shape3 input;           ///< of the first convolution on the way down
  Shape3 down;            ///< after the convolutions on the way down
  Shape3 repeated;        ///< the level below, repeated by the pooling factors; 0 at the deepest level
  Shape3 joined;          ///< what of `down` and `repeated` joins, and enters the way up
  Index3 down_begin;      ///< where it begins in `down`
  Index3 repeated_begin;  ///< where it begins in `repeated`
  Index3 shift;           ///< how far the two so joined are apart: 0 where `alignment` is "centred"
  Shape3 up;              ///< after the convolutions on the way up; at the deepest level `down`
};

/// All maps for one input. With s = output_scale, output voxels are those of the input's grid refined by s,
/// and output voxel 0 is refined voxel `output_begin`. Along one axis, for a "valid" network of one level
/// with one convolution, s = 2:
///
///     input          |  0  |  1  |  2  |  3  |  4  |  5  |
///     refined        | 0| 1| 2| 3| 4| 5| 6| 7| 8| 9|10|11|
///     level's result       |  1  |  2  |  3  |  4  |          one convolution
///     repeated             | 2| 3| 4| 5| 6| 7| 8| 9|
///     output                  | 3| 4| 5| 6| 7| 8|             one more: output_begin = 3, output 6
///
/// The context on each side is output_begin / s input voxels: 1.5 here. Halves need an odd number of
/// convolutions; the paper's two give 216 -> 68, output_begin = 182, 91 voxels of context. The centre of
/// output voxel j lies at (output_begin + j + 0.5) / s - 0.5 input voxels from the centre of input voxel 0.
struct NetworkShapes {
  std::vector<LevelShapes> levels;  ///< finest first; in voxels of the folded input, pooled
  Shape3 refined;                   ///< level 0's result repeated by output_scale; as `up` where that is 1
  Shape3 output;
  Index3 output_begin;
};

/// Nothing where the input is too small, or does not fold and pool evenly.
///
/// "centred": each level's crop takes the middle of `down`, rounded down, and that part of `repeated` which
/// lies there. A crop of an odd number of voxels is half a voxel off, which changes no value, only which
/// voxels are kept; the finest level keeps as many as can lie exactly in the middle. (Of pooling factors that
/// are all odd the rule costs an odd one in two multiples; else the sizes are those of "paper".)
std::optional<NetworkShapes> shapes_of(const NetworkOptions& network, const Shape3& input);

/// Output of an input (equal to it where maps are padded and output_scale is 1); zeros where it does not fit
/// the network.
Shape3 output_shape(const NetworkOptions& network, const Shape3& input);
/// Edge in voxels of the output of a cube of `input` voxels; 0 where there is none or it is no cube.
std::int64_t output_edge(const NetworkOptions& network, std::int64_t input);
/// Inputs must be multiples of this (padded), or one that fits plus multiples of this ("valid").
Shape3 input_multiple(const NetworkOptions& network);
/// The smallest input whose output has at least `output` voxels. 0 on axes where none up to 65536 voxels has.
Shape3 smallest_input(const NetworkOptions& network, const Shape3& output);
/// Input voxels on each side that an output voxel can depend on: for "centred" and padded ones the most that
/// one does, for "paper" an upper bound. Statistics of "group" and "instance" normalization do not count.
Shape3 receptive_radius(const NetworkOptions& network);

/// What of an input's output is used where a volume is predicted in tiles.
struct Tile {
  Shape3 input;  ///< what it reads
  Shape3 shape;  ///< what it yields, in output voxels
  Shape3 halo;   ///< input voxels before the first one that it yields
  Index3 begin;  ///< of what it yields in the output of its input
};

/// The largest tile of an input: a whole number of steps of the coarsest level, without which neighbours
/// would pool other voxels together, in the middle of the output. padded networks leave out `halo` voxels of
/// raw, or more, on each side. Nothing where there is none.
std::optional<Tile> tile_of(const NetworkOptions& network, const Shape3& input, std::int64_t halo);

/// The tile of the smallest input that yields at least `wanted` output voxels, each axis by itself; of padded
/// networks all of their output. Nothing where none up to 2048 input voxels does.
std::optional<Tile> smallest_tile(const NetworkOptions& network, const Shape3& wanted);

}  // namespace organon::nn
