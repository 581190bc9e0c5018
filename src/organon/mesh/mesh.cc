#include "organon/mesh/mesh.h"

#include <algorithm>
#include <cmath>

#include "organon/base/check.h"

namespace organon::mesh {
namespace {

struct DirectedEdge {
  /// The smaller vertex in the high half, so that both directions of an edge sort together.
  std::uint64_t key;
  bool forward;
};

std::vector<DirectedEdge> sorted_edges(const Mesh& mesh) {
  std::vector<DirectedEdge> edges;
  edges.reserve(mesh.triangles.size() * 3);
  for (const Triangle& triangle : mesh.triangles) {
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint64_t a = triangle[i], b = triangle[(i + 1) % 3];
      edges.push_back({std::min(a, b) << 32 | std::max(a, b), a < b});
    }
  }
  std::sort(edges.begin(), edges.end(),
            [](const DirectedEdge& a, const DirectedEdge& b) { return a.key < b.key; });
  return edges;
}

}  // namespace

MeshMeasures measure_mesh(const Mesh& mesh) {
  MeshMeasures measures;
  if (mesh.triangles.empty()) return measures;
  // Relative to one vertex: the volume of a small object far from the origin would lose its digits.
  ORGANON_CHECK(!mesh.vertices_nm.empty());
  const PointNm origin(mesh.vertices_nm[0]);
  std::vector<bool> used(mesh.vertices_nm.size());
  for (const Triangle& triangle : mesh.triangles) {
    std::array<PointNm, 3> p;
    for (std::size_t i = 0; i < 3; ++i) {
      ORGANON_CHECK(triangle[i] < mesh.vertices_nm.size());
      used[triangle[i]] = true;
      p[i] = PointNm(mesh.vertices_nm[triangle[i]]) - origin;
    }
    const PointNm u = p[1] - p[0], v = p[2] - p[0];
    const PointNm normal{u.x * v.y - u.y * v.x, u.z * v.x - u.x * v.z, u.y * v.z - u.z * v.y};
    measures.area_nm2 += std::sqrt(normal.x * normal.x + normal.y * normal.y + normal.z * normal.z) / 2;
    measures.volume_nm3 += (p[0].x * normal.x + p[0].y * normal.y + p[0].z * normal.z) / 6;
  }
  const auto edges = sorted_edges(mesh);
  std::int64_t num_edges = 0;
  for (std::size_t i = 0; i < edges.size();) {
    std::size_t end = i;
    std::int64_t forward = 0;
    for (; end < edges.size() && edges[end].key == edges[i].key; ++end) forward += edges[end].forward;
    if (end - i != 2 || forward != 1) ++measures.num_open_edges;
    ++num_edges;
    i = end;
  }
  measures.euler_characteristic = std::count(used.begin(), used.end(), true) - num_edges +
                                  static_cast<std::int64_t>(mesh.triangles.size());
  return measures;
}

}  // namespace organon::mesh
