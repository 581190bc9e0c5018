#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace organon::mesh {

/// The surface inside one cell, the cube between 8 voxel centres, for each set of foreground corners.
///
/// Corner c lies at z = c / 4, y = c / 2 % 2, x = c % 2. Edge e of axis a (0 z, 1 y, 2 x) is 4 a + k, where k
/// counts the four parallel edges by the two other coordinates, the slower first.
///
/// The table is derived, not typed: on each face the foreground's outline is drawn by one rule that looks at
/// the face's four corners only, so that two cells agree on the face between them; foreground corners
/// opposite on a face stay apart. The pieces are joined to loops and each loop is cut into triangles without
/// a cut that lies in a face. Hence each edge of the whole surface has two triangles and each vertex one fan.
/// Source: [lorensen1987]; the face rule after [durst1988].
struct CellTriangles {
  /// Per set of corners (bit c = corner c): edges, three per triangle.
  std::array<std::vector<std::uint8_t>, 256> edges_of;
  /// Per set of corners: bit e = edge e is crossed.
  std::array<std::uint16_t, 256> crossed{};
};

/// Corner of edge `edge` with the smaller coordinate; the other one is `low_corner | axis bit`.
int low_corner_of_edge(int edge);
int high_corner_of_edge(int edge);

CellTriangles make_cell_triangles();

}  // namespace organon::mesh
