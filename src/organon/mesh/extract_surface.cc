#include "organon/mesh/extract_surface.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <unordered_map>

#include "organon/base/error.h"
#include "organon/mesh/cell_triangles.h"

namespace organon::mesh {
namespace {

constexpr std::int64_t kLargestIndex = std::int64_t{1} << 30;

/// Finds the fragment of an id; neighbouring cells ask for the same few.
class FragmentList {
 public:
  SurfaceFragment& of(std::uint64_t id) {
    for (std::size_t i = 0; i < recent_.size(); ++i) {
      if (recent_[i].id == id) return fragments_[recent_[i].position];
    }
    const auto [entry, is_new] = positions_.try_emplace(id, fragments_.size());
    if (is_new) fragments_.emplace_back().id = id;
    recent_[oldest_] = {id, entry->second};
    oldest_ = (oldest_ + 1) % recent_.size();
    return fragments_[entry->second];
  }
  std::vector<SurfaceFragment> take() {
    std::sort(fragments_.begin(), fragments_.end(),
              [](const SurfaceFragment& a, const SurfaceFragment& b) { return a.id < b.id; });
    return std::move(fragments_);
  }

 private:
  struct Recent {
    std::uint64_t id = 0;
    std::size_t position = 0;
  };
  std::array<Recent, 4> recent_{};
  std::size_t oldest_ = 0;
  std::vector<SurfaceFragment> fragments_;
  std::unordered_map<std::uint64_t, std::size_t> positions_;
};

/// Walks the cells plane by plane with two planes of labels. Vertex numbers are kept per edge of the voxel
/// lattice and per end of that edge, for the id at that end. They need no clearing: the first cell in walking
/// order that has an edge writes its number, the others read it.
template <class Id>
class SurfaceWalk {
 public:
  SurfaceWalk(ArrayView<const Id> labels, const Box& view_box, const Box& owned_box, const Box& domain,
              std::optional<Id> only)
      : labels_(labels), view_box_(view_box), only_(only), table_(make_cell_triangles()) {
    cells_ = owned_box;
    if (owned_box.begin.z == domain.begin.z) --cells_.begin.z;
    if (owned_box.begin.y == domain.begin.y) --cells_.begin.y;
    if (owned_box.begin.x == domain.begin.x) --cells_.begin.x;
    readable_ = view_box.intersect(domain);
    ORGANON_CHECK(domain.contains(owned_box));
    ORGANON_CHECK(labels.shape() == view_box.shape());
    ORGANON_CHECK(readable_.contains(owned_box.grow({}, Shape3::cube(1)).intersect(domain)));
    ORGANON_CHECK(domain.begin.smallest() > -kLargestIndex && domain.end.largest() < kLargestIndex);
    width_ = cells_.shape().x + 1;
    height_ = cells_.shape().y + 1;
    const auto plane = static_cast<std::size_t>(width_ * height_);
    for (auto& values : planes_) values.resize(plane);
    for (auto& numbers : numbers_) numbers.resize(plane);
    differs_.resize(static_cast<std::size_t>(width_));
  }

  std::vector<SurfaceFragment> run() {
    read_plane(cells_.begin.z, planes_[0]);
    for (std::int64_t z = cells_.begin.z; z < cells_.end.z; ++z) {
      read_plane(z + 1, planes_[1]);
      for (std::int64_t y = 0; y + 1 < height_; ++y) walk_row(z, y);
      std::swap(planes_[0], planes_[1]);
      std::swap(numbers_[kY], numbers_[kYAbove]);
      std::swap(numbers_[kX], numbers_[kXAbove]);
    }
    return fragments_.take();
  }

 private:
  /// Lattice edges of a cell layer: along z, and along y and x in its lower and upper plane.
  enum EdgePlane { kZ, kY, kX, kYAbove, kXAbove };
  using Ends = std::array<std::uint32_t, 2>;

  void read_plane(std::int64_t z, std::vector<Id>& plane) {
    const Box row_box{{z, cells_.begin.y, cells_.begin.x}, {z + 1, cells_.end.y + 1, cells_.end.x + 1}};
    const Box inside = row_box.intersect(readable_);
    if (!(inside == row_box)) std::fill(plane.begin(), plane.end(), Id{0});
    if (inside.empty()) return;
    for (std::int64_t y = inside.begin.y; y < inside.end.y; ++y) {
      const Id* from = labels_.row(z - view_box_.begin.z, y - view_box_.begin.y) +
                       (inside.begin.x - view_box_.begin.x) * labels_.stride().x;
      Id* to = plane.data() + (y - cells_.begin.y) * width_ + (inside.begin.x - cells_.begin.x);
      const std::int64_t count = inside.shape().x, step = labels_.stride().x;
      if (only_) {
        for (std::int64_t x = 0; x < count; ++x) to[x] = from[x * step] == *only_ ? *only_ : Id{0};
      } else if (step == 1) {
        std::copy_n(from, count, to);
      } else {
        for (std::int64_t x = 0; x < count; ++x) to[x] = from[x * step];
      }
    }
  }

  void walk_row(std::int64_t z, std::int64_t y) {
    const Id* const a = planes_[0].data() + y * width_;
    const Id* const b = a + width_;
    const Id* const c = planes_[1].data() + y * width_;
    const Id* const d = c + width_;
    Id* const differs = differs_.data();
    // Not 0 where the column of 4 voxels at x, or its step to the next column, is not uniform.
    const std::int64_t last = width_ - 1;
    for (std::int64_t x = 0; x < last; ++x) {
      const Id v = a[x];
      differs[x] = static_cast<Id>((v ^ b[x]) | (v ^ c[x]) | (v ^ d[x]) | (v ^ a[x + 1]));
    }
    differs[last] = static_cast<Id>((a[last] ^ b[last]) | (a[last] ^ c[last]) | (a[last] ^ d[last]));
    constexpr std::int64_t kStep = 8;
    for (std::int64_t x = 0; x < last;) {
      if (x + kStep < last) {
        Id any = 0;
        for (std::int64_t i = 0; i <= kStep; ++i) any = static_cast<Id>(any | differs[x + i]);
        if (any == 0) {
          x += kStep;
          continue;
        }
      }
      const std::int64_t end = std::min(x + kStep, last);
      for (; x < end; ++x) {
        if ((differs[x] | differs[x + 1]) != 0)
          add_cell({z, y, x}, {a[x], a[x + 1], b[x], b[x + 1], c[x], c[x + 1], d[x], d[x + 1]});
      }
    }
  }

  /// `cell`: z in the domain, y and x from the cells' begin.
  void add_cell(const Index3& cell, const std::array<Id, 8>& corners) {
    unsigned done = 0;
    for (unsigned first = 0; first < 8; ++first) {
      if ((done >> first & 1) != 0 || corners[first] == 0) continue;
      unsigned set = 0;
      for (unsigned i = 0; i < 8; ++i) set |= static_cast<unsigned>(corners[i] == corners[first]) << i;
      done |= set;
      if (set != 255) add_cell_of_id(cell, set, fragments_.of(corners[first]));
    }
  }

  void add_cell_of_id(const Index3& cell, unsigned set, SurfaceFragment& fragment) {
    const std::int64_t at = cell.y * width_ + cell.x;
    std::array<std::uint32_t, 12> vertex_of;
    for (unsigned crossed = table_.crossed[set]; crossed != 0; crossed &= crossed - 1) {
      const int edge = std::countr_zero(crossed);
      const int low = low_corner_[static_cast<std::size_t>(edge)];
      const int dz = low >> 2, dy = low >> 1 & 1, dx = low & 1, axis = edge / 4;
      const int plane = axis == 0 ? kZ : axis == 1 ? (dz ? kYAbove : kY) : (dz ? kXAbove : kX);
      Ends& ends = numbers_[static_cast<std::size_t>(plane)][static_cast<std::size_t>(at + dy * width_ + dx)];
      std::uint32_t& number = ends[(set >> low & 1) != 0 ? 0 : 1];
      const bool is_first = (axis == 0 || dz == 1 || cell.z == cells_.begin.z) &&
                            (axis == 1 || dy == 1 || cell.y == 0) && (axis == 2 || dx == 1 || cell.x == 0);
      if (is_first) {
        if (fragment.vertices.size() >= UINT32_MAX)
          throw Error(
              ErrorKind::kResourceExhausted,
              fmt::format("surface of object {} needs more than 2^32 vertices in a block", fragment.id));
        number = static_cast<std::uint32_t>(fragment.vertices.size());
        fragment.vertices.push_back(DoubledIndex(Index3{2 * (cell.z + dz) + (axis == 0),
                                                        2 * (cells_.begin.y + cell.y + dy) + (axis == 1),
                                                        2 * (cells_.begin.x + cell.x + dx) + (axis == 2)}));
      }
      vertex_of[static_cast<std::size_t>(edge)] = number;
    }
    const auto& edges = table_.edges_of[set];
    for (std::size_t i = 0; i < edges.size(); i += 3) {
      fragment.triangles.push_back({vertex_of[edges[i]], vertex_of[edges[i + 1]], vertex_of[edges[i + 2]]});
    }
  }

  ArrayView<const Id> labels_;
  Box view_box_;
  std::optional<Id> only_;
  CellTriangles table_;
  std::array<int, 12> low_corner_ = [] {
    std::array<int, 12> corners{};
    for (int edge = 0; edge < 12; ++edge) corners[static_cast<std::size_t>(edge)] = low_corner_of_edge(edge);
    return corners;
  }();
  Box cells_;
  Box readable_;
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  std::array<std::vector<Id>, 2> planes_;
  std::array<std::vector<Ends>, 5> numbers_;
  std::vector<Id> differs_;
  FragmentList fragments_;
};

/// Order of places: z, then y, then x.
bool lies_before(const DoubledIndex& a, const DoubledIndex& b) {
  if (a.z != b.z) return a.z < b.z;
  return a.y != b.y ? a.y < b.y : a.x < b.x;
}

}  // namespace

template <class Id>
std::vector<SurfaceFragment> extract_surfaces(ArrayView<const Id> labels, const Box& view_box,
                                              const Box& owned_box, const Box& domain) {
  if (owned_box.empty()) return {};
  return SurfaceWalk<Id>(labels, view_box, owned_box, domain, std::nullopt).run();
}

template <class Id>
SurfaceFragment extract_surface(ArrayView<const Id> labels, const Box& view_box, const Box& owned_box,
                                const Box& domain, std::uint64_t id) {
  ORGANON_CHECK(id != 0);
  SurfaceFragment fragment;
  if (id <= std::numeric_limits<Id>::max() && !owned_box.empty()) {
    auto fragments = SurfaceWalk<Id>(labels, view_box, owned_box, domain, static_cast<Id>(id)).run();
    if (!fragments.empty()) fragment = std::move(fragments.front());
  }
  fragment.id = id;
  return fragment;
}

SurfaceFragment stitch_fragments(std::span<const SurfaceFragment> fragments) {
  SurfaceFragment whole;
  std::size_t num_vertices = 0, num_triangles = 0;
  for (const SurfaceFragment& fragment : fragments) {
    if (!whole.id) whole.id = fragment.id;
    ORGANON_CHECK(whole.id == fragment.id);
    num_vertices += fragment.vertices.size();
    num_triangles += fragment.triangles.size();
  }
  whole.vertices.reserve(num_vertices);
  for (const SurfaceFragment& fragment : fragments)
    whole.vertices.insert(whole.vertices.end(), fragment.vertices.begin(), fragment.vertices.end());
  std::sort(whole.vertices.begin(), whole.vertices.end(), lies_before);
  whole.vertices.erase(std::unique(whole.vertices.begin(), whole.vertices.end()), whole.vertices.end());
  if (whole.vertices.size() > UINT32_MAX)
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("surface of object {} needs more than 2^32 vertices", whole.id));
  whole.triangles.reserve(num_triangles);
  std::vector<std::uint32_t> renumber;
  for (const SurfaceFragment& fragment : fragments) {
    renumber.clear();
    for (const DoubledIndex& vertex : fragment.vertices) renumber.push_back(number_of(whole, vertex).value());
    for (const Triangle& t : fragment.triangles) {
      Triangle triangle{renumber[t[0]], renumber[t[1]], renumber[t[2]]};
      std::rotate(triangle.begin(), std::min_element(triangle.begin(), triangle.end()), triangle.end());
      whole.triangles.push_back(triangle);
    }
  }
  std::sort(whole.triangles.begin(), whole.triangles.end());
  return whole;
}

std::optional<std::uint32_t> number_of(const SurfaceFragment& stitched, const DoubledIndex& vertex) {
  const auto found =
      std::lower_bound(stitched.vertices.begin(), stitched.vertices.end(), vertex, lies_before);
  if (found == stitched.vertices.end() || *found != vertex) return std::nullopt;
  return static_cast<std::uint32_t>(found - stitched.vertices.begin());
}

Mesh to_mesh(const SurfaceFragment& fragment, const VoxelGrid& grid) {
  Mesh mesh;
  mesh.vertices_nm.reserve(fragment.vertices.size());
  for (const DoubledIndex& v : fragment.vertices) {
    mesh.vertices_nm.emplace_back(static_cast<float>(grid.offset_nm.z + 0.5 * v.z * grid.voxel_size_nm.z),
                                  static_cast<float>(grid.offset_nm.y + 0.5 * v.y * grid.voxel_size_nm.y),
                                  static_cast<float>(grid.offset_nm.x + 0.5 * v.x * grid.voxel_size_nm.x));
  }
  mesh.triangles = fragment.triangles;
  return mesh;
}

#define ORGANON_INSTANTIATE(Id)                                                                           \
  template std::vector<SurfaceFragment> extract_surfaces<Id>(ArrayView<const Id>, const Box&, const Box&, \
                                                             const Box&);                                 \
  template SurfaceFragment extract_surface<Id>(ArrayView<const Id>, const Box&, const Box&, const Box&,   \
                                               std::uint64_t);
ORGANON_INSTANTIATE(std::uint8_t)
ORGANON_INSTANTIATE(std::uint16_t)
ORGANON_INSTANTIATE(std::uint32_t)
ORGANON_INSTANTIATE(std::uint64_t)
#undef ORGANON_INSTANTIATE

}  // namespace organon::mesh
