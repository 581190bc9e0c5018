#include "organon/mesh/mesh.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <numbers>
#include <random>
#include <set>

#include "organon/array/array.h"
#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/geometry/block_grid.h"
#include "organon/mesh/cell_triangles.h"
#include "organon/mesh/extract_surface.h"
#include "organon/mesh/legacy_format.h"
#include "organon/mesh/simplify.h"

namespace organon::mesh {
namespace {

using Labels = Array<std::uint64_t>;

Labels fill(const Shape3& shape, const std::function<std::uint64_t(PointNm)>& id_at) {
  Labels labels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x)
        labels(z, y, x) = id_at({double(z) - double(shape.z - 1) / 2, double(y) - double(shape.y - 1) / 2,
                                 double(x) - double(shape.x - 1) / 2});
  return labels;
}

double length(const PointNm& p) { return std::sqrt(p.z * p.z + p.y * p.y + p.x * p.x); }

Labels ball(double radius) {
  const auto edge = static_cast<std::int64_t>(2 * radius) + 4;
  return fill(Shape3::cube(edge), [&](PointNm p) { return length(p) <= radius ? 1u : 0u; });
}

Labels noise(const Shape3& shape, unsigned num_ids, unsigned seed) {
  std::mt19937 random(seed);
  return fill(shape, [&](PointNm) { return random() % (num_ids + 1); });
}

SurfaceFragment whole_surface(const Labels& labels, std::uint64_t id) {
  const Box box = Box::of_shape(labels.shape());
  return extract_surface<std::uint64_t>(labels, box, box, box, id);
}

MeshMeasures measures_of(const Labels& labels, std::uint64_t id, const VoxelGrid& grid = {}) {
  return measure_mesh(to_mesh(whole_surface(labels, id), grid));
}

/// Triangles by their vertices' places, each begun at its smallest vertex: independent of any numbering.
using Corners = std::array<std::array<int, 3>, 3>;
std::multiset<Corners> triangles_of(const SurfaceFragment& fragment) {
  std::multiset<Corners> result;
  for (const Triangle& t : fragment.triangles) {
    Corners corners;
    for (std::size_t i = 0; i < 3; ++i) {
      const DoubledIndex& v = fragment.vertices[t[i]];
      corners[i] = {v.z, v.y, v.x};
    }
    std::rotate(corners.begin(), std::min_element(corners.begin(), corners.end()), corners.end());
    result.insert(corners);
  }
  return result;
}

TEST(CellTriangles, CutsLieInNoFaceAndCrossedEdgesAreUsed) {
  const CellTriangles table = make_cell_triangles();
  for (unsigned set = 0; set < 256; ++set) {
    std::uint16_t used = 0;
    for (const std::uint8_t edge : table.edges_of[set]) used = static_cast<std::uint16_t>(used | 1 << edge);
    EXPECT_EQ(used, table.crossed[set]) << set;
  }
  EXPECT_TRUE(table.edges_of[0].empty());
  EXPECT_TRUE(table.edges_of[255].empty());
  EXPECT_EQ(table.edges_of[1].size(), 3u);
}

TEST(ExtractSurface, OneVoxelIsAnOctahedronAroundItsCentre) {
  Labels labels({3, 3, 3});
  labels(1, 1, 1) = 7;
  const VoxelGrid grid{{8, 4, 2}, {100, 200, 300}};
  const Mesh mesh = to_mesh(whole_surface(labels, 7), grid);
  EXPECT_EQ(mesh.vertices_nm.size(), 6u);
  EXPECT_EQ(mesh.triangles.size(), 8u);
  PointNm sum;
  for (const VertexNm& v : mesh.vertices_nm) sum = sum + PointNm(v);
  EXPECT_EQ(sum * (1 / 6.0), grid.to_nm({1, 1, 1}));
  const MeshMeasures measures = measure_mesh(mesh);
  EXPECT_TRUE(measures.is_closed());
  EXPECT_EQ(measures.euler_characteristic, 2);
  // An octahedron with half axes 4, 2, 1 nm: 4/3 of their product.
  EXPECT_NEAR(measures.volume_nm3, 4.0 / 3 * 4 * 2 * 1, 1e-3);
}

TEST(ExtractSurface, BallsConvergeInVolumeAndHaveOnePiece) {
  for (const double radius : {5.0, 10.0, 20.0, 40.0}) {
    const MeshMeasures measures = measures_of(ball(radius), 1);
    EXPECT_TRUE(measures.is_closed());
    EXPECT_EQ(measures.euler_characteristic, 2);
    const double volume = 4.0 / 3 * std::numbers::pi * std::pow(radius, 3);
    // The surface is cut off where voxels meet in an angle: a layer in proportion to the area.
    EXPECT_NEAR(measures.volume_nm3 / volume, 1, 1.0 / radius) << radius;
    // Of steps of voxels: does not converge, see SmoothedBallsConvergeInArea.
    EXPECT_NEAR(measures.area_nm2 / (4 * std::numbers::pi * radius * radius), 1.08, 0.08) << radius;
  }
}

TEST(SmoothMesh, SmoothedBallsConvergeInArea) {
  double last_error = 1;
  for (const double radius : {6.0, 12.0, 24.0, 48.0}) {
    const Mesh rough = to_mesh(whole_surface(ball(radius), 1), {});
    const MeshMeasures measures = measure_mesh(smooth_mesh(rough, {}));
    EXPECT_TRUE(measures.is_closed());
    const double error = std::abs(measures.area_nm2 / (4 * std::numbers::pi * radius * radius) - 1);
    EXPECT_LT(error, 0.04) << radius;
    EXPECT_NEAR(measures.volume_nm3 / measure_mesh(rough).volume_nm3, 1, 0.03) << radius;
    last_error = error;
  }
  EXPECT_LT(last_error, 0.015);
}

TEST(ExtractSurface, TorusHasAHole) {
  const Labels labels =
      fill({16, 50, 50}, [](PointNm p) { return std::hypot(std::hypot(p.y, p.x) - 15, p.z) <= 5 ? 3u : 0u; });
  const MeshMeasures measures = measures_of(labels, 3);
  EXPECT_TRUE(measures.is_closed());
  EXPECT_EQ(measures.euler_characteristic, 0);
}

TEST(ExtractSurface, HollowBallHasTwoSurfacesAndTheInnerOneFacesInwards) {
  const Labels labels =
      fill(Shape3::cube(30), [](PointNm p) { return length(p) <= 12 && length(p) >= 6 ? 1u : 0u; });
  const Labels full = fill(Shape3::cube(30), [](PointNm p) { return length(p) <= 12 ? 1u : 0u; });
  const MeshMeasures measures = measures_of(labels, 1);
  EXPECT_TRUE(measures.is_closed());
  EXPECT_EQ(measures.euler_characteristic, 4);
  EXPECT_LT(measures.volume_nm3, measures_of(full, 1).volume_nm3 - 4.0 / 3 * std::numbers::pi * 5 * 5 * 5);
}

TEST(ExtractSurface, EveryIdOfNoiseIsAClosedManifold) {
  for (unsigned num_ids = 1; num_ids <= 4; ++num_ids) {
    const Labels labels = noise({9, 10, 11}, num_ids, num_ids);
    const Box box = Box::of_shape(labels.shape());
    const auto fragments = extract_surfaces<std::uint64_t>(labels, box, box, box);
    ASSERT_EQ(fragments.size(), num_ids);
    for (const SurfaceFragment& fragment : fragments) {
      const MeshMeasures measures = measure_mesh(to_mesh(fragment, {}));
      EXPECT_EQ(measures.num_open_edges, 0) << num_ids << " " << fragment.id;
      EXPECT_GT(measures.volume_nm3, 0);
      // The vertices of one id are all different and one fragment for one id gives the same.
      std::set<std::array<int, 3>> places;
      for (const DoubledIndex& v : fragment.vertices) places.insert({v.z, v.y, v.x});
      EXPECT_EQ(places.size(), fragment.vertices.size());
      EXPECT_EQ(triangles_of(fragment), triangles_of(whole_surface(labels, fragment.id)));
    }
  }
}

TEST(ExtractSurface, VerticesLieBetweenEachInsideAndOutsideNeighbour) {
  const Labels labels = noise({6, 7, 8}, 2, 5);
  std::set<std::array<int, 3>> expected;
  const Box box = Box::of_shape(labels.shape());
  const auto value = [&](const Index3& i) { return box.contains(i) ? labels(i) : 0; };
  for (std::int64_t z = -1; z < 6; ++z)
    for (std::int64_t y = -1; y < 7; ++y)
      for (std::int64_t x = -1; x < 8; ++x)
        for (const Index3& step : {Index3{1, 0, 0}, Index3{0, 1, 0}, Index3{0, 0, 1}}) {
          const Index3 i{z, y, x};
          if ((value(i) == 2) != (value(i + step) == 2))
            expected.insert({int(2 * z + step.z), int(2 * y + step.y), int(2 * x + step.x)});
        }
  std::set<std::array<int, 3>> found;
  for (const DoubledIndex& v : whole_surface(labels, 2).vertices) found.insert({v.z, v.y, v.x});
  EXPECT_EQ(found, expected);
}

TEST(ExtractSurface, ObjectFillingTheDomainIsClosedAtItsFaces) {
  const Labels labels({4, 5, 6}, 9);
  const MeshMeasures measures = measures_of(labels, 9);
  EXPECT_TRUE(measures.is_closed());
  EXPECT_EQ(measures.euler_characteristic, 2);
  const Mesh mesh = to_mesh(whole_surface(labels, 9), {});
  for (const VertexNm& v : mesh.vertices_nm) EXPECT_TRUE(v.z >= -0.5f && v.z <= 3.5f);
  EXPECT_LT(measures.volume_nm3, 4 * 5 * 6);
  EXPECT_GT(measures.volume_nm3, 3.5 * 4.5 * 5.5);
}

TEST(ExtractSurface, TouchingObjectsShareTheirBorder) {
  const Labels labels = fill({12, 12, 12}, [](PointNm p) { return p.x < 0 ? 1u : 2u; });
  const auto left = whole_surface(labels, 1), right = whole_surface(labels, 2);
  EXPECT_TRUE(measure_mesh(to_mesh(left, {})).is_closed());
  EXPECT_TRUE(measure_mesh(to_mesh(right, {})).is_closed());
  const auto on_border = [](const SurfaceFragment& fragment) {
    std::set<std::array<int, 3>> places;
    for (const DoubledIndex& v : fragment.vertices)
      if (v.x == 11) places.insert({v.z, v.y, v.x});
    return places;
  };
  EXPECT_EQ(on_border(left).size(), 144u);
  EXPECT_EQ(on_border(left), on_border(right));
}

TEST(ExtractSurface, StitchedBlocksEqualTheWhole) {
  const Labels labels = noise({13, 12, 15}, 3, 11);
  // A domain that does not begin at 0, with blocks clipped on both sides.
  const Index3 begin{-3, 5, 2};
  const Box domain = Box::of_shape(labels.shape()).translate(begin);
  const auto whole = extract_surfaces<std::uint64_t>(labels, domain, domain, domain);
  for (const Shape3& cell : {Shape3{4, 5, 6}, Shape3{1, 1, 1}, Shape3{7, 3, 100}}) {
    const BlockGrid blocks(domain, cell);
    std::map<std::uint64_t, std::vector<SurfaceFragment>> parts;
    for (std::int64_t id = 0; id < blocks.count(); ++id) {
      const Box owned = blocks.box_of(id);
      const Box view = owned.grow({}, Shape3::cube(1)).intersect(domain);
      const auto part = labels.view().part(view.translate(Index3{} - begin));
      for (auto& fragment : extract_surfaces<std::uint64_t>(part, view, owned, domain))
        parts[fragment.id].push_back(std::move(fragment));
    }
    ASSERT_EQ(parts.size(), whole.size());
    for (const SurfaceFragment& expected : whole) {
      const SurfaceFragment stitched = stitch_fragments(parts[expected.id]);
      EXPECT_EQ(triangles_of(stitched), triangles_of(expected));
      // Not only the same surface: the same order, whatever the cuts.
      const SurfaceFragment ordered = stitch_fragments(std::array{expected});
      EXPECT_EQ(stitched.vertices, ordered.vertices);
      EXPECT_EQ(stitched.triangles, ordered.triangles);
      EXPECT_TRUE(measure_mesh(to_mesh(stitched, {})).is_closed());
    }
  }
}

TEST(ExtractSurface, AnisotropicVoxelsScaleTheMesh) {
  const Labels labels = ball(8);
  const MeshMeasures plain = measures_of(labels, 1);
  const MeshMeasures stretched = measures_of(labels, 1, {{8, 4, 2}, {1000, -50, 7}});
  EXPECT_NEAR(stretched.volume_nm3 / plain.volume_nm3, 64, 1e-3);
  EXPECT_TRUE(stretched.is_closed());
}

TEST(SimplifyMesh, KeepsTheBallClosedWithFewerTriangles) {
  const Mesh mesh = smooth_mesh(to_mesh(whole_surface(ball(20), 1), {{4, 4, 4}, {1e5, 1e5, 1e5}}), {});
  const Mesh simple = simplify_mesh(mesh, {.max_error_nm = 2});
  EXPECT_LT(simple.triangles.size(), mesh.triangles.size() / 4);
  const MeshMeasures before = measure_mesh(mesh), after = measure_mesh(simple);
  EXPECT_TRUE(after.is_closed());
  EXPECT_EQ(after.euler_characteristic, 2);
  EXPECT_NEAR(after.volume_nm3 / before.volume_nm3, 1, 0.03);
}

TEST(SimplifyMesh, ReducesACubeToItsFacesWithoutError) {
  Labels labels({14, 14, 14});
  for (std::int64_t z = 2; z < 12; ++z)
    for (std::int64_t y = 2; y < 12; ++y)
      for (std::int64_t x = 2; x < 12; ++x) labels(z, y, x) = 1;
  const Mesh mesh = to_mesh(whole_surface(labels, 1), {});
  const Mesh simple = simplify_mesh(mesh, {.max_error_nm = 0.01});
  EXPECT_LT(simple.triangles.size(), 100u);
  EXPECT_TRUE(measure_mesh(simple).is_closed());
  EXPECT_NEAR(measure_mesh(simple).volume_nm3, measure_mesh(mesh).volume_nm3, 0.5);
}

/// Directed edges by place that are not undone by one in the other direction: the open borders.
using Place = std::array<float, 3>;
void add_edges(const Mesh& mesh, std::map<std::pair<Place, Place>, int>& sums) {
  for (const Triangle& t : mesh.triangles) {
    for (std::size_t i = 0; i < 3; ++i) {
      const VertexNm &a = mesh.vertices_nm[t[i]], &b = mesh.vertices_nm[t[(i + 1) % 3]];
      const Place from{a.z, a.y, a.x}, to{b.z, b.y, b.x};
      sums[{std::min(from, to), std::max(from, to)}] += from < to ? 1 : -1;
    }
  }
  std::erase_if(sums, [](const auto& entry) { return entry.second == 0; });
}

TEST(SimplifyMesh, LockedBordersOfFragmentsStillFit) {
  const Labels labels = ball(12);
  const Box domain = Box::of_shape(labels.shape());
  std::map<std::pair<Place, Place>, int> open;
  const BlockGrid blocks(domain, {14, 14, 100});
  for (std::int64_t id = 0; id < blocks.count(); ++id) {
    const Mesh part = smooth_mesh(
        to_mesh(extract_surface<std::uint64_t>(labels, domain, blocks.box_of(id), domain, 1), {}), {});
    const Mesh simple = simplify_mesh(part, {.max_error_nm = 0.5, .lock_border = true});
    EXPECT_LT(simple.triangles.size(), part.triangles.size() / 4);
    std::map<std::pair<Place, Place>, int> before, after;
    add_edges(part, before);
    add_edges(simple, after);
    EXPECT_EQ(after, before) << "the border must stay as it is";
    EXPECT_FALSE(before.empty());
    add_edges(simple, open);
  }
  // Two parts may both cut a corner of the border off, so an edge can have four triangles; never one.
  EXPECT_TRUE(open.empty());
}

TEST(SmoothMesh, PartsWithAMarginMoveAsTheWhole) {
  const Labels labels = noise({24, 11, 12}, 1, 3);
  const Box domain = Box::of_shape(labels.shape());
  const SmoothMeshOptions options{.num_iterations = 2, .max_move_nm = {0.5, 0.5, 0.5}};
  const SurfaceFragment whole = stitch_fragments(std::array{whole_surface(labels, 1)});
  const Mesh expected = smooth_mesh(to_mesh(whole, {}), options);
  const Box part_box{{10, 0, 0}, {14, 11, 12}};
  const Box grown = part_box.grow(smoothing_reach(2) + 1).intersect(domain);
  const SurfaceFragment part =
      stitch_fragments(std::array{extract_surface<std::uint64_t>(labels, domain, grown, domain, 1)});
  const Mesh found = smooth_mesh(to_mesh(part, {}), options);
  int compared = 0;
  for (std::size_t v = 0; v < part.vertices.size(); ++v) {
    if (part.vertices[v].z < 2 * 10 || part.vertices[v].z > 2 * 14) continue;
    const auto number = number_of(whole, part.vertices[v]);
    ASSERT_TRUE(number.has_value());
    ASSERT_EQ(found.vertices_nm[v], expected.vertices_nm[*number]);
    ++compared;
  }
  EXPECT_GT(compared, 500);
}

TEST(SmoothMesh, KeepsSmallBallsAndMovesNoVertexFar) {
  for (const double radius : {1.0, 1.5, 2.0, 3.0, 4.0}) {
    const Mesh rough = to_mesh(whole_surface(ball(radius), 1), {});
    const Mesh smooth = smooth_mesh(rough, {.max_move_nm = {0.5, 0.5, 0.5}});
    EXPECT_GT(measure_mesh(smooth).volume_nm3, 0.5 * measure_mesh(rough).volume_nm3) << radius;
    for (std::size_t v = 0; v < rough.vertices_nm.size(); ++v) {
      const VertexNm move = smooth.vertices_nm[v] - rough.vertices_nm[v];
      EXPECT_LE(std::max({std::abs(move.z), std::abs(move.y), std::abs(move.x)}), 0.5f + 1e-5f);
    }
  }
}

TEST(SimplifyMesh, RefusesOptionsOutsideTheirRanges) {
  EXPECT_THROW(simplify_mesh({}, {.max_error_nm = -1}), Error);
  EXPECT_TRUE(simplify_mesh({}, {}).triangles.empty());
}

TEST(MeasureMesh, CountsOpenEdges) {
  Mesh mesh{{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}}, {{0, 1, 2}}};
  EXPECT_EQ(measure_mesh(mesh).num_open_edges, 3);
  EXPECT_NEAR(measure_mesh(mesh).area_nm2, 0.5, 1e-12);
  // The same direction twice is no closed edge either.
  mesh.triangles.push_back({0, 1, 3});
  EXPECT_EQ(measure_mesh(mesh).num_open_edges, 5);
}

std::vector<std::byte> gunzip(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::byte> bytes(packed.size() * 100 + 1000);
  std::size_t size = 0;
  auto* decompressor = libdeflate_alloc_decompressor();
  const auto result = libdeflate_gzip_decompress(decompressor, packed.data(), packed.size(), bytes.data(),
                                                 bytes.size(), &size);
  libdeflate_free_decompressor(decompressor);
  EXPECT_EQ(result, LIBDEFLATE_SUCCESS);
  bytes.resize(size);
  return bytes;
}

TEST(LegacyFormat, ReadsFragmentsOfAnotherImplementationAndWritesTheSameBytes) {
  const char* const folder = "interop/cloud-volume/test/test_cv/mesh_mip_2_err_40_sv16";
  ORGANON_REQUIRE_DATA(folder);
  int num_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(testing::data_folder() / folder)) {
    if (entry.path().extension() != ".gz") continue;
    const auto bytes = gunzip(entry.path());
    const Mesh mesh = decode_legacy_mesh(bytes);
    EXPECT_GT(mesh.triangles.size(), 0u);
    EXPECT_EQ(encode_legacy_mesh(mesh), bytes) << entry.path();
    ++num_files;
  }
  EXPECT_GT(num_files, 10);
}

TEST(LegacyFormat, PutsXFirst) {
  const auto bytes = encode_legacy_mesh({{{3, 2, 1}}, {{0, 0, 0}}});
  ASSERT_EQ(bytes.size(), 28u);
  EXPECT_EQ(std::to_integer<int>(bytes[0]), 1);
  // 1.0f is 00 00 80 3f.
  EXPECT_EQ(std::to_integer<int>(bytes[7]), 0x3f);
  EXPECT_EQ(std::to_integer<int>(bytes[6]), 0x80);
}

TEST(LegacyFormat, RefusesHostileBytes) {
  const auto good = encode_legacy_mesh({{{3, 2, 1}, {0, 0, 0}, {1, 1, 1}}, {{0, 1, 2}, {2, 1, 0}}});
  const auto kind_of = [](std::vector<std::byte> bytes) {
    try {
      decode_legacy_mesh(bytes);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInternal;
  };
  EXPECT_EQ(decode_legacy_mesh(good).triangles.size(), 2u);
  for (std::size_t size = 0; size < good.size(); ++size) {
    if (size == 4 + 36 || size == 4 + 36 + 12) continue;
    EXPECT_EQ(kind_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}),
              ErrorKind::kCorruptData);
  }
  auto bytes = good;
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = std::byte{255};
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorruptData);
  bytes = good;
  bytes.back() = std::byte{1};
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorruptData);
  bytes = good;
  bytes[7] = std::byte{0x7f};
  bytes[6] = std::byte{0xc0};
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorruptData);
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    bytes = good;
    bytes[random() % bytes.size()] = static_cast<std::byte>(random() & 255);
    try {
      const Mesh mesh = decode_legacy_mesh(bytes);
      for (const Triangle& t : mesh.triangles)
        for (const std::uint32_t v : t) ASSERT_LT(v, mesh.vertices_nm.size());
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kCorruptData);
    }
  }
}

}  // namespace
}  // namespace organon::mesh
