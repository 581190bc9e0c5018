#include "organon/mesh/simplify.h"

#include <fmt/format.h>
#include <meshoptimizer.h>

#include <algorithm>
#include <cmath>

#include "organon/base/check.h"
#include "organon/base/error.h"

namespace organon::mesh {
namespace {

constexpr std::uint32_t kUnused = UINT32_MAX;

Mesh without_unused_vertices(const Mesh& mesh, const std::vector<unsigned int>& indices) {
  Mesh result;
  std::vector<std::uint32_t> renumber(mesh.vertices_nm.size(), kUnused);
  for (std::size_t i = 0; i < indices.size(); i += 3) {
    Triangle triangle;
    for (std::size_t k = 0; k < 3; ++k) {
      std::uint32_t& number = renumber[indices[i + k]];
      if (number == kUnused) {
        number = static_cast<std::uint32_t>(result.vertices_nm.size());
        result.vertices_nm.push_back(mesh.vertices_nm[indices[i + k]]);
      }
      triangle[k] = number;
    }
    result.triangles.push_back(triangle);
  }
  return result;
}

/// Neighbours of each vertex, in the order of `begin`: neighbours[begin[v] .. begin[v + 1]), each twice where
/// two triangles share the edge.
struct Neighbours {
  std::vector<std::size_t> begin;
  std::vector<std::uint32_t> neighbours;
  std::vector<bool> on_border;
};

Neighbours neighbours_of(const Mesh& mesh) {
  Neighbours result;
  result.begin.assign(mesh.vertices_nm.size() + 1, 0);
  result.on_border.assign(mesh.vertices_nm.size(), false);
  for (const Triangle& triangle : mesh.triangles) {
    for (const std::uint32_t v : triangle) {
      ORGANON_CHECK(v < mesh.vertices_nm.size());
      result.begin[v + 1] += 2;
    }
  }
  for (std::size_t v = 0; v + 1 < result.begin.size(); ++v) result.begin[v + 1] += result.begin[v];
  result.neighbours.resize(result.begin.back());
  auto next = result.begin;
  for (const Triangle& t : mesh.triangles) {
    for (std::size_t i = 0; i < 3; ++i) {
      result.neighbours[next[t[i]]++] = t[(i + 1) % 3];
      result.neighbours[next[t[i]]++] = t[(i + 2) % 3];
    }
  }
  for (std::size_t v = 0; v + 1 < result.begin.size(); ++v) {
    const auto first = result.neighbours.begin() + static_cast<std::ptrdiff_t>(result.begin[v]);
    const auto last = result.neighbours.begin() + static_cast<std::ptrdiff_t>(result.begin[v + 1]);
    std::sort(first, last);
    for (auto i = first; i != last;) {
      const auto end = std::upper_bound(i, last, *i);
      if (end - i != 2) result.on_border[v] = true;
      i = end;
    }
  }
  return result;
}

void smooth_step(const Neighbours& graph, double weight, const std::vector<PointNm>& from,
                 std::vector<PointNm>& to) {
  for (std::size_t v = 0; v < from.size(); ++v) {
    to[v] = from[v];
    const std::size_t count = graph.begin[v + 1] - graph.begin[v];
    if (graph.on_border[v] || count == 0) continue;
    PointNm sum;
    for (std::size_t i = graph.begin[v]; i < graph.begin[v + 1]; ++i) sum = sum + from[graph.neighbours[i]];
    to[v] = from[v] * (1 - weight) + sum * (weight / static_cast<double>(count));
  }
}

PointNm limited(const PointNm& point, const PointNm& from, const SizeNm& most) {
  return {std::clamp(point.z, from.z - most.z, from.z + most.z),
          std::clamp(point.y, from.y - most.y, from.y + most.y),
          std::clamp(point.x, from.x - most.x, from.x + most.x)};
}

}  // namespace

Mesh simplify_mesh(const Mesh& mesh, const SimplifyOptions& options) {
  if (!(options.max_error_nm >= 0)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mesh simplification needs an error >= 0 nm, found {} nm", options.max_error_nm));
  }
  if (mesh.triangles.empty()) return {};
  // Near the origin single precision resolves far below a voxel, wherever the object lies in the cell.
  Mesh local = mesh;
  const VertexNm origin = mesh.vertices_nm[0];
  for (VertexNm& vertex : local.vertices_nm) vertex = vertex - origin;
  std::vector<unsigned int> indices;
  indices.reserve(mesh.triangles.size() * 3);
  for (const Triangle& triangle : mesh.triangles) {
    for (const std::uint32_t v : triangle) {
      ORGANON_CHECK(v < mesh.vertices_nm.size());
      indices.push_back(v);
    }
  }
  const float* positions = &local.vertices_nm[0].z;
  static_assert(sizeof(VertexNm) == 3 * sizeof(float));
  const float scale_nm = meshopt_simplifyScale(positions, local.vertices_nm.size(), sizeof(VertexNm));
  std::vector<unsigned int> kept(indices.size());
  const std::size_t count = meshopt_simplify(
      kept.data(), indices.data(), indices.size(), positions, local.vertices_nm.size(), sizeof(VertexNm), 0,
      scale_nm > 0 ? static_cast<float>(options.max_error_nm) / scale_nm : 0,
      options.lock_border ? meshopt_SimplifyLockBorder : 0, nullptr);
  kept.resize(count);
  return without_unused_vertices(mesh, kept);
}

Mesh smooth_mesh(const Mesh& mesh, const SmoothMeshOptions& options) {
  if (options.num_iterations < 0)
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mesh smoothing needs iterations >= 0, found {}", options.num_iterations));
  Mesh result = mesh;
  if (mesh.vertices_nm.empty() || options.num_iterations == 0) return result;
  const Neighbours graph = neighbours_of(mesh);
  std::vector<PointNm> points, moved(mesh.vertices_nm.size());
  points.reserve(mesh.vertices_nm.size());
  for (const VertexNm& vertex : mesh.vertices_nm) points.emplace_back(vertex);
  for (int i = 0; i < options.num_iterations; ++i) {
    smooth_step(graph, options.shrink, points, moved);
    smooth_step(graph, -options.grow, moved, points);
    for (std::size_t v = 0; v < points.size(); ++v)
      points[v] = limited(points[v], PointNm(mesh.vertices_nm[v]), options.max_move_nm);
  }
  for (std::size_t v = 0; v < points.size(); ++v) result.vertices_nm[v] = VertexNm(points[v]);
  return result;
}

}  // namespace organon::mesh
