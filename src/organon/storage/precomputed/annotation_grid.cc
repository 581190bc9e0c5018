#include "organon/storage/precomputed/annotation_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace organon::storage {
namespace {

constexpr int kMostLevels = 32;
constexpr double kLeastCellNm = 1;
constexpr std::size_t kMostCellsEach = 4;  // of an annotation, on average

using Cells = std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::vector<std::size_t>>;

BoundsNm box_of(AnnotationShape shape, const AnnotationPlace& place) {
  switch (shape) {
    case AnnotationShape::kPoint:
      return {place.first, place.first};
    case AnnotationShape::kLine:
    case AnnotationShape::kBox:
      return {min(place.first, place.second), max(place.first, place.second)};
    case AnnotationShape::kEllipsoid:
      break;
  }
  return {place.first - place.second, place.first + place.second};
}

// The part of a line from `begin` to `end` (0 .. 1 along it) that lies between `low` and `high` on one axis.
void clip_line(double from, double to, double low, double high, double& begin, double& end) {
  const double step = to - from;
  if (step == 0) {
    if (from < low || from > high) end = -1;
    return;
  }
  const double at_low = (low - from) / step;
  const double at_high = (high - from) / step;
  begin = std::max(begin, std::min(at_low, at_high));
  end = std::min(end, std::max(at_low, at_high));
}

bool line_meets(const PointNm& a, const PointNm& b, const BoundsNm& cell) {
  double begin = 0;
  double end = 1;
  clip_line(a.z, b.z, cell.lower.z, cell.upper.z, begin, end);
  clip_line(a.y, b.y, cell.lower.y, cell.upper.y, begin, end);
  clip_line(a.x, b.x, cell.lower.x, cell.upper.x, begin, end);
  return begin <= end;
}

// How far `centre` is from low .. high, in squares of `radius`.
double squared_radii(double centre, double radius, double low, double high) {
  const double distance = std::max({low - centre, centre - high, 0.0});
  if (distance == 0) return 0;
  if (radius == 0) return std::numeric_limits<double>::infinity();
  return distance / radius * (distance / radius);
}

// Cell along one axis; the last one has the upper bound too.
std::int64_t cell_along(double at, double lower, double cell_size, std::int64_t num_cells) {
  const double cell = std::floor((at - lower) / cell_size);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(cell), 0, num_cells - 1);
}

struct Level {
  AnnotationLevel level;
  PointNm lower;

  Index3 cell_at(const PointNm& p) const {
    const SizeNm& size = level.cell_size_nm;
    const Shape3& grid = level.grid_shape;
    return {cell_along(p.z, lower.z, size.z, grid.z), cell_along(p.y, lower.y, size.y, grid.y),
            cell_along(p.x, lower.x, size.x, grid.x)};
  }
  BoundsNm box_of_cell(const Index3& c) const {
    const SizeNm& size = level.cell_size_nm;
    const auto corner = [&](const Index3& at) {
      return PointNm{lower.z + static_cast<double>(at.z) * size.z,
                     lower.y + static_cast<double>(at.y) * size.y,
                     lower.x + static_cast<double>(at.x) * size.x};
    };
    return {corner(c), corner(c + Index3{1, 1, 1})};
  }
};

// Axes longer than others are halved, as long as cells stay above a nanometre.
void make_finer(AnnotationLevel& level) {
  const double long_axis = level.cell_size_nm.largest() / std::sqrt(2.0);
  const auto halve = [&](double& size, std::int64_t& count) {
    if (size < long_axis || size / 2 < kLeastCellNm) return;
    size /= 2;
    count *= 2;
  };
  halve(level.cell_size_nm.z, level.grid_shape.z);
  halve(level.cell_size_nm.y, level.grid_shape.y);
  halve(level.cell_size_nm.x, level.grid_shape.x);
}

// What of `parents` is left and in which cells of the finer `level` it is.
Cells spread(const Cells& parents, const Shape3& parent_grid, const Level& level, AnnotationShape shape,
             std::span<const AnnotationPlace> places) {
  const Shape3& grid = level.level.grid_shape;
  const Shape3 ratio{grid.z / parent_grid.z, grid.y / parent_grid.y, grid.x / parent_grid.x};
  Cells cells;
  for (const auto& [position, indices] : parents) {
    const auto [z, y, x] = position;
    const Index3 first{z * ratio.z, y * ratio.y, x * ratio.x};
    const Index3 last = first + Index3(ratio) - Index3{1, 1, 1};
    for (const std::size_t index : indices) {
      if (shape == AnnotationShape::kPoint) {
        const Index3 cell = level.cell_at(places[index].first);
        cells[{cell.z, cell.y, cell.x}].push_back(index);
        continue;
      }
      // One more on either side: meets_cell() decides, and it may round otherwise at faces. An annotation
      // that meets a cell meets one of its children, whose outer faces are the same numbers.
      const BoundsNm box = box_of(shape, places[index]);
      const Index3 begin = max(first, level.cell_at(box.lower) - Index3{1, 1, 1});
      const Index3 end = min(last, level.cell_at(box.upper) + Index3{1, 1, 1});
      for (std::int64_t cz = begin.z; cz <= end.z; ++cz)
        for (std::int64_t cy = begin.y; cy <= end.y; ++cy)
          for (std::int64_t cx = begin.x; cx <= end.x; ++cx)
            if (meets_cell(shape, places[index], level.box_of_cell({cz, cy, cx})))
              cells[{cz, cy, cx}].push_back(index);
    }
  }
  return cells;
}

}  // namespace

BoundsNm bounds_of(AnnotationShape shape, std::span<const AnnotationPlace> places) {
  if (places.empty()) return {{0, 0, 0}, {1, 1, 1}};
  BoundsNm bounds = box_of(shape, places.front());
  for (const AnnotationPlace& place : places) {
    const BoundsNm box = box_of(shape, place);
    bounds = {min(bounds.lower, box.lower), max(bounds.upper, box.upper)};
  }
  const auto widen = [](double& lower, double& upper) {
    lower = std::floor(lower);
    upper = std::max(std::ceil(upper), lower + 1);
  };
  widen(bounds.lower.z, bounds.upper.z);
  widen(bounds.lower.y, bounds.upper.y);
  widen(bounds.lower.x, bounds.upper.x);
  return bounds;
}

bool meets_cell(AnnotationShape shape, const AnnotationPlace& place, const BoundsNm& cell) {
  if (shape == AnnotationShape::kLine) return line_meets(place.first, place.second, cell);
  if (shape == AnnotationShape::kEllipsoid) {
    const PointNm& centre = place.first;
    const PointNm& radii = place.second;
    return squared_radii(centre.z, radii.z, cell.lower.z, cell.upper.z) +
               squared_radii(centre.y, radii.y, cell.lower.y, cell.upper.y) +
               squared_radii(centre.x, radii.x, cell.lower.x, cell.upper.x) <=
           1;
  }
  const BoundsNm box = box_of(shape, place);
  const auto overlaps = [](double low, double high, double cell_low, double cell_high) {
    return low <= cell_high && high >= cell_low;
  };
  return overlaps(box.lower.z, box.upper.z, cell.lower.z, cell.upper.z) &&
         overlaps(box.lower.y, box.upper.y, cell.lower.y, cell.upper.y) &&
         overlaps(box.lower.x, box.upper.x, cell.lower.x, cell.upper.x);
}

std::vector<AnnotationLevel> levels_of(AnnotationShape shape, std::span<const AnnotationPlace> places,
                                       const BoundsNm& bounds, std::int64_t most_per_cell) {
  std::vector<std::size_t> by_rank(places.size());
  std::iota(by_rank.begin(), by_rank.end(), std::size_t{0});
  std::sort(by_rank.begin(), by_rank.end(),
            [&](std::size_t a, std::size_t b) { return places[a].rank < places[b].rank; });
  std::vector<std::uint64_t> ranks;
  for (const std::size_t index : by_rank) ranks.push_back(places[index].rank);
  Level current{{}, bounds.lower};
  current.level.cell_size_nm = SizeNm(bounds.upper - bounds.lower);
  Cells left;
  if (!places.empty()) left[{0, 0, 0}] = std::move(by_rank);
  std::vector<AnnotationLevel> levels;
  const auto most = static_cast<std::size_t>(most_per_cell);
  for (;;) {
    const bool is_last = levels.size() + 1 == kMostLevels;
    // Those up to this rank, which the fullest cells decide.
    std::uint64_t end_rank = std::numeric_limits<std::uint64_t>::max();
    bool are_all = true;
    for (const auto& [position, indices] : left) {
      if (is_last || indices.size() <= most) continue;
      are_all = false;
      end_rank = std::min(end_rank, places[indices[most]].rank);
    }
    AnnotationLevel level = current.level;
    level.most_per_cell = most_per_cell;
    Cells next;
    for (auto& [position, indices] : left) {
      const auto end =
          are_all ? indices.end() : std::find_if(indices.begin(), indices.end(), [&](std::size_t index) {
            return places[index].rank >= end_rank;
          });
      if (end != indices.begin()) level.cells[position].assign(indices.begin(), end);
      level.most_per_cell = std::max<std::int64_t>(level.most_per_cell, end - indices.begin());
      if (end != indices.end()) next[position].assign(end, indices.end());
    }
    levels.push_back(std::move(level));
    if (next.empty()) return levels;
    // Large annotations that lie over one another would be listed in ever more cells, which tells them no
    // more apart: then the grid stays.
    const auto num_done =
        static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), end_rank) - ranks.begin());
    Level finer = current;
    make_finer(finer.level);
    left = spread(next, current.level.grid_shape, finer, shape, places);
    std::size_t num_listed = 0;
    for (const auto& [position, indices] : left) num_listed += indices.size();
    if (num_listed <= kMostCellsEach * (places.size() - num_done))
      current = std::move(finer);
    else
      left = std::move(next);
  }
}

}  // namespace organon::storage
