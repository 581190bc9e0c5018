#pragma once

#include <string_view>
#include <vector>

#include "organon/array/array_view.h"
#include "organon/geometry/voxel_grid.h"

namespace organon::stages {

/// What a person drew over a mask: a polygon in the plane of slices, for a range of z.
struct MaskPolygon {
  enum class Action { kInclude, kExclude };
  struct Vertex {
    double y_nm = 0;
    double x_nm = 0;
  };

  Action action = Action::kInclude;
  double z_begin_nm = 0;
  double z_end_nm = 0;  ///< not inside
  std::vector<Vertex> vertices;
};

/// Reads a polygon file, schemas/mask_polygons.schema.json:
///
///     [{"action": "exclude", "z_nm": [0, 4000], "polygon_yx_nm": [[0, 0], [0, 900], [800, 900]]}, ...]
///
/// `where` begins every message. Errors: kCorruptData for text that is no JSON; kInvalidArgument naming entry
/// and key for an unknown or missing key, a value of the wrong type, a number that is not finite or beyond
/// 1e12 nm, an empty range of z, fewer than 3 vertices; kResourceExhausted above 10 000 polygons or a million
/// vertices in all.
std::vector<MaskPolygon> parse_mask_polygons(std::string_view text, std::string_view where);

/// Sets the voxels of `mask` whose centres lie in the polygons to 1 (include) or 0 (exclude), one polygon
/// after the other: the last that holds a voxel decides.
///
/// Inside is what an odd number of edges parts from infinity (even-odd rule: lines may cross, holes are
/// possible). Borders are half-open: a centre on an edge towards smaller y or x is inside, one on an edge
/// towards larger y or x is not, likewise in z; so polygons that share an edge neither overlap nor leave a
/// gap. Exact where edges run along an axis, else to the rounding of double precision, the same on every
/// machine.
///
/// Shapes and units: voxel (0, 0, 0) of `mask` is voxel `begin` of `grid`. Cost: per polygon rows x vertices,
/// then its box of voxels.
void apply_mask_polygons(const std::vector<MaskPolygon>& polygons, const VoxelGrid& grid, const Index3& begin,
                         ArrayView<std::uint8_t> mask);

}  // namespace organon::stages
