#include "organon/app/compare_api.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::app {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{6, 9, 11};

std::string store(const std::filesystem::path& folder, const std::string& name, std::int64_t first) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  Array<std::uint8_t> voxels(kShape);
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    voxels.data()[i] = static_cast<std::uint8_t>((first + i * 37) % 256);
  const std::string address = "n5://" + (folder / "secret_path.n5" / name).string();
  storage::create_dataset(address, spec)->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

struct World {
  TemporaryFolder folder;
  stages::ComparedAddresses addresses{store(folder.path(), "first", 0), store(folder.path(), "second", 99),
                                      store(folder.path(), "raw", 5), ""};
  stages::Comparison comparison;
  std::vector<std::string> errors;
  CompareApi api{comparison, [this](const std::string& words) { errors.push_back(words); }};

  explicit World(std::int64_t trials = 4) : comparison(addresses, options(trials), folder.path() / "out") {}
  static stages::ComparisonOptions options(std::int64_t trials) {
    stages::ComparisonOptions options;
    options.edge_voxels = 5;
    options.trials = trials;
    options.name_a = "secret_setup@1";
    options.name_b = "secret_setup@2";
    options.label = "mito";
    options.kind_a = "prediction";
    options.kind_b = "prediction";
    return options;
  }
  server::ApiAnswer get(const std::string& path) { return api.answer({"GET", path, ""}); }
  server::ApiAnswer post(const std::string& path, const std::string& body) {
    return api.answer({"POST", path, body});
  }
};

std::string verdict(int trial, const std::string& text) {
  return Json({{"trial", trial}, {"verdict", text}, {"seconds", 1.5}}).dump();
}

TEST(CompareApi, SendsVoxelsAndBits) {
  World world;
  const server::ApiAnswer answer = world.get("trials/0");
  EXPECT_EQ(answer.status, 200);
  constexpr std::size_t kVoxels = 125;
  constexpr std::size_t kBytes = 16;
  ASSERT_EQ(answer.body.size(), kVoxels + 2 * kBytes);
  const stages::TrialPictures pictures = world.comparison.pictures(0);
  for (std::size_t i = 0; i < kVoxels; ++i) {
    EXPECT_EQ(static_cast<std::uint8_t>(answer.body[i]), pictures.raw.data()[i]);
    const auto bit = [&](std::size_t begin) {
      return (static_cast<std::uint8_t>(answer.body[begin + i / 8]) >> (i % 8)) & 1;
    };
    EXPECT_EQ(bit(kVoxels), pictures.left.data()[i]);
    EXPECT_EQ(bit(kVoxels + kBytes), pictures.right.data()[i]);
  }
}

TEST(CompareApi, TellsNobodyWhoIsWhoBeforeTheEnd) {
  World world;
  const auto is_blind = [](const server::ApiAnswer& answer) {
    return answer.body.find("secret") == std::string::npos &&
           answer.body.find("first") == std::string::npos &&
           answer.body.find("counted") == std::string::npos &&
           answer.body.find("prefer") == std::string::npos;
  };
  EXPECT_TRUE(is_blind(world.get("state")));
  for (int trial = 0; trial < 3; ++trial) {
    EXPECT_EQ(world.get(fmt::format("trials/{}", trial)).status, 200);
    const server::ApiAnswer answer = world.post("answer", verdict(trial, trial == 1 ? "both_bad" : "left"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(is_blind(answer)) << answer.body;
    EXPECT_EQ(Json::parse(answer.body)["num_answered"], trial + 1);
    EXPECT_TRUE(Json::parse(answer.body)["result"].is_null());
  }
  const server::ApiAnswer undone = world.post("undo", R"({"trial": 2})");
  EXPECT_TRUE(is_blind(undone));
  EXPECT_EQ(Json::parse(undone.body)["num_answered"], 2);
  EXPECT_EQ(Json::parse(undone.body)["both_bad"], 1);
  const Json end = Json::parse(world.post("end", "{}").body);
  EXPECT_EQ(end["result"]["a"]["name"], "secret_setup@1");
  EXPECT_TRUE(end["is_ended"]);
  EXPECT_TRUE(world.errors.empty());
}

// Whoever could see how each answer moves the probability, and take it back, would know who is where.
TEST(CompareApi, TheProbabilityIsToldAfterEachTenAnswers) {
  World world(22);
  for (int trial = 0; trial < 22; ++trial) {
    const Json before = Json::parse(world.get("state").body);
    EXPECT_EQ(before["num_told"], trial / 10 * 10);
    EXPECT_EQ(before["probability"].is_null(), trial < 10) << trial;
    if (trial >= 10) {
      EXPECT_EQ(before["probability"],
                world.comparison.record().counts(static_cast<std::size_t>(trial / 10 * 10)).probability());
    }
    ASSERT_EQ(world.get(fmt::format("trials/{}", trial)).status, 200);
    ASSERT_EQ(world.post("answer", verdict(trial, trial % 3 == 0 ? "both_bad" : "left")).status, 200);
    const std::string taken_back = fmt::format(R"({{"trial": {}}})", trial);
    if (trial % 10 == 9) {
      const server::ApiAnswer refused = world.post("undo", taken_back);
      EXPECT_EQ(refused.status, 409);
      EXPECT_NE(refused.body.find("cannot be taken back"), std::string::npos) << refused.body;
    } else if (trial != 21) {
      const std::string other = verdict(trial, "right");
      EXPECT_EQ(world.post("undo", taken_back).status, 200);
      const Json otherwise = Json::parse(world.post("answer", other).body);
      EXPECT_EQ(otherwise["probability"], before["probability"]) << "the other answer tells as much";
    }
  }
  const Json end = Json::parse(world.get("state").body);
  EXPECT_EQ(end["num_told"], 22);
  EXPECT_EQ(end["probability"], end["result"]["probability"]);
}

TEST(CompareApi, RefusesWhatMakesNoSense) {
  World world;
  for (const char* path : {"", "states", "trials/", "trials/x", "trials/2", "trials/-1", "trials/0x",
                           "trials/99999999999999999999", "answer"})
    EXPECT_EQ(world.get(path).status, 404) << path;
  EXPECT_EQ(world.post("state", "{}").status, 404);
  for (const char* body :
       {"", "[]", "{", "7", R"({"trial": 0})", R"({"trial": -1, "verdict": "left", "seconds": 1})",
        R"({"trial": 0, "verdict": "up", "seconds": 1})",
        R"({"trial": 0, "verdict": "left", "seconds": "1"})"})
    EXPECT_EQ(world.post("answer", body).status, 400) << body;
  // A letter of two bytes that the message would cut.
  std::string cut(39, 'x');
  for (int i = 0; i < 4; ++i) cut += "\u00e9";
  const server::ApiAnswer answer = world.post("answer", verdict(0, cut));
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(Json::accept(answer.body)) << answer.body;
  EXPECT_EQ(world.post("answer", verdict(1, "left")).status, 409);
  EXPECT_EQ(world.post("undo", R"({"trial": 0})").status, 409);
  EXPECT_EQ(world.post("end", "{}").status, 409);
  EXPECT_TRUE(world.errors.empty());
}

TEST(CompareApi, DoesNotThrowWhereNobodyReadsTheTerminal) {
  World world;
  CompareApi api(world.comparison, [](const std::string&) { throw std::runtime_error("a closed terminal"); });
  std::filesystem::remove_all(world.folder.path() / "out");
  std::ofstream(world.folder.path() / "out") << "no folder any more";
  ASSERT_EQ(api.answer({"GET", "trials/0", ""}).status, 200);
  EXPECT_EQ(api.answer({"POST", "answer", verdict(0, "left")}).status, 500);
}

TEST(CompareApi, FaultsOfFilesAreToldOnTheTerminalAlone) {
  World world;
  std::filesystem::remove_all(world.folder.path() / "out");
  std::ofstream(world.folder.path() / "out") << "no folder any more";
  const server::ApiAnswer answer = world.post("answer", verdict(0, "left"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("out"), std::string::npos);
  ASSERT_EQ(world.errors.size(), 1U);
  EXPECT_EQ(Json::parse(world.get("state").body)["num_answered"], 0) << "what was not kept was not answered";
}

}  // namespace
}  // namespace organon::app
