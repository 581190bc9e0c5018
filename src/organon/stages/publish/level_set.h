#pragma once

#include <memory>
#include <vector>

#include "organon/blockwise/stage.h"
#include "organon/stages/publish/pyramid_levels.h"

namespace organon::stages {

/// All levels of a pyramid, and how the steps of it divide them and the volume. Chunks of all levels have the
/// shape of the source's; shards, where there are, may differ from level to level.
///
/// The levels are made in **parts**, one after the other: those of a part from one read, of the source or of
/// what the part before left. A block of a part is the smallest box of whole stored units of all its levels
/// and of whole chunks of its last. Within it chunks of the last level, each after the finer ones below it,
/// come in Z-order: halves along z, then y, then x, the same in each.
struct LevelSet {
  /// Levels first ... last.
  struct Part {
    std::size_t first = 1;
    std::size_t last = 1;
  };

  std::shared_ptr<storage::Dataset> source;
  Reduction reduction = Reduction::kMean;
  std::vector<Shape3> factors;  ///< of s1, s2, ... against the source: each 1 or 2 times the one before
  std::vector<blockwise::OutputDataset> outputs;  ///< of s1, s2, ...
  Box domain;               ///< what is asked for, in voxels of the source; made is domain_of()
  std::vector<Part> parts;  ///< set_parts()

  /// Divides the levels: the first three, then the rest; but less together where shards would leave fewer
  /// blocks than workers can share. Requires: everything else is set.
  void set_parts();

  /// How much coarser level `index` (1 for s1) is than the one before.
  Shape3 ratio(std::size_t index) const;
  const Shape3& factor(std::size_t index) const { return factors.at(index - 1); }
  /// Shape in voxels of a level; 0: the source.
  Shape3 shape(std::size_t index) const;
  /// Of a level; 0: the source.
  BlockGrid chunks(std::size_t index) const;
  /// In voxels of the source, of a chunk of a level; 0: of the source.
  Shape3 chunk_in_source(std::size_t index) const;

  /// In voxels of the source.
  Shape3 block_shape(const Part& part) const;
  /// Whole blocks of this part and of the coarser ones around what is asked for: all that they are made from.
  Box domain_of(std::size_t part) const;
  BlockGrid blocks(std::size_t part) const { return {domain_of(part), block_shape(parts.at(part))}; }

  /// Chunks of the part's last level in a block that is not clipped, per axis.
  Shape3 last_chunks_per_block(const Part& part) const;
  /// Under which the cells of a chunk of the part's last level are left: id of its block times the chunks per
  /// block, and its place among them.
  std::int64_t key_of_cells(std::size_t part, const Index3& chunk) const;
  /// Chunks of the part's last level below a block of it (a box of the source), in Z-order.
  std::vector<Index3> last_chunks_in(const Part& part, const Box& block) const;

  /// At most so many stored units of a level are begun and not whole at any time. One where they are chunks,
  /// and where each is a box of the Z-order, such as shards of 2^k chunks along all axes.
  std::int64_t most_open_units(const Part& part, std::size_t level) const;
};

}  // namespace organon::stages
