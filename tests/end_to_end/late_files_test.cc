// Claims that are seen late or not at all, as over a network file system: two workers may compute the same
// block, and a worker may not know what it holds. The voxels stay the same, and each block counts once.

#include <gtest/gtest.h>

#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kShape{96, 128, 160};

class LateFiles : public ::testing::Test {
 protected:
  LateFiles() {
    write_prediction(path() / "p.n5/mito", kShape);
    watershed("calm.n5/f", {});
  }

  Ending watershed(const std::string& output, const std::map<std::string, std::string>& environment) const {
    Ending ending = run_organon(
        {"watershed", "p.n5/mito", output, "--sigma-nm", "8", "--threshold", "100", "--chunk-shape",
         "32,32,32", "--block-shape", "32,32,32", "--workers", "3", "--no-fsync"},
        {path(), environment, 0, {}});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    return ending;
  }
  std::map<std::string, std::string> late(const std::string& mode) const {
    return {{"LD_PRELOAD", ORGANON_LATE_FILES},
            {"LATE_FILES", mode},
            {"LATE_FILES_LOG", (path() / "late").string()}};
  }
  // How often something was hidden or denied.
  std::uintmax_t count_late() const {
    std::error_code never;
    const auto count = std::filesystem::file_size(path() / "late", never);
    return never ? 0 : count;
  }
  Json steps_of(const std::string& output) const {
    const Ending status = run_organon({"status", output, "--json"}, {path(), {}, 0, {}});
    Json steps = parse_json(status.out, "status").at("steps");
    EXPECT_GT(steps.size(), 8U) << status.out;
    return steps;
  }
  std::string made_in(const std::string& output) const {
    return digest_of(path() / output) + hash_of_files(path() / output / "region_graph");
  }
  // The voxels and the graph of an undisturbed run, as the ledger has them; each block done, and once.
  void expect_sound(const std::string& output) const {
    EXPECT_EQ(made_in(output), made_in("calm.n5/f"));
    const Ending verified = run_organon({"verify", output}, {path(), {}, 0, {}});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    for (const Json& step : steps_of(output)) {
      EXPECT_EQ(step.at("completed").get<int>() + step.at("skipped").get<int>(), step.at("blocks"));
      EXPECT_EQ(step.at("failed"), 0);
    }
  }
  // Completed records beyond one per block, of all steps.
  std::int64_t count_repeated(const std::string& output) const {
    std::int64_t repeated = 0;
    int number = 0;
    for (const Json& step : steps_of(output))
      repeated += count_completed_blocks(path() / output, number++) - step.at("blocks").get<std::int64_t>();
    return repeated;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  organon::testing::TemporaryFolder folder_;
};

TEST_F(LateFiles, ClaimsSeenLateAreTakenOverFromTheDeadAllTheSame) {
  auto environment = late("unseen");
  environment["ORGANON_FAULT"] = "label basins:2";
  environment["ORGANON_FAULT_ONCE"] = (path() / "once").string();
  watershed("a.n5/f", environment);
  EXPECT_TRUE(std::filesystem::exists(path() / "once")) << "nobody died";
  EXPECT_GT(count_late(), 0U) << "no claim was hidden";
  expect_sound("a.n5/f");
}

TEST_F(LateFiles, TwoWorkersComputeTheSameBlocksHarmlessly) {
  watershed("a.n5/f", late("shared"));
  EXPECT_GT(count_repeated("a.n5/f"), 20) << "too few blocks were computed twice";
  EXPECT_EQ(count_repeated("calm.n5/f"), 0);
  expect_sound("a.n5/f");
}

TEST_F(LateFiles, AClaimWhoseAnswerWasLostIsStillAClaim) {
  const Ending ending = watershed("a.n5/f", late("unheard"));
  EXPECT_LT(ending.seconds, 60);
  EXPECT_GT(count_late(), 0U) << "no claim was denied";
  expect_sound("a.n5/f");
}

}  // namespace
}  // namespace organon::end_to_end
