// Training by several processes: this program is also the one that they run.
#include <gtest/gtest.h>

#include <cstdlib>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/nn/process_group.h"
#include "organon/stages/training/curves.h"
#include "organon/stages/training/train_network.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr double kTolerance = 1e-5;  // of losses of other sums
constexpr const char* kOptions =
    R"("classes": ["a"], "features": [4, 8], "pooling": [2], "steps": 20, "batch": 4,
    "patch": 16, "learning_rate": 0.01, "warmup_steps": 2, "log_every": 2, "checkpoint_every": 4, "threads": 2)";

// Noise that is brighter in the class.
std::vector<std::string> store_pair(const std::filesystem::path& folder) {
  const std::string container = "n5://" + (folder / "crop.n5").string();
  storage::DatasetSpec spec;
  spec.shape = {24, 24, 24};
  spec.chunk_shape = {24, 24, 24};
  spec.data_type = DataType::kUint8;
  spec.grid = {{8, 8, 8}, {0, 0, 0}};
  Random random(1);
  Array<std::uint8_t> raw(spec.shape), target(spec.shape);
  for (std::int64_t i = 0; i < raw.size(); ++i) {
    const bool is_inside = i / 24 % 24 / 6 % 2 == 0;
    raw.data()[i] = static_cast<std::uint8_t>(random.uniform(0, 100) + (is_inside ? 100 : 50));
    target.data()[i] = is_inside ? 200 : 50;
  }
  storage::create_dataset(container + "/raw", spec)
      ->write<std::uint8_t>(spec.domain(), std::as_const(raw).view(), Fsync::kNo);
  storage::create_dataset(container + "/targets/a", spec)
      ->write<std::uint8_t>(spec.domain(), std::as_const(target).view(), Fsync::kNo);
  return {container + "/raw", container + "/targets"};
}

class TrainRanks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!nn::ProcessGroup::is_available()) GTEST_SKIP() << "built without the headers of gloo";
    inputs_ = store_pair(data_.path());
  }

  blockwise::StageDescription describe(const TemporaryFolder& folder, const std::string& more) const {
    blockwise::StageDescription description;
    description.verb = "train";
    description.options_json = "{" + std::string(kOptions) + ", \"contrast_limits\": [0, 255]" + more + "}";
    description.inputs = inputs_;
    description.outputs = {(folder.path() / "network").string()};
    return description;
  }
  blockwise::RunResult run(const TemporaryFolder& folder, const std::string& more) const {
    return blockwise::testing::run_in({make_train_stage, {}, {}}, describe(folder, more), 1);
  }

  static std::vector<double> losses_in(const TemporaryFolder& folder) {
    Curves curves({"a"});
    curves.read(folder.path() / "network" / "curves.csv", 1000);
    std::vector<double> losses;
    for (const CurveRow& row : curves.rows()) losses.push_back(row.losses[0]);
    return losses;
  }
  static std::string network_in(const TemporaryFolder& folder) {
    return read_text(folder.path() / "network" / "network.organon");
  }
  // Processes that have the folder in their command line.
  static int num_processes_of(const TemporaryFolder& folder) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      try {
        count +=
            read_text(entry.path() / "cmdline").find(folder.path().string()) != std::string::npos ? 1 : 0;
      } catch (const std::exception&) {
        // No process, or one that has just ended.
      }
    }
    return count;
  }

  TemporaryFolder data_;
  std::vector<std::string> inputs_;
};

TEST_F(TrainRanks, TwoProcessesLearnAsOneDoesInParts) {
  const TemporaryFolder one, two, again;
  ASSERT_TRUE(run(one, ", \"accumulate\": 2").failures.empty());
  const auto result = run(two, ", \"processes\": 2");
  ASSERT_TRUE(result.failures.empty()) << result.failures[0].message;
  EXPECT_EQ(num_processes_of(two), 0);
  const std::vector<double> expected = losses_in(one);
  const std::vector<double> found = losses_in(two);
  ASSERT_EQ(expected.size(), 10U);
  ASSERT_EQ(found.size(), 10U);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], kTolerance);
  EXPECT_LT(found.back(), found.front());

  ASSERT_TRUE(run(again, ", \"processes\": 2").failures.empty());
  EXPECT_EQ(losses_in(again), found);
  EXPECT_TRUE(network_in(again) == network_in(two)) << "same seed, same bits";
}

TEST_F(TrainRanks, AKilledRankIsNamedAndTheNextRunGoesOnAlongTheSameCurve) {
  const TemporaryFolder whole, killed;
  ASSERT_TRUE(run(whole, ", \"processes\": 2").failures.empty());
  // In each of three lives rank 1 dies before its sixth step: after 5 and, from the checkpoints of 4 and 8,
  // 9, 13.
  ::setenv("ORGANON_FAULT", "train rank 1:6", 1);
  const auto failed = run(killed, ", \"processes\": 2");
  ::unsetenv("ORGANON_FAULT");
  ASSERT_EQ(failed.failures.size(), 1U);
  const std::string& message = failed.failures[0].message;
  EXPECT_NE(message.find("rank 1 was ended by signal 9"), std::string::npos) << message;
  EXPECT_NE(message.find("its last words: rank 1 of 2 trains from step"), std::string::npos) << message;
  EXPECT_EQ(num_processes_of(killed), 0);
  EXPECT_TRUE(std::filesystem::exists(killed.path() / "network" / "checkpoints" / "step_000012.organon"));
  EXPECT_FALSE(std::filesystem::exists(killed.path() / "network" / "network.organon"));

  const auto result = run(killed, ", \"processes\": 2");
  ASSERT_TRUE(result.failures.empty()) << result.failures[0].message;
  EXPECT_EQ(losses_in(killed), losses_in(whole));
  EXPECT_TRUE(network_in(killed) == network_in(whole));
}

TEST_F(TrainRanks, AHangingRankEndsTheOthersInTime) {
  const TemporaryFolder folder;
  ::setenv("ORGANON_FAULT", "train rank 1:2:hang", 1);
  const auto failed = run(folder, R"(, "processes": 2, "rank_timeout_s": 1)");
  ::unsetenv("ORGANON_FAULT");
  ASSERT_EQ(failed.failures.size(), 1U);
  EXPECT_NE(failed.failures[0].message.find("rank 1 still runs, but does not answer"), std::string::npos)
      << failed.failures[0].message;
  EXPECT_EQ(num_processes_of(folder), 0);
}

TEST_F(TrainRanks, SharesMustBeEqual) {
  const TemporaryFolder folder;
  for (const char* more :
       {", \"processes\": 3", ", \"processes\": 2, \"accumulate\": 3", ", \"accumulate\": 5"})
    EXPECT_THROW(make_train_stage(describe(folder, more)), Error) << more;
}

}  // namespace
}  // namespace organon::stages

int main(int argc, char** argv) {
  // As RankPlace::words() says.
  if (argc == 8 && std::string(argv[1]) == "train-rank") {
    organon::stages::RankPlace place;
    place.run = argv[2];
    place.folder = argv[3];
    place.ranks_per_node = std::atoi(argv[5]);
    place.rank = std::atoi(argv[7]);
    return organon::stages::run_training_rank(place);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
