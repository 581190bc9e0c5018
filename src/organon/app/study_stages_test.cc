#include "organon/app/study_stages.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

// Without libtorch there are no stages that learn, and so no study.
#ifdef ORGANON_WITH_NN

constexpr char kStudy[] = R"(name = "s"
evaluate_every = 20
[[datasets]]
name = "hela"
raw = "in.n5/raw"
contrast_limits = [10, 200]
[[datasets.crops]]
name = "left"
labels = "in.n5/labels"
box_nm = [0, 0, 0, 20, 20, 20]
[[datasets.crops]]
name = "right"
labels = "in.n5/labels"
role = "holdout"
present = ["mito", "ribo"]
own_labels = {ribo = "in.n5/ribo"}
[[setups]]
name = "a"
classes = ["mito", "mito-mem", "ribo", "golgi"]
voxel_size_nm = 4
[[setups]]
name = "b"
classes = "few-mito"
voxel_size_nm = 4
[[setups]]
name = "c"
classes = "few-mito"
voxel_size_nm = 8
[setups.train]
output_scale = 2
steps = 50
[train]
steps = 30
)";

// Raw of 4 and 8 nm, labels of 2 nm.
class StudyStagesTest : public ::testing::Test {
 protected:
  StudyStagesTest() {
    const auto make = [&](const char* name, std::int64_t edge, double size_nm) {
      storage::DatasetSpec spec;
      spec.shape = Shape3::cube(edge);
      spec.chunk_shape = {8, 8, 8};
      spec.data_type = DataType::kUint8;
      spec.grid = {{size_nm, size_nm, size_nm}, {size_nm / 2, size_nm / 2, size_nm / 2}};
      storage::create_dataset("n5://" + (folder_.path() / "in.n5" / name).string(), spec);
    };
    make("raw/s0", 16, 4);
    make("raw/s1", 8, 8);
    make("coarse", 8, 8);
    make("labels", 32, 2);
    make("ribo", 32, 2);
  }

  StudyStages stages_of(const std::string& text) {
    study_ = config::parse_study_config(text, folder_.path() / "study.toml");
    return StudyStages(study_, folder_.path());
  }
  static std::vector<const StudyStage*> of_verb(const StudyStages& all, const std::string& verb) {
    std::vector<const StudyStage*> found;
    for (const StudyStage& stage : all.stages())
      if (stage.description.verb == verb) found.push_back(&stage);
    return found;
  }

  TemporaryFolder folder_;
  config::StudyConfig study_;
};

TEST_F(StudyStagesTest, SetupsOfTheSameClassesShareTargets) {
  const StudyStages all = stages_of(kStudy);
  const auto targets = of_verb(all, "targets");
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_TRUE(targets[1]->description.outputs[0].ends_with("s.n5/targets/few-mito_4nm/hela/left"));
  const auto trainings = of_verb(all, "train");
  ASSERT_EQ(trainings.size(), 3U);
  EXPECT_EQ(trainings[1]->description.inputs, trainings[2]->description.inputs);
  EXPECT_EQ(trainings[1]->needs, trainings[2]->needs);
  const Json options = parse_json(trainings[2]->description.options_json, "train");
  EXPECT_EQ(options["output_scale"], 2);
  EXPECT_EQ(options["steps"], 50);
  EXPECT_EQ(options["checkpoint_every"], 20);
  EXPECT_EQ(options["classes"], (Json{"mito", "mito-mem", "mito-ribo"}));
  EXPECT_EQ(options["balance_as"], (Json{"", "mito", "mito"}));
  EXPECT_EQ(options["contrast_limits"], (Json{10, 200}));
}

TEST_F(StudyStagesTest, EveryIterationIsPredictedAndScoredThenOneIsChosen) {
  const StudyStages all = stages_of(kStudy);
  std::vector<std::string> outputs;
  for (const StudyStage* stage : of_verb(all, "evaluate_classes"))
    outputs.push_back(
        std::filesystem::path(stage->description.outputs[0]).lexically_relative(folder_.path()).string());
  EXPECT_EQ(outputs, (std::vector<std::string>{"scores/a/20/hela/right.json", "scores/a/30/hela/right.json",
                                               "scores/b/20/hela/right.json", "scores/b/30/hela/right.json",
                                               "scores/c/20/hela/right.json", "scores/c/40/hela/right.json",
                                               "scores/c/50/hela/right.json"}));
  for (const StudyStage* stage : of_verb(all, "predict")) {
    EXPECT_EQ(stage->description.box_nm, "1,1,1,63,63,63") << "all that the labels cover";
    EXPECT_EQ(all.stages()[stage->needs.at(0)].description.verb, "train");
  }
  EXPECT_EQ(all.stages().back().description.verb, "choose");
  EXPECT_EQ(all.stages().back().needs.size(), 7U);
}

TEST_F(StudyStagesTest, ScoresKnowWhatACropSaysOfItsClasses) {
  const StudyStages all = stages_of(kStudy);
  const StudyStage& first = *of_verb(all, "evaluate_classes").front();
  const Json options = parse_json(first.description.options_json, "evaluate");
  // Golgi is not annotated there. What is 0 in the common labels is not, either.
  EXPECT_EQ(options["classes"], (Json{"mito", "mito-mem", "ribo"}));
  EXPECT_EQ(options["ids"], (Json{"3+4+5", "3", "34"}));
  EXPECT_EQ(options["truth_volumes"], (Json{0, 0, 1}));
  EXPECT_EQ(options["masks"], (Json{0, 0, 0}));
  EXPECT_EQ(options["truth_expand_nm"], (Json{0, 0, 8}));
  EXPECT_EQ(options["iteration"], 20);
  EXPECT_EQ(options["dataset"], "hela");
  EXPECT_EQ(options["raw_voxel_size_nm"], 4);
  ASSERT_EQ(first.description.inputs.size(), 3U);
  EXPECT_TRUE(first.description.inputs[2].ends_with("in.n5/ribo"));
}

TEST_F(StudyStagesTest, WhatCannotWorkIsRefusedBeforeAnythingIsLearned) {
  const auto refusal = [&](const std::string& from, const std::string& to) {
    std::string text = kStudy;
    text.replace(text.find(from), from.size(), to);
    try {
      stages_of(text);
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("accepted");
  };
  const auto expect = [&](const std::string& message, const std::string& words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  expect(refusal("in.n5/raw\"", "in.n5/coarse\""), "study.toml:17: setup a: raw");
  expect(refusal("in.n5/raw\"", "in.n5/coarse\""), "no level of 4 nm");
  expect(refusal("contrast_limits = [10, 200]\n", ""), "stores no contrast limits");
  expect(refusal("evaluate_every = 20", "evaluate_every = 15"),
         "multiple of train's log_every, 10, found 15");
  expect(refusal("steps = 50", "stepz = 50"), "study.toml:31");
  expect(refusal("steps = 50", "patch = 40"), "study.toml:25: setup c: train: patch");
  expect(refusal("role = \"holdout\"", "role = \"holdout\"\nunlabelled_id = 9"), "unlabelled_id 9");
  expect(refusal("in.n5/raw\"", "in.n5/nothing\""), "dataset hela");
}

#endif

}  // namespace
}  // namespace organon::app
