#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "organon/geometry/vec3.h"
#include "organon/storage/precomputed/annotation_format.h"

namespace organon::storage {

// The spatial index of annotations: grids of cells, each level finer than the one before or the same.
//
//     level 0    one cell, the whole box         at most so many annotations
//     level 1    its longest axes halved         as many again in each cell
//     ...        until all annotations are in one

/// What decides where an annotation is listed.
struct AnnotationPlace {
  std::uint64_t rank = 0;  ///< those of low rank come first, on coarse levels; each its own
  PointNm first;           ///< as in Annotation
  PointNm second;
};

/// Lower and upper corner of a box in nm.
struct BoundsNm {
  PointNm lower;
  PointNm upper;
};
/// Whole nm around all annotations, no axis empty.
BoundsNm bounds_of(AnnotationShape shape, std::span<const AnnotationPlace> places);

/// Whether an annotation has a point in `cell`, its faces included. Boxes and ellipsoids are full.
bool meets_cell(AnnotationShape shape, const AnnotationPlace& place, const BoundsNm& cell);

struct AnnotationLevel {
  Shape3 grid_shape{1, 1, 1};
  SizeNm cell_size_nm;
  std::int64_t most_per_cell = 0;
  /// By position z, y, x in the grid: the annotations listed there, by rank.
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::vector<std::size_t>> cells;
};

/// The levels, at least one. On each level the annotations up to one rank are listed in every cell that they
/// meet, the highest rank for which no cell has more than `most_per_cell`: so density is the same in all of
/// space. Where points lie so close that 32 levels do not tell them apart, the last has all that are left.
/// A point lies in one cell of a level; larger annotations in four on average at most: where more would
/// follow, the next level has the same grid. Requires: most_per_cell >= 1.
std::vector<AnnotationLevel> levels_of(AnnotationShape shape, std::span<const AnnotationPlace> places,
                                       const BoundsNm& bounds, std::int64_t most_per_cell);

}  // namespace organon::storage
