#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "organon/blockwise/stage.h"

namespace organon::stages {

/// Chunks of one output of a block, in any order -> its stored units, each written when it is whole. Where
/// chunks are stored alone they are written as they come, without a copy; else each open shard is held
/// decoded.
class OpenUnits {
 public:
  /// `most_open`: units that are begun and not whole at a time, checked.
  OpenUnits(const storage::DatasetSpec& spec, std::size_t number, std::int64_t most_open,
            blockwise::BlockOutput& output);

  /// `box`: one (clipped) chunk.
  bool has(const Box& box) const;
  /// Requires: not has(box). Errors: those of BlockOutput::write().
  void put(const Box& box, const AnyArray& voxels);
  /// No unit has some of its chunks only.
  bool are_whole() const { return open_.empty(); }

 private:
  struct Unit {
    AnyArray voxels;
    std::vector<bool> has_chunk;  ///< raster order
    std::int64_t num_missing = 0;
  };
  // Place of the chunk at `position` among those of its unit.
  std::size_t place_in_unit(const Index3& position, const Box& unit) const;

  storage::DatasetSpec spec_;
  std::size_t number_;
  std::size_t most_open_;
  blockwise::BlockOutput& output_;
  BlockGrid chunks_;
  BlockGrid units_;
  std::map<std::int64_t, Unit> open_;  // by id of the unit
  std::set<std::int64_t> written_;
};

}  // namespace organon::stages
