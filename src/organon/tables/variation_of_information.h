#pragma once

#include "organon/tables/overlap_table.h"

namespace organon::tables {

/// How many bits one segmentation leaves open where the other is known, per voxel.
struct VariationOfInformation {
  /// Of the segmentation, where the truth is known: 0 where no true object is split.
  double split_bits = 0;
  /// Of the truth, where the segmentation is known: 0 where no segmented object holds several true ones.
  double merge_bits = 0;

  double sum_bits() const { return split_bits + merge_bits; }
};

/// Compares the first labels (segmented) with the second (true) over the voxels where there is a true object;
/// what is segmented beyond them does not count, and true voxels that were not segmented count as one more
/// segmented object, the background. NaN where there is no true object. Cost: one pass over the pairs.
/// Source: [meila2007]; the voxels that count as in [cremi2016].
VariationOfInformation variation_of_information(const OverlapTable& overlaps);

}  // namespace organon::tables
