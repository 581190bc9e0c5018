#include "organon/app/cell_stages.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

// Without libtorch there are no stages that learn, and so none of a cell.toml that learns.
#ifdef ORGANON_WITH_NN

// What a taxonomy says of a class reaches each stage that must know it.
TEST(CellStages, ATaxonomyReachesTargetsTrainingAndScores) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {8, 8, 8};
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint8;
  spec.grid = {{8, 4, 4}, {0, 0, 0}};
  for (const char* name : {"raw", "labels"})
    storage::create_dataset("n5://" + (folder.path() / "in.n5" / name).string(), spec);
  const config::CellConfig cell = config::parse_cell_config(R"(taxonomy = "heinrich2021"
start_from = "mine.organon"
[raw]
source = "in.n5/raw"
[classes.mito]
[classes.mito-mem]
[classes.mt]
[classes.cent]
[classes.ribo]
[[crops]]
labels = "in.n5/labels"
present = ["mito", "ribo"]
[[crops]]
name = "kept"
labels = "in.n5/labels"
role = "holdout"
[truth]
labels = "in.n5/labels"
)",
                                                            folder.path() / "cell.toml");
  const CellStages stages(cell, folder.path());
  const auto all = stages.after_imports({0, 255});
  const auto options_of = [&](const std::string& verb, const std::string& output_ending) {
    const auto place = std::find_if(all.begin(), all.end(), [&](const blockwise::StageDescription& stage) {
      return stage.verb == verb && stage.outputs[0].ends_with(output_ending);
    });
    EXPECT_NE(place, all.end()) << verb << " " << output_ending;
    return place == all.end() ? Json::object() : parse_json(place->options_json, verb);
  };
  // Classes are in the order of their names.
  const Json targets = options_of("targets", "targets/crop1");
  EXPECT_EQ(targets["classes"], (Json{"cent", "mito", "mito-mem", "mt", "ribo"}));
  EXPECT_EQ(targets["ids"], (Json{"-", "3+4+5", "3", "-", "34"}));
  EXPECT_EQ(targets["add_nm"], (Json{2, 0, 0, 0, 8}));
  EXPECT_EQ(targets["joined"], (Json{"", "", "", "cent", ""}));
  EXPECT_EQ(targets["voxel_size_nm"], (Json{8, 4, 4}));
  EXPECT_EQ(targets["unlabelled_id"], Json::array({0}));
  EXPECT_TRUE(std::none_of(all.begin(), all.end(), [](const blockwise::StageDescription& stage) {
    return stage.verb == "targets" && stage.outputs[0].ends_with("targets/kept");
  })) << "a holdout is not learned from";
  EXPECT_EQ(options_of("train", "networks/" + cell.name)["balance_as"], (Json{"", "", "mito", "", ""}));
  const auto training = std::find_if(
      all.begin(), all.end(), [](const blockwise::StageDescription& stage) { return stage.verb == "train"; });
  EXPECT_EQ(training->inputs.back(), (folder.path() / "mine.organon").string());
  EXPECT_EQ(options_of("evaluate", "ribo.json")["truth_expand_nm"], 8) << "judged as it was learned";
  EXPECT_EQ(options_of("evaluate", "mito.json")["truth_expand_nm"], 0);
}

#endif

}  // namespace
}  // namespace organon::app
