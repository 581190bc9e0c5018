#include "organon/config/study_config.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"

namespace organon::config {
namespace {

constexpr char kSound[] = R"(name = "cells"
evaluate_every = 500

[[datasets]]
name = "hela"
raw = "hela.n5/raw"
contrast_limits = [20, 220]
[[datasets.crops]]
name = "1"
labels = "hela.n5/labels"
box_nm = [0, 0, 0, 100, 100, 100]
[[datasets.crops]]
name = "113"
labels = "hela.n5/labels"
role = "holdout"

[[datasets]]
name = "jurkat"
raw = "jurkat.n5/raw"
[[datasets.crops]]
labels = "/data/jurkat"

[[setups]]
name = "setup03"
classes = "many"
voxel_size_nm = 4

[[setups]]
name = "own"
classes = ["mito_membrane", "mito", "mt"]
family = "few"
voxel_size_nm = [8, 4, 4]
datasets = "jurkat"
[setups.train]
steps = 7

[[setups]]
name = "old"
network = "networks/old"

[train]
steps = 1000
batch = 2
)";

StudyConfig parse(const std::string& text) { return parse_study_config(text, "/data/study.toml"); }

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(StudyConfig, ReadsDatasetsSetupsAndTheirTables) {
  const StudyConfig study = parse(kSound);
  EXPECT_EQ(study.name, "cells");
  EXPECT_EQ(study.evaluate_every, 500);
  EXPECT_EQ(study.taxonomy.name, "heinrich2021");
  ASSERT_EQ(study.datasets.size(), 2U);
  EXPECT_EQ(study.datasets[0].raw, "/data/hela.n5/raw");
  EXPECT_EQ(study.datasets[0].contrast_limits, (std::vector<double>{20, 220}));
  ASSERT_EQ(study.datasets[0].crops.size(), 2U);
  EXPECT_EQ(study.datasets[0].crops[1].role, "holdout");
  EXPECT_EQ(study.datasets[1].crops[0].labels, "/data/jurkat");

  ASSERT_EQ(study.setups.size(), 3U);
  const StudySetup& many = study.setups[0];
  EXPECT_EQ(many.class_set, "many");
  EXPECT_EQ(many.family, "many");
  EXPECT_EQ(many.classes.size(), 14U);
  EXPECT_EQ(many.voxel_size_nm, (std::vector<double>{4, 4, 4}));
  EXPECT_EQ(many.datasets, (std::vector<std::string>{"hela", "jurkat"}));
  EXPECT_EQ(many.train.values.at("steps"), "1000");

  const StudySetup& own = study.setups[1];
  EXPECT_EQ(own.class_set, "own");
  EXPECT_EQ(own.family, "few");
  ASSERT_EQ(own.classes.size(), 3U);
  EXPECT_EQ(own.classes[0].name, "mito-mem") << "by its alias";
  EXPECT_EQ(own.classes[0].balance_as, "mito");
  EXPECT_EQ(own.classes[1].ids, (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_TRUE(own.classes[2].joined.empty()) << "centrosomes are not learned";
  EXPECT_EQ(own.datasets, (std::vector<std::string>{"jurkat"}));
  EXPECT_EQ(own.train.values.at("steps"), "7");
  EXPECT_EQ(own.train.values.at("batch"), "2");
  EXPECT_EQ(study.setups[2].network, "/data/networks/old");
}

TEST(StudyConfig, AFewSetupOfTheTaxonomyIsOfTheFamilyFew) {
  const StudyConfig study = parse(changed(kSound, "classes = \"many\"", "classes = \"few-er\""));
  EXPECT_EQ(study.setups[0].family, "few");
  EXPECT_EQ(study.setups[0].class_set, "few-er");
}

TEST(StudyConfig, ErrorsNameFileAndLine) {
  struct Fault {
    const char* from;
    const char* to;
    const char* line;
    const char* words;
  };
  const std::vector<Fault> faults = {
      {"evaluate_every = 500", "evaluate_evry = 500", "2", "did you mean 'evaluate_every'?"},
      {"evaluate_every = 500", "evaluate_every = 0", "2", "above 0"},
      {"classes = \"many\"", "classes = \"manny\"", "25", "did you mean 'many'?"},
      {"\"mt\"]", "\"mits\"]", "30", "no class 'mits'"},
      {"\"mt\"]", "\"mito\"]", "30", "'mito' is named twice"},
      {"datasets = \"jurkat\"", "datasets = \"jurkatt\"", "33", "did you mean 'jurkat'?"},
      {"name = \"own\"", "name = \"setup03\"", "29", "two are named 'setup03'"},
      {"voxel_size_nm = 4", "", "23", "voxel_size_nm"},
      {"[20, 220]", "[220, 20]", "7", "low below high"},
      {"role = \"holdout\"", "role = \"train\"", "4", "holdout"},
      {"network = \"networks/old\"", "network = \"n\"\nclasses = \"many\"", "40", "trained already"},
      {"batch = 2", "keep_checkpoints = 2", "43", "evaluate_every"},
      {"batch = 2", "classes = [\"er\"]", "43", "datasets and set-ups say it"},
      {"labels = \"/data/jurkat\"", "labels = \"/data/jurkat\"\nrole = \"validate\"", "29",
       "role = \"train\""},
      {"name = \"jurkat\"", "name = \"a/b\"", "18", "letters, digits"}};
  for (const Fault& fault : faults) {
    try {
      parse(changed(kSound, fault.from, fault.to));
      ADD_FAILURE() << fault.to;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.message().find("study.toml:" + std::string(fault.line) + ":"), std::string::npos)
          << error.message();
      EXPECT_NE(error.message().find(fault.words), std::string::npos) << error.message();
    }
  }
}

TEST(StudyConfig, IsToldFromACell) {
  const organon::testing::TemporaryFolder folder;
  const auto path = folder.path() / "a.toml";
  write_text_atomically(path, kSound);
  EXPECT_TRUE(is_study(path));
  write_text_atomically(path, "[raw]\nsource = \"slices\"\n");
  EXPECT_FALSE(is_study(path));
  write_text_atomically(path, "[[setups\n");
  EXPECT_FALSE(is_study(path)) << "whoever reads it as a cell says what is wrong";
}

}  // namespace
}  // namespace organon::config
