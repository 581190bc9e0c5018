#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

#include "organon/blockwise/journal.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/publish/level_set.h"
#include "organon/stages/publish/open_units.h"

namespace organon::stages {

/// One part of the levels from one read, though each voxel comes exactly from those of the source.
///
/// Block map over the source; what a block is says LevelSet. A chunk of a level is made when all finer ones
/// below it are, so that one chunk per level is open, and of levels in shards few of those (OpenUnits). What
/// the cells of the last level hold is left under LevelSet::key_of_cells() for the next part, which reads it
/// in place of the source.
///
/// Cells of very many ids (more than kMostEntries in an open chunk) would take too much memory: below such a
/// chunk of the last level each level is made from the source by itself. So are all where chunks are odd
/// along an axis that is halved: their cells would be cut.
class ReduceLevels : public blockwise::Step {
 public:
  /// `part`: index into set.parts. `below`: the folder of the step that made the part before; nothing for the
  /// first.
  ReduceLevels(const LevelSet& set, std::size_t part,
               std::optional<std::filesystem::path> below = std::nullopt);

  blockwise::StepPlan plan() const override;
  void process(const blockwise::Block& block, blockwise::BlockOutput& output) const override;

  static constexpr std::int64_t kMostEntries = std::int64_t{4} << 20;

 private:
  template <class Cells, class T>
  class Run;
  template <class Cells, class T>
  bool reduce_chunk(const Index3& chunk, std::vector<OpenUnits>& outputs,
                    blockwise::BlockOutput& output) const;
  void make_directly(const Index3& chunk, std::vector<OpenUnits>& outputs) const;
  bool cells_keep_to_chunks() const;
  /// Bytes of open shards and of what one of them is encoded to; 0 where there are none.
  std::int64_t bytes_of_shards() const;

  const LevelSet& set_;
  std::size_t part_;
  std::size_t first_;
  std::size_t last_;
  std::optional<std::filesystem::path> below_;
  std::optional<blockwise::PartialReader> cells_below_;
};

}  // namespace organon::stages
