#include "organon/stages/publish/mesh_objects.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/mesh/legacy_format.h"
#include "organon/stages/publish/folder_files.h"
#include "organon/voxel/measure_objects.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{44, 52, 60};
const VoxelGrid kGrid{{8, 4, 6}, {-400, 36, 3}};

/// A sheet through everything (large), balls (two touching), a tube to the volume's faces, single voxels.
Array<std::uint32_t> make_labels() {
  Array<std::uint32_t> labels(kShape);
  const auto ball = [](double z, double y, double x, const Index3& at, double radius) {
    return std::hypot(z - double(at.z), y - double(at.y), x - double(at.x)) <= radius;
  };
  for (std::int64_t z = 0; z < kShape.z; ++z)
    for (std::int64_t y = 0; y < kShape.y; ++y)
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        std::uint32_t id = 0;
        const double wave = 22 + 5 * std::sin(double(y) / 6) * std::cos(double(x) / 8);
        if (std::abs(double(z) - wave) < 2 && y > 2 && y < 49 && x > 2 && x < 56) id = 3;
        if (std::hypot(double(z) - 8, double(y) - 40) <= 3.5) id = 70000;
        if (ball(double(z), double(y), double(x), {8, 12, 15}, 6)) id = 5;
        if (ball(double(z), double(y), double(x), {8, 12, 26}, 6) && x > 20) id = 9;
        if (ball(double(z), double(y), double(x), {38, 40, 40}, 4.5)) id = 12;
        labels(z, y, x) = id;
      }
  labels(40, 5, 5) = 77;
  labels(43, 51, 59) = 78;
  return labels;
}

std::string store(const std::filesystem::path& folder, const Array<std::uint32_t>& voxels) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {4, 4, 4};
  spec.data_type = DataType::kUint32;
  spec.grid = kGrid;
  const std::string address = "n5://" + (folder / "a.n5" / "labels").string();
  storage::create_dataset(address, spec)->write<std::uint32_t>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::string& labels, const std::filesystem::path& folder,
                                           const Shape3& block_shape, const std::string& options) {
  blockwise::StageDescription description;
  description.verb = "mesh";
  description.options_json = options;
  description.inputs = {labels};
  description.outputs = {(folder / "meshes" / "mito").string()};
  description.block_shape = block_shape;
  return description;
}

void run(const blockwise::StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  const auto result =
      run_stage(description, make_mesh_stage,
                blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options, silent);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
}

std::string files_of(const blockwise::StageDescription& description) {
  std::string text;
  for (const std::string& name : list_files(description.outputs[0])) {
    const auto bytes = read_file_if_exists(std::filesystem::path(description.outputs[0]) / name);
    text += name + " " + to_hex(hash_bytes(bytes.value())) + "\n";
  }
  return text;
}

/// All fragments of an object, vertices at the same place joined.
mesh::Mesh read_mesh(const std::filesystem::path& folder, std::uint64_t id, std::size_t* num_fragments) {
  const std::string manifest = std::to_string(id) + ":0";
  const Json json = parse_json(read_text(folder / manifest), manifest);
  mesh::Mesh joined;
  std::map<std::array<float, 3>, std::uint32_t> places;
  for (const Json& name : json.at("fragments")) {
    const mesh::Mesh part =
        mesh::decode_legacy_mesh(read_file_if_exists(folder / name.get<std::string>()).value());
    EXPECT_FALSE(part.triangles.empty());
    for (const mesh::Triangle& t : part.triangles) {
      mesh::Triangle renumbered;
      for (std::size_t i = 0; i < 3; ++i) {
        const mesh::VertexNm& v = part.vertices_nm[t[i]];
        const auto [entry, is_new] = places.try_emplace({v.z, v.y, v.x}, joined.vertices_nm.size());
        if (is_new) joined.vertices_nm.push_back(v);
        renumbered[i] = entry->second;
      }
      joined.triangles.push_back(renumbered);
    }
  }
  *num_fragments = json.at("fragments").size();
  return joined;
}

/// Edges that triangles pass more often in one direction than in the other.
int count_gaps(const mesh::Mesh& mesh) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> sums;
  for (const mesh::Triangle& t : mesh.triangles) {
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint32_t a = t[i], b = t[(i + 1) % 3];
      sums[{std::min(a, b), std::max(a, b)}] += a < b ? 1 : -1;
    }
  }
  return static_cast<int>(
      std::count_if(sums.begin(), sums.end(), [](const auto& e) { return e.second != 0; }));
}

// The sheet has about 10 000 triangles: in parts with the first, in one with the second.
constexpr const char* kInParts =
    R"({"max_triangles": 6000, "fragment_shape": [16, 20, 24], "smooth_iterations": 3})";
constexpr const char* kWhole = R"({"smooth_iterations": 3})";

TEST(MeshObjects, KeepsTheStageContract) {
  const Array<std::uint32_t> labels = make_labels();
  blockwise::testing::StageUnderTest stage;
  stage.factory = make_mesh_stage;
  stage.describe = [&](const std::filesystem::path& folder, const Shape3& block_shape) {
    return description_of(store(folder, labels), folder, block_shape, kInParts);
  };
  stage.block_shapes = {{20, 24, 32}, {16, 16, 16}, {64, 64, 64}};
  stage.contents = files_of;
  blockwise::testing::expect_stage_contract(stage);
}

TEST(MeshObjects, MeshesLieOnTheirObjectsAndAreClosed) {
  const Array<std::uint32_t> labels = make_labels();
  const Box domain = Box::of_shape(kShape);
  std::map<std::uint64_t, double> volume_in_parts;
  for (const char* const options : {kInParts, kWhole}) {
    const TemporaryFolder folder;
    const auto description = description_of(store(folder.path(), labels), folder.path(), {}, options);
    run(description);
    const VoxelGrid placed = grid_in_viewer(kGrid);
    const auto weights = voxel::surface_weights(kGrid.voxel_size_nm);
    const auto sums = voxel::measure_block<std::uint32_t>(labels.view(), domain, domain, domain);
    ASSERT_EQ(sums.size(), 7u);
    for (const auto& sum : sums) {
      const voxel::ObjectMeasures measures = voxel::finish_measures(sum, placed, weights);
      std::size_t num_fragments = 0;
      const mesh::Mesh mesh = read_mesh(description.outputs[0], measures.id, &num_fragments);
      EXPECT_EQ(num_fragments > 1, measures.id == 3 && options == kInParts) << measures.id;
      EXPECT_EQ(count_gaps(mesh), 0) << measures.id;
      PointNm low{1e30, 1e30, 1e30}, high{-1e30, -1e30, -1e30};
      for (const mesh::VertexNm& v : mesh.vertices_nm) {
        low = min(low, PointNm(v));
        high = max(high, PointNm(v));
      }
      if (measures.voxels == 1) {  // smoothing shrinks a single voxel, towards its centre
        const PointNm centre = (low + high) * 0.5;
        EXPECT_NEAR(centre.z, measures.centroid_nm.z, 1e-2);
        EXPECT_NEAR(centre.y, measures.centroid_nm.y, 1e-2);
        EXPECT_NEAR(centre.x, measures.centroid_nm.x, 1e-2);
        continue;
      }
      // Table boxes reach to the outer faces of voxels. Smoothing takes up to half a voxel from a tip,
      // simplification its error (here half of 4 nm); both sides alike.
      const auto expect_extent = [&](double begin, double end, double box_begin, double box_end,
                                     double size) {
        EXPECT_NEAR(begin, box_begin, 0.5 * size + 2) << measures.id;
        EXPECT_NEAR(end, box_end, 0.5 * size + 2) << measures.id;
        EXPECT_NEAR((begin + end) / 2, (box_begin + box_end) / 2, 0.5 * size) << measures.id;
      };
      const PointNm begin = measures.begin_nm, end = measures.end_nm;
      expect_extent(low.z, high.z, begin.z, end.z, kGrid.voxel_size_nm.z);
      expect_extent(low.y, high.y, begin.y, end.y, kGrid.voxel_size_nm.y);
      expect_extent(low.x, high.x, begin.x, end.x, kGrid.voxel_size_nm.x);
      const double volume = mesh::measure_mesh(mesh).volume_nm3;
      EXPECT_NEAR(volume / measures.volume_nm3, 0.9, 0.1) << measures.id;
      if (options == kInParts) volume_in_parts[measures.id] = volume;
      if (options == kWhole) {
        EXPECT_NEAR(volume / volume_in_parts[measures.id], 1, 0.02) << measures.id;
      }
    }
  }
}

TEST(MeshObjects, WithoutSmoothingBoxesOfMeshAndTableAreEqual) {
  const Array<std::uint32_t> labels = make_labels();
  const Box domain = Box::of_shape(kShape);
  const TemporaryFolder folder;
  const auto description = description_of(store(folder.path(), labels), folder.path(), {},
                                          R"({"smooth_iterations": 0, "max_error_nm": 0})");
  run(description);
  const auto weights = voxel::surface_weights(kGrid.voxel_size_nm);
  for (const auto& sum : voxel::measure_block<std::uint32_t>(labels.view(), domain, domain, domain)) {
    const voxel::ObjectMeasures measures = voxel::finish_measures(sum, kGrid, weights);
    std::size_t num_fragments = 0;
    const mesh::Mesh mesh = read_mesh(description.outputs[0], measures.id, &num_fragments);
    PointNm low{1e30, 1e30, 1e30}, high{-1e30, -1e30, -1e30};
    for (const mesh::VertexNm& v : mesh.vertices_nm) {
      low = min(low, PointNm(v));
      high = max(high, PointNm(v));
    }
    // Voxel 0 lies at -50, 9 and 0.5 voxels; the viewer has its lower corner at -50 (-50.5, half up), 9, 0.
    const PointNm shift{4, 2, 0};
    EXPECT_NEAR(low.z, measures.begin_nm.z + shift.z, 1e-3) << measures.id;
    EXPECT_NEAR(low.y, measures.begin_nm.y + shift.y, 1e-3) << measures.id;
    EXPECT_NEAR(low.x, measures.begin_nm.x + shift.x, 1e-3) << measures.id;
    EXPECT_NEAR(high.z, measures.end_nm.z + shift.z, 1e-3) << measures.id;
    EXPECT_NEAR(high.y, measures.end_nm.y + shift.y, 1e-3) << measures.id;
    EXPECT_NEAR(high.x, measures.end_nm.x + shift.x, 1e-3) << measures.id;
  }
}

TEST(MeshObjects, FilesOfAnEarlierRunGo) {
  Array<std::uint32_t> labels = make_labels();
  const TemporaryFolder folder;
  auto description = description_of(store(folder.path(), labels), folder.path(), {}, kInParts);
  run(description);
  write_text_atomically(std::filesystem::path(description.outputs[0]) / "notes.txt", "mine");
  for (std::int64_t i = 0; i < labels.size(); ++i)
    if (labels.data()[i] == 3) labels.data()[i] = 0;
  std::filesystem::remove_all(folder.path() / "a.n5");
  store(folder.path(), labels);
  run(description);
  for (const std::string& name : list_files(description.outputs[0]))
    EXPECT_FALSE(name.starts_with("3:0")) << name;
  EXPECT_EQ(list_files(description.outputs[0]).size(), 6u * 2 + 2);
}

TEST(MeshObjects, NoObjectsGiveAnEmptyFolderOfMeshes) {
  const TemporaryFolder folder;
  const auto description =
      description_of(store(folder.path(), Array<std::uint32_t>(kShape)), folder.path(), {}, "{}");
  run(description);
  EXPECT_EQ(list_files(description.outputs[0]), std::vector<std::string>{"info"});
}

TEST(MeshObjects, RefusesAFolderOfSomethingElse) {
  const TemporaryFolder folder;
  const auto description = description_of(store(folder.path(), make_labels()), folder.path(), {}, "{}");
  write_text_atomically(std::filesystem::path(description.outputs[0]) / "info", R"({"@type": "other"})");
  SilentProgress silent;
  const auto result =
      run_stage(description, make_mesh_stage,
                blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), {}, silent);
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_NE(result.failures[0].message.find("something else"), std::string::npos)
      << result.failures[0].message;
}

}  // namespace
}  // namespace organon::stages
