#include "organon/stages/publish/publish_atlas.h"

#include <gtest/gtest.h>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/mesh/legacy_format.h"
#include "organon/stages/publish/folder_files.h"
#include "organon/stages/publish/mesh_objects.h"
#include "organon/stages/publish/pyramid_levels.h"
#include "organon/storage/multiscale.h"
#include "organon/tables/table_text.h"
#include "organon/voxel/downsample.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{70, 90, 140};
const VoxelGrid kGrid{{8, 8, 8}, {0, 16, 0}};

template <class T>
Array<T> make_voxels(const Shape3& shape, std::uint64_t num_values) {
  Array<T> voxels(shape);
  Random random(num_values);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x)
        voxels(z, y, x) = static_cast<T>((z / 20 + y / 30 + x / 25) % 2 == 0 ? 0 : random.below(num_values));
  return voxels;
}

template <class T>
std::string store(const std::filesystem::path& path, const Shape3& shape, const VoxelGrid& grid,
                  std::uint64_t num_values, const Json& attributes = Json::object()) {
  storage::DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = {32, 32, 32};
  spec.data_type = data_type_of<T>();
  spec.grid = grid;
  const auto dataset = storage::create_dataset(path.string(), spec);
  dataset->write<T>(spec.domain(), make_voxels<T>(shape, num_values).view(), Fsync::kNo);
  if (!attributes.empty()) dataset->set_attributes(attributes);
  return path.string();
}

/// Everything that a publication can hold; ids 1 and 2 have meshes and lines of the table.
blockwise::StageDescription make_inputs(const std::filesystem::path& folder, const Shape3& block_shape,
                                        const VoxelGrid& labels_grid = kGrid) {
  const auto meshes = folder / "meshes" / "mito";
  for (const char* id : {"1", "2"}) {
    const mesh::Mesh mesh{{{1, 2, 3}, {4, 5, 6}, {7, 8, 10}}, {{0, 1, 2}}};
    write_file_atomically(meshes / (std::string(id) + ":0:0"), mesh::encode_legacy_mesh(mesh), Fsync::kNo);
    write_text_atomically(meshes / (std::string(id) + ":0"),
                          "{\"fragments\":[\"" + std::string(id) + ":0:0\"]}", Fsync::kNo);
  }
  write_text_atomically(meshes / "info", R"({"@type": "neuroglancer_legacy_mesh"})", Fsync::kNo);
  ObjectTable table(std::vector<ObjectId>{1, 2});
  table.add_column("volume_nm3", std::vector<double>{512, 1024});
  tables::write_csv(folder / "tables" / "mito.csv", table);
  tables::write_json(folder / "tables" / "mito.json", table);
  write_text_atomically(folder / "scores.json", R"({"scores": [{"class": "mito", "f1": 0.9, "voi": null}]})",
                        Fsync::kNo);
  write_text_atomically(folder / "portal" / "index.html", "<html></html>", Fsync::kNo);
  write_text_atomically(folder / "portal" / "compare.html", "of another verb", Fsync::kNo);
  write_text_atomically(folder / "portal" / "viewer" / "main.js", "1", Fsync::kNo);

  blockwise::StageDescription description;
  description.verb = "publish";
  description.inputs = {store<std::uint8_t>(folder / "a.n5" / "raw" / "s0", kShape, kGrid, 256,
                                            {{"role", "raw"}, {"contrast_limits", {20, 220}}}),
                        store<std::uint8_t>(folder / "a.n5" / "predictions" / "mito", kShape, kGrid, 250),
                        store<std::uint8_t>(folder / "a.n5" / "labels" / "mito", kShape, labels_grid, 3),
                        meshes.string(),
                        (folder / "tables" / "mito.json").string(),
                        (folder / "scores.json").string()};
  description.outputs = {(folder / "published").string()};
  description.block_shape = block_shape;
  description.options_json =
      Json({{"name", "my cell"},
            {"layers", {"raw", "prediction/mito", "segmentation/mito", "mesh/mito", "table/mito", "scores"}},
            {"colors", {"#2fd27a"}},
            {"portal_folder", (folder / "portal").string()}})
          .dump();
  return description;
}

blockwise::RunResult run(const blockwise::StageDescription& description) {
  SilentProgress silent;
  blockwise::RunOptions options;
  options.workers = 2;
  options.fsync = Fsync::kNo;
  return run_stage(description, make_publish_stage,
                   blockwise::RunFolder(blockwise::run_folder_of(description.outputs[0])), options, silent);
}

/// Every file; without the provenance, which knows the times of the inputs' files.
std::string files_of(const blockwise::StageDescription& description) {
  std::string text;
  for (const std::string& name : list_files(description.outputs[0])) {
    const std::filesystem::path file = std::filesystem::path(description.outputs[0]) / name;
    if (file.filename() == "info") {
      Json json = parse_json(read_text(file), name);
      json.erase("organon");
      // Of a volume each scale says who made it.
      for (Json& scale : json["scales"]) scale["organon"].erase("made");
      text += name + " " + json.dump() + "\n";
    } else {
      text += name + " " + to_hex(hash_bytes(read_file_if_exists(file).value())) + "\n";
    }
  }
  return text;
}

TEST(PublishAtlas, KeepsTheStageContract) {
  blockwise::testing::StageUnderTest stage;
  stage.factory = make_publish_stage;
  stage.describe = [](const std::filesystem::path& folder, const Shape3& block_shape) {
    return make_inputs(folder, block_shape);
  };
  stage.block_shapes = {{64, 64, 64}, {64, 128, 64}, {128, 128, 192}};
  stage.contents = files_of;
  blockwise::testing::expect_stage_contract(stage);
}

TEST(PublishAtlas, WritesWhatThePageReads) {
  const TemporaryFolder folder;
  const auto description = make_inputs(folder.path(), {});
  const auto result = run(description);
  ASSERT_TRUE(result.failures.empty()) << result.failures[0].message;
  const std::filesystem::path out = description.outputs[0];
  const Json index = parse_json(read_text(out / "index.json"), "index.json");
  EXPECT_EQ(index["name"], "my cell");
  EXPECT_EQ(index["voxel_size_nm"], Json({8.0, 8.0, 8.0}));
  EXPECT_EQ(index["shape"], Json({70, 90, 140}));
  EXPECT_EQ(index["position_nm"], Json({0.0, 16.0, 0.0}));
  ASSERT_EQ(index["layers"].size(), 3u);
  EXPECT_EQ(index["layers"][0], parse_json(R"({"name": "raw", "role": "raw", "kind": "image",
      "source": "precomputed/raw", "contrast_limits": [20, 220]})",
                                           "expected"));
  EXPECT_EQ(index["layers"][1],
            parse_json(R"({"name": "mito prediction", "role": "prediction", "class": "mito",
      "kind": "image", "source": "precomputed/mito_prediction", "threshold": 127.0, "color": "#2fd27a"})",
                       "expected"));
  EXPECT_EQ(index["layers"][2], parse_json(R"({"name": "mito", "role": "segmentation", "class": "mito",
      "kind": "segmentation", "source": "precomputed/mito", "table": "tables/mito.json", "color": "#2fd27a"})",
                                           "expected"));
  EXPECT_EQ(index["scores"], parse_json(R"([{"class": "mito", "f1": 0.9, "voi": null}])", "expected"));

  const Json info = parse_json(read_text(out / "precomputed/mito/info"), "info");
  EXPECT_EQ(info["type"], "segmentation");
  EXPECT_EQ(info["mesh"], "mesh");
  EXPECT_EQ(info["data_type"], "uint32");
  EXPECT_EQ(info["scales"][0]["encoding"], "compressed_segmentation");
  EXPECT_EQ(parse_json(read_text(out / "precomputed/raw/info"), "info")["scales"][0]["encoding"], "raw");

  // Voxels of all levels, from s0.
  const auto check = [&]<class T>(const char* layer, const Array<T>& s0, Reduction reduction) {
    const auto levels = storage::open_multiscale((out / "precomputed" / layer).string()).levels;
    const auto factors = pyramid_factors(kShape, kGrid.voxel_size_nm, Shape3::cube(64), -1);
    ASSERT_EQ(levels.size(), factors.size() + 1);
    EXPECT_EQ(levels.size(), 3u);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Shape3 factor = i == 0 ? Shape3{1, 1, 1} : factors[i - 1];
      Array<T> expected(voxel::downsampled_shape(kShape, factor));
      if (reduction == Reduction::kMean) {
        voxel::downsample_mean<T>(s0, factor, expected);
      } else {
        voxel::downsample_mode<T>(s0, factor, expected);
      }
      const auto found = levels[i]->read_as<std::uint32_t>(levels[i]->spec().domain());
      ASSERT_EQ(found.shape(), expected.shape());
      EXPECT_TRUE(std::equal(expected.data(), expected.data() + expected.size(), found.data())) << layer << i;
      EXPECT_EQ(levels[i]->spec().grid, kGrid.downsampled(factor));
    }
  };
  check("raw", make_voxels<std::uint8_t>(kShape, 256), Reduction::kMean);
  check("mito_prediction", make_voxels<std::uint8_t>(kShape, 250), Reduction::kMean);
  check("mito", make_voxels<std::uint8_t>(kShape, 3), Reduction::kMode);

  EXPECT_TRUE(std::filesystem::exists(out / "viewer/main.js"));
  EXPECT_FALSE(std::filesystem::exists(out / "compare.html"));
  EXPECT_EQ(read_text(out / "tables/mito.csv"), read_text(folder.path() / "tables/mito.csv"));
  EXPECT_EQ(read_text(out / "tables/mito.json"), read_text(folder.path() / "tables/mito.json"));
  for (const char* name : {"1:0", "1:0:0", "2:0", "2:0:0"})
    EXPECT_EQ(read_text(out / "precomputed/mito/mesh" / name),
              read_text(folder.path() / "meshes/mito" / name));
}

TEST(PublishAtlas, LayersOfOtherVoxelsKeepTheirPlace) {
  const TemporaryFolder folder;
  // Voxels of half the size: four corners around each corner of raw. The first centres lie a quarter of a
  // raw voxel before raw's. Raw is shifted by 4 nm in the viewer, these by 0 if they were alone.
  const VoxelGrid fine{{4, 4, 4}, {-2, 14, -2}};
  const auto description = make_inputs(folder.path(), {}, fine);
  ASSERT_TRUE(run(description).failures.empty());
  const std::filesystem::path out = description.outputs[0];
  const auto corner = [&](const char* layer) {
    const Json scale = parse_json(read_text(out / "precomputed" / layer / "info"), "info")["scales"][0];
    std::vector<double> nm;
    for (std::size_t i = 0; i < 3; ++i)
      nm.push_back(scale["voxel_offset"][i].get<double>() * scale["resolution"][i].get<double>());
    return nm;
  };
  EXPECT_EQ(corner("raw"), (std::vector<double>{0, 16, 0}));
  EXPECT_EQ(corner("mito"), (std::vector<double>{0, 16, 0}));
  // Meshes were made for the labels alone: corner at (-4, 12, -4).
  const auto bytes = read_file_if_exists(out / "precomputed/mito/mesh/1:0:0").value();
  const mesh::Mesh mesh = mesh::decode_legacy_mesh(bytes);
  EXPECT_EQ(mesh.vertices_nm[0], (mesh::VertexNm{1 + 4, 2 + 4, 3 + 4}));
}

TEST(PublishAtlas, AnEarlierPublicationIsReplacedAForeignFolderIsNot) {
  const TemporaryFolder folder;
  auto description = make_inputs(folder.path(), {});
  ASSERT_TRUE(run(description).failures.empty());
  EXPECT_TRUE(run(description).was_unchanged);
  description.inputs = {description.inputs[0]};
  description.options_json = R"({"layers": ["raw"]})";
  ASSERT_TRUE(run(description).failures.empty());
  const std::filesystem::path out = description.outputs[0];
  EXPECT_FALSE(std::filesystem::exists(out / "precomputed/mito"));
  EXPECT_FALSE(std::filesystem::exists(out / "tables"));
  EXPECT_FALSE(std::filesystem::exists(out / "index.html"));
  write_text_atomically(folder.path() / "mine" / "diary.txt", "dear diary", Fsync::kNo);
  description.outputs = {(folder.path() / "mine").string()};
  const auto refused = run(description);
  ASSERT_FALSE(refused.failures.empty());
  EXPECT_NE(refused.failures[0].message.find("not published by organon"), std::string::npos)
      << refused.failures[0].message;
  EXPECT_EQ(read_text(folder.path() / "mine" / "diary.txt"), "dear diary");
}

TEST(PublishAtlas, NamesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto description = make_inputs(folder.path(), {});
  const auto message_of = [&](const std::vector<std::size_t>& inputs, const std::string& options) {
    auto changed = description;
    changed.inputs.clear();
    for (const std::size_t i : inputs) changed.inputs.push_back(description.inputs[i]);
    changed.options_json = options;
    try {
      const auto result = run(changed);
      return result.failures.empty() ? std::string("nothing") : result.failures[0].message;
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  const auto expect = [&](const std::vector<std::size_t>& inputs, const std::string& options,
                          const char* text) {
    const std::string message = message_of(inputs, options);
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  expect({0, 1}, R"({"layers": ["raw"]})", "expected 2 names, found 1");
  expect({0, 1}, R"({"layers": ["raw", "predicion/mito"]})", "did you mean prediction?");
  expect({0, 1}, R"({"layers": ["raw", "prediction/../mito"]})", "expected a class of letters");
  expect({0, 3}, R"({"layers": ["raw", "mesh/mito"]})", "needs segmentation/mito too");
  expect({0, 0}, R"({"layers": ["raw", "raw"]})", "two layers would lie in precomputed/raw");
  expect({5}, R"({"layers": ["scores"]})", "no volume among the layers");
  expect({0, 2}, R"({"layers": ["raw", "segmentation/mito"], "colors": ["green"]})", "expected #rrggbb");
  expect({0}, R"({"layers": ["raw"], "portal_folder": "/nowhere"})", "no built page there");
  write_text_atomically(folder.path() / "scores.json", R"({"scores": [{"f1": [1]}]})", Fsync::kNo);
  expect({0, 5}, R"({"layers": ["raw", "scores"]})", "expected lines of scores");
  std::filesystem::remove(folder.path() / "meshes/mito/2:0");
  expect({0, 2, 3, 4}, R"({"layers": ["raw", "segmentation/mito", "mesh/mito", "table/mito"]})",
         "has object 2, but");
}

}  // namespace
}  // namespace organon::stages
