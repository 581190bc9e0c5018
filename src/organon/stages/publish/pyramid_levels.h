#pragma once

#include <cstdint>
#include <vector>

#include "organon/blockwise/stage.h"

namespace organon::stages {

/// How a cell of voxels becomes one: intensities by their mean, labels by their most frequent id.
enum class Reduction { kMean, kMode };

/// Factors of the levels s1, s2, ... against s0, each a power of two up to 32 per axis.
///
/// A level doubles the voxel size of every axis that is below twice the smallest one, and is longer than one
/// voxel: voxels become nearly cubes first, then grow alike.
///
///     40 x 4 x 4 nm:  40 x 8 x 8,  40 x 16 x 16,  40 x 32 x 32,  80 x 64 x 64
///
/// Ends with the first level that fits one chunk, or where a factor would exceed 32; with `num_levels` >= 0,
/// after so many levels, where that comes first.
std::vector<Shape3> pyramid_factors(const Shape3& shape, const SizeNm& voxel_size_nm,
                                    const Shape3& chunk_shape, std::int64_t num_levels);

/// One level of a pyramid, directly from its source: levels made from levels round again and again.
///
/// Block map over the level's voxels; halo 0. Reads the source once, in pieces of at most 256^3 voxels, so
/// that memory does not grow with the factor. Where the output's type differs it must hold every value of the
/// source's (ids of 8 bits in a volume of 32).
class MakeLevel : public blockwise::Step {
 public:
  struct Level {
    std::shared_ptr<storage::Dataset> source;
    Shape3 factor{1, 1, 1};
    Reduction reduction = Reduction::kMean;
    blockwise::OutputDataset output;
    Shape3 block_shape;  ///< in voxels of the level
    Box domain;          ///< in voxels of the level
  };
  /// Errors: kUnsupported for a type that cannot be reduced so.
  explicit MakeLevel(Level level);

  blockwise::StepPlan plan() const override;
  void process(const blockwise::Block& block, blockwise::BlockOutput& output) const override;

 private:
  Level level_;
};

/// Voxels `box` of the level that `factor` and `reduction` make of `source`, directly. Reads in pieces of at
/// most 256^3 voxels. Errors: those of Dataset::read().
AnyArray read_reduced(const storage::Dataset& source, const Shape3& factor, Reduction reduction,
                      const Box& box, DataType type);
/// Errors: kUnsupported for a type that cannot be reduced so, naming `source`.
void require_reducible(const storage::Dataset& source, Reduction reduction);

/// The chunks of a level (its spec is `level`) that `source_domain`, a part of the source, touches.
Box level_domain(const Box& source_domain, const Shape3& factor, const storage::DatasetSpec& level);

/// The spec of a level: shape and grid by `factor`, no shards, everything else as `source`.
storage::DatasetSpec level_spec(const storage::DatasetSpec& source, const Shape3& factor);

}  // namespace organon::stages
