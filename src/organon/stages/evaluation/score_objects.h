#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/geometry/voxel_grid.h"
#include "organon/tables/match_objects.h"

namespace organon::stages {

/// The smallest box around an object, or around what a block has of it. May be stored as its bytes.
struct ObjectBox {
  std::uint64_t id = 0;
  std::uint64_t is_truth = 0;  ///< 1: an object of the truth
  Box box;
};

/// Boxes of all ids above 0, ascending by id. `objects` lies on `place`.
std::vector<ObjectBox> boxes_of(ArrayView<const std::uint64_t> objects, const Box& place, bool is_truth);

/// Hausdorff distance of two objects, both whole in the views: the largest distance from a voxel of one to
/// the other, between centres, in nm, rounded to 1/1024 nm. Requires: both are there. Cost: two distance
/// transforms; 6 bytes a voxel.
double hausdorff_nm(ArrayView<const std::uint64_t> segmented, ArrayView<const std::uint64_t> truth,
                    const tables::ObjectPair& pair, const SizeNm& voxel_size_nm);

/// How near to each other matched objects lie, from 0 to 1: the mean over objects of
///
///     1.01 ^ -(d / diagonal of a voxel),   d = Hausdorff distance of a matched pair, at most d_max;
///                                              d_max for each object, true or segmented, that has no match
///
/// with d_max half the shortest edge of the region. NaN where there are no objects. As the CellMap challenge,
/// which however matches objects that overlap at all, to the largest sum of intersection over union, and
/// takes connected components of what was segmented; here a pair has more than half in common
/// (match_objects()). Source: [cellmap2024challenge] (its evaluation code, 2025).
double hausdorff_score(const tables::ObjectMatches& matches, std::span<const double> matched_nm,
                       const SizeNm& region_nm, const SizeNm& voxel_size_nm);

}  // namespace organon::stages
