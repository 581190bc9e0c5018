#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "organon/base/options.h"
#include "organon/blockwise/stage.h"

namespace organon::stages {

/// A dataset in another format, in other chunks, of another type, or a part of it.
struct ConvertOptions {
  std::vector<std::int64_t> chunk_shape;  ///< z, y, x, or one for a cube; empty: the source's
  std::vector<std::int64_t>
      shard_shape;          ///< of shards of whole chunks, for formats that have them; empty: none
  std::string codec;        ///< empty: the source's where the format has it, else its usual one
  std::int64_t level = -1;  ///< of compression; -1: the codec's default
  std::string data_type;    ///< empty: the source's
  std::string out_of_range = "refuse";  ///< values that the type lacks: refuse or clip
  std::vector<std::int64_t>
      box;  ///< z0, y0, x0, z1, y1, x1 in voxels of the source's finest level; empty: all

  void bind(OptionTable& table);
};

/// Copies a dataset, or all levels of a pyramid with its metadata, voxel by voxel; free attributes go along.
/// `--box` and
/// `--box-nm` cut out a part, whose voxels stay where they are in space (levels are cut where their voxel
/// centres lie in it). All channels of an array are copied, or the one that the address chooses (`#1`),
/// without the axis. Chunks that are missing stay missing where the fill values agree.
///
/// Steps: one block map per level; of a pyramid its metadata at last. Blocks are whole chunks of the output
/// and, where that stays small, of the source, so that no chunk is decoded twice. Exact.
std::unique_ptr<blockwise::Stage> make_convert_stage(const blockwise::StageDescription& description);

}  // namespace organon::stages
