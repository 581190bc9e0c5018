#include "organon/mesh/cell_triangles.h"

#include <algorithm>
#include <utility>

#include "organon/base/check.h"

namespace organon::mesh {
namespace {

constexpr int kAxisBit[3] = {4, 2, 1};
constexpr int kNone = -1;
/// More than any sum of lengths: a cut in a face is never chosen where there is another way.
constexpr int kCostInFace = 1000;

int edge_between(int corner_a, int corner_b) {
  for (int edge = 0; edge < 12; ++edge) {
    if (low_corner_of_edge(edge) == std::min(corner_a, corner_b) &&
        high_corner_of_edge(edge) == std::max(corner_a, corner_b))
      return edge;
  }
  ORGANON_CHECK(false);
  return kNone;
}

/// Corners of the face `axis` = `side`, counter-clockwise seen from outside the cell, in the frame x, y, z.
std::array<int, 4> face_corners(int axis, int side) {
  // (u, v, axis) is right-handed for u, v = the two axes that follow in the order x, y, z, x.
  const int u = kAxisBit[(axis + 2) % 3], v = kAxisBit[(axis + 1) % 3];
  const int base = side ? kAxisBit[axis] : 0;
  if (side) return {base, base + u, base + u + v, base + v};
  return {base, base + v, base + u + v, base + u};
}

/// Twice the coordinate of the middle of an edge.
std::array<int, 3> middle(int edge) {
  const int low = low_corner_of_edge(edge), high = high_corner_of_edge(edge);
  std::array<int, 3> point{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    point[axis] = ((low & kAxisBit[axis]) != 0) + ((high & kAxisBit[axis]) != 0);
  }
  return point;
}

int cost_of_cut(int edge_a, int edge_b) {
  const auto a = middle(edge_a), b = middle(edge_b);
  int cost = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    cost += (a[axis] - b[axis]) * (a[axis] - b[axis]);
    if (a[axis] == b[axis] && a[axis] != 1) cost += kCostInFace;
  }
  return cost;
}

/// The cheapest triangulation of a loop: dynamic programming over its intervals.
void cut_loop(const std::vector<int>& loop, std::vector<std::uint8_t>& triangles) {
  const int n = static_cast<int>(loop.size());
  const auto at = [&](int i) { return loop[static_cast<std::size_t>(i)]; };
  std::array<std::array<int, 12>, 12> cost{}, split{};
  const auto cut = [&](int i, int j) {
    const bool is_side = j == i + 1 || (i == 0 && j == n - 1);
    return is_side ? 0 : cost_of_cut(at(i), at(j));
  };
  for (int length = 2; length < n; ++length) {
    for (int i = 0; i + length < n; ++i) {
      const auto first = static_cast<std::size_t>(i), last = static_cast<std::size_t>(i + length);
      cost[first][last] = INT32_MAX;
      for (int k = i + 1; k < i + length; ++k) {
        const auto middle_index = static_cast<std::size_t>(k);
        const int total =
            cost[first][middle_index] + cost[middle_index][last] + cut(i, k) + cut(k, i + length);
        if (total < cost[first][last]) {
          cost[first][last] = total;
          split[first][last] = k;
        }
      }
    }
  }
  ORGANON_CHECK(cost[0][static_cast<std::size_t>(n - 1)] < kCostInFace);
  std::vector<std::array<int, 2>> intervals{{0, n - 1}};
  while (!intervals.empty()) {
    const auto [i, j] = intervals.back();
    intervals.pop_back();
    if (j - i < 2) continue;
    const int k = split[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    for (const int corner : {i, k, j}) triangles.push_back(static_cast<std::uint8_t>(at(corner)));
    intervals.push_back({i, k});
    intervals.push_back({k, j});
  }
}

}  // namespace

int low_corner_of_edge(int edge) {
  const int axis = edge / 4, k = edge % 4;
  switch (axis) {
    case 0:
      return k;
    case 1:
      return (k / 2) * 4 + k % 2;
    default:
      return k * 2;
  }
}

int high_corner_of_edge(int edge) { return low_corner_of_edge(edge) + kAxisBit[edge / 4]; }

CellTriangles make_cell_triangles() {
  CellTriangles table;
  for (int corners = 0; corners < 256; ++corners) {
    const auto is_inside = [&](int corner) { return (corners >> corner & 1) != 0; };
    auto& crossed = table.crossed[static_cast<std::size_t>(corners)];
    for (int edge = 0; edge < 12; ++edge) {
      if (is_inside(low_corner_of_edge(edge)) != is_inside(high_corner_of_edge(edge)))
        crossed = static_cast<std::uint16_t>(crossed | 1 << edge);
    }
    // Around each face, a run of foreground corners is cut off by a piece from the edge where the run ends to
    // the edge where it begins, so that the foreground lies to the piece's right as seen from outside.
    std::array<int, 12> next;
    next.fill(kNone);
    for (int axis = 0; axis < 3; ++axis) {
      for (int side = 0; side < 2; ++side) {
        const auto face = face_corners(axis, side);
        for (std::size_t i = 0; i < 4; ++i) {
          if (is_inside(face[i]) || !is_inside(face[(i + 1) % 4])) continue;
          const int enter = edge_between(face[i], face[(i + 1) % 4]);
          std::size_t j = i + 1;
          while (is_inside(face[(j + 1) % 4])) ++j;
          const int leave = edge_between(face[j % 4], face[(j + 1) % 4]);
          next[static_cast<std::size_t>(enter)] = leave;
        }
      }
    }
    for (int start = 0; start < 12; ++start) {
      std::vector<int> loop;
      for (int edge = start; next[static_cast<std::size_t>(edge)] != kNone;) {
        loop.push_back(edge);
        edge = std::exchange(next[static_cast<std::size_t>(edge)], kNone);
      }
      if (!loop.empty()) cut_loop(loop, table.edges_of[static_cast<std::size_t>(corners)]);
    }
  }
  return table;
}

}  // namespace organon::mesh
