#include "organon/stages/evaluation/score_records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

// {"scores": [...]} with single quotes for double ones.
std::string scores(std::string rows) {
  std::replace(rows.begin(), rows.end(), '\'', '"');
  return "{\"scores\": [" + rows + "]}";
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

void expect_says(const std::string& message, const std::string& words) {
  EXPECT_NE(message.find(words), std::string::npos) << message;
}

TEST(ScoreRecords, RowsAreReadWithTheirKeys) {
  const auto rows = parse_scores(
      scores("{'class': 'ribo', 'region': 'all', 'f1': 0.5, 'hausdorff_nm': null, 'threshold': 127, "
             "'clip_distance_nm': 200, 'tolerance_nm': 40, 'kind': 'prediction', 'true_positive_voxels': 7, "
             "'dataset': 'hela-2', 'crop': '113', 'setup': 'setup03', 'family': 'many', 'iteration': 25000, "
             "'path': 'p.n5', 'raw_dataset': 's0', 'raw_voxel_size_nm': 4, 'refined': 1, 'new_column': 'x'}, "
             "{'class': 'er', 'region': 'left'}"),
      "a.json");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  const ScoredRow& row = (*rows)[0];
  EXPECT_EQ(row.file, "a.json");
  EXPECT_EQ(row.label, "ribo");
  EXPECT_EQ(row.dataset, "hela-2");
  EXPECT_EQ(row.crop, "113");
  EXPECT_EQ(row.setup, "setup03");
  EXPECT_EQ(row.family, "many");
  EXPECT_EQ(row.iteration, 25000);
  EXPECT_EQ(row.path, "p.n5");
  EXPECT_EQ(row.raw_dataset, "s0");
  EXPECT_EQ(row.raw_voxel_size_nm, 4);
  EXPECT_EQ(row.threshold, 127);
  EXPECT_TRUE(row.refined);
  EXPECT_EQ(row.value(metric_index("f1")), 0.5);
  EXPECT_TRUE(row.values[metric_index("hausdorff_nm")].has_value());
  EXPECT_TRUE(std::isnan(row.value(metric_index("hausdorff_nm"))));
  EXPECT_FALSE(row.values[metric_index("jaccard")].has_value());
  EXPECT_EQ(row.parameter(metric_index("mean_false_distance_clipped_nm")), 200);
  EXPECT_EQ(row.parameter(metric_index("f1_tolerant")), 40);
  EXPECT_TRUE(std::isnan(row.parameter(metric_index("f1"))));
  const ScoredRow& bare = (*rows)[1];
  EXPECT_EQ(bare.iteration, -1);
  EXPECT_TRUE(std::isnan(bare.threshold));
  EXPECT_EQ(bare.crop, "left") << "the region stands for a crop that is not stated";
  EXPECT_FALSE(bare.refined);
}

TEST(ScoreRecords, HostileRowsAreRefusedByPlaceAndColumn) {
  const auto refusal = [](const std::string& row) {
    return message_of([&] { parse_scores(scores("{'class': 'a'}, " + row), "a.json"); });
  };
  expect_says(refusal("{'f1': 0.5}"), "a.json, row 2 of scores: column class: expected a text");
  expect_says(refusal("7"), "expected an object, found 7");
  expect_says(refusal("{'class': 3}"), "column class");
  expect_says(refusal("{'class': 'a', 'f1': 'high'}"),
              "column f1: expected a number from 0 to 1e+06, found \"high\"");
  expect_says(refusal("{'class': 'a', 'f1': -0.1}"), "column f1");
  expect_says(refusal("{'class': 'a', 'f1': 1e300}"), "column f1");
  expect_says(refusal("{'class': 'a', 'f1': [1]}"), "column f1");
  expect_says(refusal("{'class': 'a', 'iteration': 1.5}"), "column iteration: expected a whole number");
  expect_says(refusal("{'class': 'a', 'iteration': '25k'}"), "column iteration");
  expect_says(refusal("{'class': 'a', 'iteration': -2}"), "column iteration");
  expect_says(refusal("{'class': 'a', 'iteration': 1e300}"), "column iteration");
  expect_says(refusal("{'class': 'a', 'setup': 3}"), "column setup: expected a text");
  expect_says(refusal("{'class': 'a', 'threshold': '127'}"), "column threshold");
  expect_says(refusal("{'class': 'a', 'refined': 'no'}"), "column refined");
  expect_says(message_of([] { parse_scores("{\"scores\": [NaN]}", "a.json"); }), "a.json");
  EXPECT_FALSE(parse_scores("[1, 2]", "a.json"));
  EXPECT_FALSE(parse_scores("{\"scores\": 3}", "a.json"));
  EXPECT_FALSE(parse_scores("{\"layers\": []}", "a.json"));
}

TEST(ScoreRecords, MetricsAreFoundByName) {
  EXPECT_EQ(metrics()[metric_index("mean_false_distance_nm")].higher_is_better, false);
  EXPECT_EQ(metrics()[metric_index("objects_f1")].higher_is_better, true);
  expect_says(message_of([] { metric_index("f2"); }), "did you mean 'f1'?");
}

struct Tree {
  TemporaryFolder folder;
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << text;
  }
  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
};

TEST(ScoreRecords, FoldersAreSearchedInOrderOfPaths) {
  const Tree tree;
  tree.put("b.json", scores("{'class': 'b', 'f1': 1}"));
  tree.put("a/z.json", scores("{'class': 'z', 'f1': 1}, {'class': 'y', 'f1': 1}"));
  tree.put("a/deep/c.json", scores("{'class': 'c', 'f1': 1}"));
  tree.put("a/other.json", "{\"layers\": []}");
  tree.put("a/torn.json", "{\"la");
  tree.put("a/note.txt", "nothing");
  tree.put(".organon/runs/b.json", scores("{'class': 'hidden', 'f1': 1}"));
  const GatheredScores gathered = gather_scores({tree.folder.path().string(), tree.at("b.json")});
  std::string labels;
  for (const ScoredRow& row : gathered.rows) labels += row.label;
  EXPECT_EQ(labels, "czyb") << "a file named twice counts once";
  EXPECT_EQ(gathered.num_files, 3U);
  EXPECT_EQ(gathered.skipped, (std::vector<std::string>{tree.at("a/other.json"), tree.at("a/torn.json")}));
  expect_says(message_of([&] { gather_scores({tree.at("a/other.json")}); }),
              "expected an object with a list");
  expect_says(message_of([&] { gather_scores({tree.at("nowhere")}); }), "no such file or folder");
  tree.put("empty/none.json", "{\"scores\": []}");
  expect_says(message_of([&] { gather_scores({tree.at("empty")}); }), "no rows of scores in 1 files");
  // What is meant to hold scores and does not is not passed over.
  tree.put("a/half.json", "{\"scores\": [{\"class\": \"a\"");
  expect_says(message_of([&] { gather_scores({tree.at("a")}); }), "half.json");
}

TEST(ScoreRecords, OneScoreTwiceIsAnErrorThatNamesBothFiles) {
  const Tree tree;
  const std::string keys = "'class': 'er', 'setup': 's', 'iteration': 5, 'dataset': 'd', 'crop': '1'";
  tree.put("a.json", scores("{" + keys + ", 'f1': 0.5, 'threshold': 127}"));
  const auto with = [&](const std::string& row) {
    tree.put("b.json", scores("{" + row + "}"));
    return message_of([&] { gather_scores({tree.folder.path().string()}); });
  };
  expect_says(with(keys + ", 'f1': 0.7, 'threshold': 127"),
              tree.at("a.json") + " and " + tree.at("b.json") + " both give f1");
  EXPECT_EQ(with(keys + ", 'f1': 0.7, 'threshold': 128"), "accepted");
  EXPECT_EQ(with(keys + ", 'f1': 0.7"), "accepted") << "labels are not a prediction";
  EXPECT_EQ(with(keys + ", 'jaccard': 0.7, 'threshold': 127"), "accepted") << "another metric";
  EXPECT_EQ(with(keys + ", 'f1': 0.5, 'threshold': 127, 'refined': true"), "accepted");
  EXPECT_EQ(with(keys + ", 'f1': 0.5, 'threshold': 127, 'raw_dataset': 's1'"), "accepted");
  EXPECT_EQ(with(keys + ", 'f1': 0.5, 'threshold': 127, 'path': 'p'"), "accepted");
  tree.put("c.json", scores("{" + keys + ", 'path': 'q', 'f1_tolerant': 1, 'tolerance_nm': 40}"));
  EXPECT_EQ(with(keys + ", 'path': 'q', 'f1_tolerant': 1, 'tolerance_nm': 20"), "accepted")
      << "another parameter";
  expect_says(with(keys + ", 'path': 'q', 'f1_tolerant': 1, 'tolerance_nm': 40"), "both give f1_tolerant");
}

TEST(ScoreRecords, TheStoreHasARecordPerMetricOfARow) {
  const auto rows =
      parse_scores(scores("{'class': 'ribo', 'f1': 0.5, 'hausdorff_nm': null, 'threshold': 127, "
                          "'f1_tolerant': 0.75, 'tolerance_nm': 40, 'setup': 's', 'refined': 1}"),
                   "a.json");
  const ObjectTable records = records_of(*rows);
  ASSERT_EQ(records.num_rows(), 3U);
  EXPECT_EQ(records.key_name(), "record");
  std::vector<std::string> names;
  for (const Column& column : records.columns()) names.push_back(column.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"path", "dataset", "setup", "iteration", "label", "crop", "threshold",
                                      "metric", "metric_params", "value", "raw_dataset", "refined"}));
  EXPECT_EQ(records.column<std::string>("metric"),
            (std::vector<std::string>{"f1", "hausdorff_nm", "f1_tolerant"}));
  EXPECT_EQ(records.column<std::string>("metric_params"),
            (std::vector<std::string>{"{}", "{}", "{\"tolerance_nm\": 40}"}));
  EXPECT_EQ(records.column<double>("value")[0], 0.5);
  EXPECT_TRUE(std::isnan(records.column<double>("value")[1]));
  EXPECT_EQ(records.column<std::int64_t>("iteration")[2], -1);
  EXPECT_EQ(records.column<std::int64_t>("refined")[2], 1);
}

}  // namespace
}  // namespace organon::stages
