#include "organon/stages/evaluation/choose_networks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>

#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/evaluation/choose_report.h"
#include "organon/tables/sqlite_file.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

// One row of scores, as evaluate writes it; an f1 below 0 is undefined.
struct Row {
  std::string label;
  std::string family;
  std::string setup;
  double voxel_size_nm;
  std::int64_t iteration;
  std::string dataset;
  std::string crop;
  double f1;
  bool refined = false;
};

Json json_of(const Row& row) {
  Json json = {{"class", row.label},   {"region", "all"},
               {"f1", row.f1},         {"mean_false_distance_nm", 100 * (1 - row.f1)},
               {"kind", "prediction"}, {"threshold", 127}};
  if (row.f1 < 0) json["f1"] = json["mean_false_distance_nm"] = nullptr;
  const std::vector<std::pair<const char*, std::string>> keys = {
      {"dataset", row.dataset}, {"crop", row.crop}, {"setup", row.setup}, {"family", row.family}};
  for (const auto& [name, value] : keys)
    if (!value.empty()) json[name] = value;
  if (row.iteration >= 0) json["iteration"] = row.iteration;
  if (row.voxel_size_nm > 0) json["raw_voxel_size_nm"] = row.voxel_size_nm;
  if (row.refined) json["refined"] = 1;
  return json;
}

// Each row a file of its own.
void write_rows(const std::filesystem::path& folder, const std::vector<Row>& rows) {
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::ofstream(folder / (std::to_string(1000 + i) + ".json"))
        << to_text({{"scores", Json::array({json_of(rows[i])})}, {"notes", Json::array()}});
}

//                       hela 1   hela 2   jurkat 3   mean
//    er   s01 @ 25k       0.5      0.7       0.6      0.6      all, 4 nm
//         s01 @ 50k       0.6      0.8       0.4      0.6
//         s03 @ 25k       0.7      0.3       0.5      0.5      many, 4 nm
//         s04 @ 25k       0.2      0.4       0.9      0.5      many, 8 nm
//    ld   s51 @ 25k        -       0.0       0.8      0.4      few, 4 nm
const std::vector<Row> kRows = {{"er", "all", "s01", 4, 25000, "hela", "1", 0.5},
                                {"er", "all", "s01", 4, 25000, "hela", "2", 0.7},
                                {"er", "all", "s01", 4, 25000, "jurkat", "3", 0.6},
                                {"er", "all", "s01", 4, 50000, "hela", "1", 0.6},
                                {"er", "all", "s01", 4, 50000, "hela", "2", 0.8},
                                {"er", "all", "s01", 4, 50000, "jurkat", "3", 0.4},
                                {"er", "many", "s03", 4, 25000, "hela", "1", 0.7},
                                {"er", "many", "s03", 4, 25000, "hela", "2", 0.3},
                                {"er", "many", "s03", 4, 25000, "jurkat", "3", 0.5},
                                {"er", "many", "s04", 8, 25000, "hela", "1", 0.2},
                                {"er", "many", "s04", 8, 25000, "hela", "2", 0.4},
                                {"er", "many", "s04", 8, 25000, "jurkat", "3", 0.9},
                                {"ld", "few", "s51", 4, 25000, "hela", "1", -1},
                                {"ld", "few", "s51", 4, 25000, "hela", "2", 0.0},
                                {"ld", "few", "s51", 4, 25000, "jurkat", "3", 0.8},
                                {"er", "all", "s01", 4, 25000, "hela", "1", 0.55, true}};

blockwise::StageDescription describe(const std::vector<std::string>& inputs, const std::filesystem::path& out,
                                     const std::string& options) {
  blockwise::StageDescription description;
  description.verb = "choose";
  description.options_json = options;
  description.inputs = inputs;
  description.outputs = {(out / "chosen").string()};
  return description;
}

std::filesystem::path run(const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make_choose_stage, {}, {}}, description, 1);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  return description.outputs[0];
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::string text = read_text(file);
  for (std::size_t at = 0, end = 0; (end = text.find("\r\n", at)) != std::string::npos; at = end + 2)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

std::vector<std::string> lines_with(const std::vector<std::string>& lines, const std::string& begin) {
  std::vector<std::string> found;
  for (const std::string& line : lines)
    if (line.starts_with(begin)) found.push_back(line);
  return found;
}

using Lines = std::vector<std::string>;

TEST(ChooseNetworks, AnswersByHand) {
  const TemporaryFolder folder;
  write_rows(folder.path() / "scores" / "deep", kRows);
  const auto out = run(describe({(folder.path() / "scores").string()}, folder.path(), "{}"));
  EXPECT_EQ(lines_of(out / "best_iterations.csv"),
            (Lines{"class,setup,iteration,raw_dataset,score,num_scores", "er,s01,25000,,0.6,3",
                   "er,s03,25000,,0.5,3", "er,s04,25000,,0.5,3", "ld,s51,25000,,0.4,2"}));
  // Validation: 0.7 (s03), 0.8 (s01 @ 50k), 0.9 (s04). Test: on jurkat s04 is best, on hela s01 @ 50k.
  EXPECT_EQ(
      lines_with(lines_of(out / "validation_test.csv"), "any,er"),
      (Lines{"any,er,hela,1,s03,25000,,0.7,s04,25000,,0.2", "any,er,hela,2,s01,50000,,0.8,s04,25000,,0.4",
             "any,er,jurkat,3,s04,25000,,0.9,s01,50000,,0.4"}));
  EXPECT_EQ(lines_with(lines_of(out / "best_setups.csv"), "any,"),
            (Lines{"any,er,s01,25000,,0.6,3,3,0.8,0.333333", "any,ld,s51,25000,,0.4,2,2,0.4,0.4"}));
  const auto groups = lines_of(out / "best_setups.csv");
  EXPECT_EQ(lines_with(groups, "many,er"), Lines{"many,er,s03,25000,,0.5,3,3,0.666667,0.366667"});
  EXPECT_EQ(lines_with(groups, "8 nm,er"), Lines{"8 nm,er,s04,25000,,0.5,3,3,0.5,0.5"});
  EXPECT_EQ(lines_with(groups, "\"many, 4 nm\",er"), Lines{"\"many, 4 nm\",er,s03,25000,,0.5,3,3,0.5,0.5"});
  EXPECT_EQ(lines_with(groups, "few,"), Lines{"few,ld,s51,25000,,0.4,2,2,0.4,0.4"});
  EXPECT_EQ(lines_of(out / "stops.csv"),
            (Lines{"class,setup,num_checkpoints,reason,stop_iteration,use_up_to", "er,s01,2,not yet,50000,",
                   "er,s03,1,not yet,25000,", "er,s04,1,not yet,25000,", "ld,s51,1,not yet,25000,"}));
  EXPECT_EQ(
      lines_of(out / "refined.csv"),
      (Lines{"class,setup,iteration,raw_dataset,dataset,crop,prediction_score,refined_score,improvement",
             "er,s01,25000,,hela,1,0.5,0.55,0.05"}));
  const Json json = parse_json(read_text(out / "choice.json"), "choice");
  EXPECT_EQ(json["metric"], "f1");
  EXPECT_EQ(json["best_iterations"].size(), 4U);
  EXPECT_EQ(json["best_setups"][0]["validation_score"], 0.8);
  EXPECT_TRUE(json["stops"][0]["use_up_to"].is_null());
  const std::string text = read_text(out / "choice.txt");
  EXPECT_NE(text.find("16 rows in 16 files, 1 of them refined; 14 have the score that is compared"),
            std::string::npos)
      << text;
  for (const char* plot : {"best.svg", "comparisons.svg", "iterations.svg"})
    EXPECT_NE(read_text(out / plot).find("</svg>"), std::string::npos) << plot;
}

TEST(ChooseNetworks, TheStoreHoldsEveryScoreInBothFiles) {
  const TemporaryFolder folder;
  write_rows(folder.path() / "scores", kRows);
  const auto out = run(describe({(folder.path() / "scores").string()}, folder.path(), "{}"));
  const ObjectTable database = tables::read_sqlite(out / "scores.sqlite", "scores");
  const ObjectTable csv = tables::read_csv(out / "scores.csv");
  ASSERT_EQ(database.num_rows(), 32U);
  EXPECT_EQ(tables::to_csv(database), read_text(out / "scores.csv"));
  EXPECT_EQ(csv.num_rows(), 32U);
  EXPECT_EQ(database.column<std::string>("label")[24], "ld");
  EXPECT_TRUE(std::isnan(database.column<double>("value")[24]));
  EXPECT_EQ(database.column<std::int64_t>("refined")[31], 1);
}

TEST(ChooseNetworks, DistancesTurnTheOrderRound) {
  const TemporaryFolder folder;
  write_rows(folder.path() / "scores", kRows);
  const auto out = run(describe({(folder.path() / "scores").string()}, folder.path(),
                                R"({"metric": "mean_false_distance_nm"})"));
  EXPECT_EQ(lines_with(lines_of(out / "best_setups.csv"), "any,er"),
            Lines{"any,er,s01,25000,,40,3,3,20,66.666667"});
  EXPECT_EQ(lines_of(out / "refined.csv").at(1), "er,s01,25000,,hela,1,50,45,5");
}

TEST(ChooseNetworks, ChoiceEndsWhereTrainingWouldHave) {
  const TemporaryFolder folder;
  std::vector<Row> rows;
  const std::vector<double> f1 = {0.5, 0.4, 0.3, 0.9, 0.95};
  // Files in any order: iterations go down.
  for (std::size_t i = f1.size(); i-- > 0;)
    rows.push_back({"er", "", "s", 0, static_cast<std::int64_t>(10 * (i + 1)), "d", "1", f1[i]});
  write_rows(folder.path() / "scores", rows);
  const std::string in = (folder.path() / "scores").string();
  const auto all = run(describe({in}, folder.path() / "a", R"({"least_iteration": 40})"));
  EXPECT_EQ(lines_of(all / "stops.csv").at(1), "er,s,5,converged,30,40");
  EXPECT_EQ(lines_of(all / "best_iterations.csv").at(1), "er,s,50,,0.95,1");
  const auto until =
      run(describe({in}, folder.path() / "b", R"({"least_iteration": 40, "until_stop": true})"));
  EXPECT_EQ(lines_of(until / "best_iterations.csv").at(1), "er,s,40,,0.9,1");
  EXPECT_EQ(lines_with(lines_of(until / "best_setups.csv"), "any,er"), Lines{"any,er,s,40,,0.9,1,1,0.9,"});
}

TEST(ChooseNetworks, ClassesThatNoNetworkFindsAreSaid) {
  const TemporaryFolder folder;
  std::vector<Row> rows = kRows;
  for (const std::int64_t iteration : {25, 50})
    rows.push_back({"golgi", "", "s01", 0, iteration, "hela", "1", 0});
  write_rows(folder.path() / "scores", rows);
  const std::string in = (folder.path() / "scores").string();
  const auto out = run(describe({in}, folder.path() / "f1", "{}"));
  EXPECT_NE(read_text(out / "choice.txt").find("note: no network finds golgi; of such a class the first"),
            std::string::npos);
  // Of a distance 0 is the best, not the worst.
  const auto distance = run(describe({in}, folder.path() / "mfd", R"({"metric": "mean_false_distance_nm"})"));
  EXPECT_EQ(read_text(distance / "choice.txt").find("no network finds"), std::string::npos);
}

std::string contents_of(const blockwise::StageDescription& description) {
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::directory_iterator(description.outputs[0]))
    lines.push_back(entry.path().filename().string() + " " + to_hex(hash_text(read_text(entry.path()))));
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(ChooseNetworks, ObeysTheStageContract) {
  const TemporaryFolder folder;
  write_rows(folder.path() / "scores", kRows);
  blockwise::testing::expect_stage_contract({make_choose_stage,
                                             [&](const std::filesystem::path& out, const Shape3&) {
                                               return describe({(folder.path() / "scores").string()}, out,
                                                               "{}");
                                             },
                                             {{8, 8, 8}, {16, 16, 16}},
                                             contents_of});
}

TEST(ChooseNetworks, AnswersDoNotDependOnHowRowsAreSplitIntoFiles) {
  const TemporaryFolder folder;
  std::vector<Row> turned(kRows.rbegin(), kRows.rend());
  write_rows(folder.path() / "a", kRows);
  Json all = Json::array();
  for (const Row& row : turned) all.push_back(json_of(row));
  std::ofstream(folder.path() / "all.json") << Json{{"scores", all}}.dump();
  const auto many = run(describe({(folder.path() / "a").string()}, folder.path() / "many", "{}"));
  const auto one = run(describe({(folder.path() / "all.json").string()}, folder.path() / "one", "{}"));
  for (const char* name : {"best_iterations.csv", "best_setups.csv", "validation_test.csv", "stops.csv",
                           "refined.csv", "best.svg", "comparisons.svg", "iterations.svg"})
    EXPECT_EQ(read_text(many / name), read_text(one / name)) << name;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ChooseNetworks, WhatCannotBeChosenFromIsRefused) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "empty");
  const auto make = [&](const std::string& input, const std::string& options) {
    return refusal(
        [&] { make_choose_stage(describe({(folder.path() / input).string()}, folder.path(), options)); });
  };
  EXPECT_NE(make("empty", "{}").find("expected files of scores"), std::string::npos);
  EXPECT_NE(make("nowhere", "{}").find("no such file or folder"), std::string::npos);
  write_rows(folder.path() / "scores", kRows);
  EXPECT_NE(make("scores", R"({"metric": "f11"})").find("metric"), std::string::npos);
  // Rows without a score of this kind, or any key: answers are empty, not wrong.
  std::ofstream(folder.path() / "bare.json") << R"({"scores": [{"class": "er", "f1": 0.5}]})";
  const auto out =
      run(describe({(folder.path() / "bare.json").string()}, folder.path(), R"({"metric": "jaccard"})"));
  EXPECT_TRUE(lines_of(out / "best_setups.csv").empty());
  EXPECT_EQ(lines_of(out / "stops.csv").at(1), "er,,1,not yet,,");
  const auto f1 = run(describe({(folder.path() / "bare.json").string()}, folder.path() / "f1", "{}"));
  EXPECT_EQ(lines_of(f1 / "best_setups.csv").at(1), "any,er,,,,0.5,1,1,0.5,");
}

TEST(ChooseNetworks, FilesThatHoldNoScoresAreCounted) {
  const TemporaryFolder folder;
  write_rows(folder.path() / "scores", kRows);
  for (int i = 0; i < 12; ++i)
    std::ofstream(folder.path() / "scores" / ("table" + std::to_string(i) + ".json")) << "[1, 2]";
  const auto out = run(describe({(folder.path() / "scores").string()}, folder.path(), "{}"));
  EXPECT_NE(read_text(out / "choice.txt").find("12 .json files hold no scores and are left out"),
            std::string::npos);
}

}  // namespace
}  // namespace organon::stages
