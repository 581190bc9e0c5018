#include "organon/stages/evaluation/score_classes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

const VoxelGrid kGrid{{8, 4, 4}, {4, 2, 2}};
constexpr Shape3 kShape{10, 18, 22};
// Half the voxel size: cells begin together.
const VoxelGrid kTruthGrid{{4, 2, 2}, {2, 1, 1}};
constexpr Shape3 kTruthShape{20, 36, 44};
constexpr const char* kBox = "12,6,6,70,60,80";

template <class Value>
std::string store(const std::filesystem::path& folder, const std::string& name, const Shape3& shape,
                  const VoxelGrid& grid, Value value) {
  Array<std::uint8_t> voxels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x) voxels(z, y, x) = static_cast<std::uint8_t>(value(z, y, x));
  storage::DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = {8, 8, 8};
  spec.grid = grid;
  const std::string address = "n5://" + (folder / "in.n5" / name).string();
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

// Predictions of three classes; ids 0 (not annotated) to 4; ribosomes in a volume of their own. Id 9, of the
// class "golgi", occurs nowhere.
struct World {
  TemporaryFolder folder;
  std::string predictions = "n5://" + (folder.path() / "in.n5" / "predictions").string();
  std::string labels = store(folder.path(), "labels", kTruthShape, kTruthGrid, [](auto z, auto y, auto x) {
    return z < 2 ? 0 : 1 + (z / 3 + y / 5 + x / 7) % 4;
  });
  std::string ribosomes =
      store(folder.path(), "ribosomes", kTruthShape, kTruthGrid,
            [](auto z, auto y, auto x) { return z % 9 < 2 && y % 10 < 3 && x % 11 < 3 ? 7 : 0; });

  World() {
    const auto predict = [&](const std::string& name, std::int64_t phase) {
      store(folder.path(), "predictions/" + name, kShape, kGrid, [&](auto z, auto y, auto x) {
        return 127 + 100 * std::sin(0.7 * static_cast<double>(z + phase)) *
                         std::sin(0.5 * static_cast<double>(y) + 0.3 * static_cast<double>(x));
      });
    };
    predict("mito", 0);
    predict("golgi", 1);
    predict("ribo", 2);
  }

  blockwise::StageDescription all(const std::filesystem::path& out, const std::string& options) const {
    blockwise::StageDescription description;
    description.verb = "evaluate_classes";
    description.options_json = options;
    description.inputs = {predictions, labels, ribosomes};
    description.outputs = {(out / "scores" / "crop.json").string()};
    description.box_nm = kBox;
    return description;
  }
};

constexpr const char* kOptions = R"({"classes": ["mito", "golgi", "ribo"], "ids": ["2+3", "9", "any"],
    "truth_volumes": [0, 0, 1], "masks": [0, 0, -1], "truth_expand_nm": [0, 0, 3], "threshold": 130,
    "clip_distance_nm": 20, "tolerance_nm": 5, "setup": "s01", "iteration": 25000, "dataset": "hela",
    "crop": "113", "family": "all", "raw_voxel_size_nm": 4})";

Json run(const blockwise::StageFactory& make, const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make, {}, {}}, description, 2);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  return parse_json(read_text(description.outputs[0]), description.outputs[0]);
}

TEST(ScoreClasses, RowsAreThoseOfEvaluateClassByClass) {
  const World world;
  const TemporaryFolder out;
  const Json all = run(make_evaluate_classes_stage, world.all(out.path(), kOptions));
  ASSERT_EQ(all["scores"].size(), 2U);
  const std::string keys =
      R"("threshold": 130, "clip_distance_nm": 20, "tolerance_nm": 5, "kind": "prediction", "setup": "s01",
         "iteration": 25000, "dataset": "hela", "crop": "113", "family": "all", "raw_voxel_size_nm": 4})";
  struct One {
    const char* name;
    std::vector<std::string> inputs;
    std::string options;
  };
  const std::vector<One> classes = {{"mito",
                                     {world.predictions + "/mito", world.labels, world.labels},
                                     R"({"class_name": "mito", "ids": "2+3", )"},
                                    {"ribo",
                                     {world.predictions + "/ribo", world.ribosomes},
                                     R"({"class_name": "ribo", "truth_expand_nm": 3, )"}};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    blockwise::StageDescription description = world.all(out.path(), classes[i].options + keys);
    description.verb = "evaluate";
    description.inputs = classes[i].inputs;
    description.outputs = {(out.path() / "one" / (std::string(classes[i].name) + ".json")).string()};
    const Json one = run(make_evaluate_stage, description)["scores"][0];
    EXPECT_EQ(all["scores"][i], one);
    EXPECT_GT(one["f1"].get<double>(), 0);
    EXPECT_LT(one["f1"].get<double>(), 1);
  }
}

TEST(ScoreClasses, ClassesThatTheCropDoesNotHoldHaveANote) {
  const World world;
  const TemporaryFolder out;
  const auto description = world.all(out.path(), kOptions);
  const Json all = run(make_evaluate_classes_stage, description);
  EXPECT_EQ(all["notes"], Json::array({"golgi: the truth has no voxel of it here that counts"}));
  const std::string text = read_text(std::filesystem::path(description.outputs[0]).replace_extension(".txt"));
  EXPECT_NE(text.find("mito"), std::string::npos);
  EXPECT_NE(text.find("note: golgi"), std::string::npos);
}

TEST(ScoreClasses, RefusesListsThatDoNotFit) {
  const World world;
  const TemporaryFolder out;
  for (const auto& [options, words] :
       {std::pair{R"({})", "no classes"},
        {R"({"classes": ["mito", "ribo"], "ids": ["3"]})", "ids: 2 classes need as many, found 1"},
        {R"({"classes": ["mito"], "truth_volumes": [2]})", "there is no volume 2"},
        {R"({"classes": ["mito"], "masks": [5]})", "there is no volume 5"}}) {
    try {
      make_evaluate_classes_stage(world.all(out.path(), options))->plans();
      ADD_FAILURE() << options;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.message().find(words), std::string::npos) << error.message();
    }
  }
}

TEST(ScoreClasses, ObeysTheStageContract) {
  const World world;
  blockwise::testing::expect_stage_contract({make_evaluate_classes_stage,
                                             [&](const std::filesystem::path& out, const Shape3& shape) {
                                               blockwise::StageDescription description =
                                                   world.all(out, kOptions);
                                               description.block_shape = shape;
                                               return description;
                                             },
                                             {{8, 8, 8}, {256, 256, 256}}});
}

}  // namespace
}  // namespace organon::stages
