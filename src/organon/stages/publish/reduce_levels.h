#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "organon/blockwise/journal.h"
#include "organon/blockwise/stage.h"
#include "organon/stages/publish/pyramid_levels.h"

namespace organon::stages {

/// All levels of a pyramid: what the steps of it share. Chunks of all levels have the shape of the source's.
struct LevelSet {
  std::shared_ptr<storage::Dataset> source;
  Reduction reduction = Reduction::kMean;
  std::vector<Shape3> factors;  ///< of s1, s2, ... against the source: each 1 or 2 times the one before
  std::vector<blockwise::OutputDataset> outputs;  ///< of s1, s2, ...
  Box domain;                                     ///< the part of the source that is reduced

  /// How much coarser level `index` (1 for s1) is than the one before.
  Shape3 ratio(std::size_t index) const;
  const Shape3& factor(std::size_t index) const { return factors.at(index - 1); }
  /// Shape in voxels of a level; 0: the source.
  Shape3 shape(std::size_t index) const;
};

/// Levels first ... last from one read, though each voxel comes exactly from those of the source.
///
/// Block map over the source; a block is a chunk of level `last`. Within it chunks are made in Z-order: a
/// chunk of a level when all finer ones below it are, so that one chunk per level is open. What the cells of
/// level `last` hold is left under the block's id for the levels after it (ReduceLevels with `below`), which
/// read it in place of the source.
///
/// Cells of very many ids (more than kMostEntries in an open chunk) would take too much memory: there each
/// level is made from the source by itself.
class ReduceLevels : public blockwise::Step {
 public:
  /// `below`: the folder of the step that made the levels before `first`; nothing where `first` is 1.
  ReduceLevels(const LevelSet& set, std::size_t first, std::size_t last,
               std::optional<std::filesystem::path> below = std::nullopt);

  blockwise::StepPlan plan() const override;
  void process(const blockwise::Block& block, blockwise::BlockOutput& output) const override;

  static constexpr std::int64_t kMostEntries = std::int64_t{4} << 20;

 private:
  template <class Cells, class T>
  class Run;
  template <class Cells, class T>
  bool reduce_block(const blockwise::Block& block, blockwise::BlockOutput& output) const;
  void make_directly(const blockwise::Block& block, blockwise::BlockOutput& output) const;
  BlockGrid chunks(std::size_t level) const;
  /// Shape in voxels of the source of a chunk of a level.
  Shape3 chunk_in_source(std::size_t level) const;

  const LevelSet& set_;
  std::size_t first_;
  std::size_t last_;
  std::optional<std::filesystem::path> below_;
  std::optional<blockwise::PartialReader> cells_below_;
};

}  // namespace organon::stages
