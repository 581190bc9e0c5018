// Processes that die at any moment, and a store that fails again and again: a rerun completes with the voxels
// of a run that nothing befell. The stage has all shapes of work: map, reduce, iterate, solve.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{96, 128, 160};
constexpr int kMostReruns = 40;

std::vector<std::string> watershed_into(const std::string& output,
                                        const std::string& block_shape = "32,32,32") {
  return {"watershed", "p.n5/mito",     output,      "--sigma-nm", "8", "--threshold", "100", "--chunk-shape",
          "32,32,32",  "--block-shape", block_shape, "--workers",  "2", "--no-fsync"};
}

// Voxels of the fragments, and the bytes of their graph.
std::string made_in(const std::filesystem::path& folder, const std::string& output) {
  return digest_of(folder / output) + hash_of_files(folder / output / "region_graph");
}

class Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    write_prediction(folder_.path() / "p.n5/mito", kShape);
    ASSERT_EQ(run_organon(watershed_into("fresh.n5/f", "96,128,160"), {folder_.path(), {}, 0, {}}).exit_code,
              0);
    fresh_ = made_in(folder_.path(), "fresh.n5/f");
    ASSERT_TRUE(std::filesystem::exists(folder_.path() / ".organon/runs/fresh.n5:f/steps/7"));
  }
  // Until it is done, under this fault at each start.
  int rerun_until_done(const std::string& output, const std::map<std::string, std::string>& environment) {
    for (int reruns = 1; reruns <= kMostReruns; ++reruns) {
      const Ending ending = run_organon(watershed_into(output), {folder_.path(), environment, 0, {}});
      if (ending.exit_code == 0) return reruns;
    }
    return kMostReruns + 1;
  }

  TemporaryFolder folder_;
  std::string fresh_;
};

TEST_F(Faults, KilledAtTwentyRandomMoments) {
  Random random(20);
  int num_killed = 0;
  for (int i = 0; i < 20; ++i) {
    // Six runs of their own, so that early and late moments are met.
    const std::string output = "killed" + std::to_string(i % 6) + ".n5/f";
    const auto begin = std::chrono::steady_clock::now();
    const auto wait = std::chrono::milliseconds(20 + random.below(900));
    const auto is_time = [&] { return std::chrono::steady_clock::now() - begin > wait; };
    const Ending ending =
        run_organon(watershed_into(output), {folder_.path(), {}, SIGKILL, is_time, /*may_end_first=*/true});
    num_killed += ending.signal == SIGKILL ? 1 : 0;
  }
  EXPECT_GT(num_killed, 8) << "too few were killed before they were done";
  for (int i = 0; i < 6; ++i) {
    const std::string output = "killed" + std::to_string(i) + ".n5/f";
    const Ending last = run_organon(watershed_into(output), {folder_.path(), {}, 0, {}});
    ASSERT_EQ(last.exit_code, 0) << last.err;
    EXPECT_EQ(made_in(folder_.path(), output), fresh_) << output;
  }
}

// The worker that comes there, once; its supervisor starts another.
TEST_F(Faults, KilledInEachShapeOfWork) {
  int number = 0;
  for (const char* place : {"smooth:3", "spread, round 2:2", "count changes:1", "label basins:5",
                            "join basins:2", "number fragments:1", "measure interfaces:4", "write graph:1",
                            "rename:9", "journal:1", "chunk write:7"}) {
    const std::string output = "place" + std::to_string(++number) + ".n5/f";
    const std::filesystem::path once = folder_.path() / ("once" + std::to_string(number));
    const std::map<std::string, std::string> fault = {{"ORGANON_FAULT", place},
                                                      {"ORGANON_FAULT_ONCE", once.string()}};
    const int reruns = rerun_until_done(output, fault);
    EXPECT_LE(reruns, 2) << place;
    EXPECT_TRUE(std::filesystem::exists(once)) << place << ": nobody came there";
    EXPECT_EQ(made_in(folder_.path(), output), fresh_) << place;
  }
}

TEST_F(Faults, AStoreThatFailsEveryNthCall) {
  int number = 0;
  for (const char* place : {"chunk write:/3:throw", "chunk read:/41:throw"}) {
    const std::string output = "store" + std::to_string(++number) + ".n5/f";
    EXPECT_LE(rerun_until_done(output, {{"ORGANON_FAULT", place}}), kMostReruns) << place;
    EXPECT_EQ(made_in(folder_.path(), output), fresh_) << place;
  }
}

}  // namespace
}  // namespace organon::end_to_end
