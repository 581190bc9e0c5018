#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "organon/geometry/vec3.h"

namespace organon::mesh {

/// A vertex in nm, z y x as everywhere; single precision, as viewers take it.
using VertexNm = Vec3<float, struct VertexNmTag>;
/// Three positions in the list of vertices. Seen from outside the object they run counter-clockwise in the
/// right-handed frame x, y, z.
using Triangle = std::array<std::uint32_t, 3>;

/// A triangle mesh of one object.
struct Mesh {
  std::vector<VertexNm> vertices_nm;
  std::vector<Triangle> triangles;
};

/// Sizes of a mesh and what is wrong with it.
struct MeshMeasures {
  double area_nm2 = 0;
  /// Signed: positive for a closed mesh whose triangles face outwards. Meaningless where it is not closed.
  double volume_nm3 = 0;
  /// Vertices used by a triangle - edges + triangles: 2 for each ball, 0 for each torus.
  std::int64_t euler_characteristic = 0;
  /// Edges that do not have exactly two triangles which pass them in opposite directions.
  std::int64_t num_open_edges = 0;

  bool is_closed() const { return num_open_edges == 0; }
};

/// Requires: triangles name existing vertices. Cost: a sort of the edges.
MeshMeasures measure_mesh(const Mesh& mesh);

}  // namespace organon::mesh
