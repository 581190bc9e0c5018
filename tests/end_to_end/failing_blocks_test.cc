// Blocks that throw, crash, hang, take too much memory, or whose worker falls silent: told apart, tried
// again, given up with a reason, and never in the way of the others.

#include <gtest/gtest.h>
#include <signal.h>

#include <csignal>
#include <thread>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kShape{64, 64, 160};  // 20 blocks
constexpr std::int64_t kNumBlocks = 20;

class FailingBlocks : public ::testing::Test {
 protected:
  FailingBlocks() { write_prediction(path() / "p.n5/mito", kShape); }

  Ending segment(const std::string& output, const std::string& fault, bool once,
                 const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"segment",  "p.n5/mito",     output,     "--chunk-shape",
                                          "32,32,32", "--block-shape", "32,32,32", "--workers",
                                          "2",        "--no-fsync"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::map<std::string, std::string> environment;
    if (!fault.empty()) environment["ORGANON_FAULT"] = fault;
    if (once) environment["ORGANON_FAULT_ONCE"] = (path() / ("once-" + output.substr(0, 3))).string();
    return run_organon(arguments, {path(), environment, 0, {}});
  }
  // What goes wrong once is mended without the user.
  void expect_mended(const std::string& output, const std::string& fault,
                     const std::vector<std::string>& more = {}) {
    const Ending ending = segment(output, fault, true, more);
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    EXPECT_NE(ending.err.find("fault point " + fault.substr(0, fault.find(':'))), std::string::npos)
        << ending.err;
    EXPECT_EQ(digest_of(path() / output), undisturbed());
  }
  // What goes wrong always is given up alone, and said.
  std::string expect_given_up(const std::string& output, const std::string& fault,
                              const std::vector<std::string>& more = {}) {
    const Ending ending = segment(output, fault, false, more);
    EXPECT_EQ(ending.exit_code, 1) << ending.err;
    EXPECT_NE(ending.err.find("1 of 20 blocks failed"), std::string::npos) << ending.err;
    EXPECT_NE(ending.err.find("block 5 [0,32,0 : 32,64,32)"), std::string::npos) << ending.err;
    EXPECT_EQ(count_completed_blocks(path() / output, 0), kNumBlocks - 1) << "others are not held up";
    // Asked again, now that nothing is wrong any more: that block alone.
    const Ending again = segment(output, "", false);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(digest_of(path() / output), undisturbed());
    return ending.err;
  }
  const std::string& undisturbed() {
    if (undisturbed_.empty()) {
      EXPECT_EQ(segment("undisturbed.n5/l", "", false).exit_code, 0);
      undisturbed_ = digest_of(path() / "undisturbed.n5/l");
    }
    return undisturbed_;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  organon::testing::TemporaryFolder folder_;
  std::string undisturbed_;
};

TEST_F(FailingBlocks, ThatThrow) {
  expect_mended("a.n5/l", "block 5:1:throw");
  const std::string said = expect_given_up("b.n5/l", "block 5:*:throw");
  EXPECT_NE(said.find("fault point (3 attempts)"), std::string::npos) << said;
  EXPECT_EQ(said.find("timeout"), std::string::npos) << said;
}

TEST_F(FailingBlocks, ThatCrash) {
  expect_mended("a.n5/l", "block 5:1:crash");
  const std::string said = expect_given_up("b.n5/l", "block 5:*:crash");
  EXPECT_NE(said.find("crash: its worker was ended by signal 11"), std::string::npos) << said;
}

TEST_F(FailingBlocks, ThatHang) {
  const std::vector<std::string> timeout = {"--timeout-s", "1"};
  expect_mended("a.n5/l", "block 5:1:hang", timeout);
  const std::string said = expect_given_up("b.n5/l", "block 5:*:hang", timeout);
  EXPECT_NE(said.find("timeout: took longer than 1 s (3 attempts)"), std::string::npos) << said;
}

TEST_F(FailingBlocks, ThatTakeTooMuchMemory) {
  const std::vector<std::string> memory = {"--memory", "1GiB"};
  expect_mended("a.n5/l", "block 5:1:memory", memory);
  const std::string said = expect_given_up("b.n5/l", "block 5:*:memory", memory);
  EXPECT_NE(said.find("out of memory: the worker had"), std::string::npos) << said;
  EXPECT_NE(said.find("its share is 512 MiB"), std::string::npos) << said;
  EXPECT_NE(said.find("its share is 1024 MiB"), std::string::npos) << "tried alone with all of it: " << said;
}

TEST_F(FailingBlocks, WhoseWorkerFallsSilent) {
  expect_mended("a.n5/l", "block 5:1:stop", {"--silent-s", "2"});
}

TEST_F(FailingBlocks, WithoutEndStopTheRunEarly) {
  // Every block: given up after ten, not after twenty.
  const Ending ending = segment("a.n5/l", "block:*:throw", false, {"--max-failed-share", "0.2"});
  EXPECT_EQ(ending.exit_code, 1) << ending.err;
  EXPECT_NE(ending.err.find("blocks failed"), std::string::npos) << ending.err;
  EXPECT_EQ(ending.err.find("20 of 20 blocks failed"), std::string::npos) << ending.err;
}

TEST_F(FailingBlocks, AreShownByStatusAndRunAlone) {
  const Ending failed = segment("a.n5/l", "block 5:*:throw", false);
  EXPECT_EQ(failed.exit_code, 1) << failed.err;
  const Ending status = run_organon({"status", "a.n5/l", "--json"}, {path(), {}, 0, {}});
  EXPECT_EQ(status.exit_code, 0) << status.err;
  const Json json = parse_json(status.out, "status");
  EXPECT_EQ(json.at("state"), "failed");
  const Json step = json.at("steps").at(0);
  EXPECT_EQ(step.at("blocks"), kNumBlocks);
  EXPECT_EQ(step.at("failed"), 1);
  EXPECT_EQ(step.at("completed").get<int>() + step.at("skipped").get<int>(), kNumBlocks - 1);
  EXPECT_EQ(step.at("failures").at(0).at("block"), 5);

  // As the message says: alone, its input drawn. It fails again where the fault is still there.
  const std::vector<std::string> alone = {"block",   "a.n5/l", "--step", "1",
                                          "--block", "5",      "--draw", "b.png"};
  const Ending again = run_organon(alone, {path(), {{"ORGANON_FAULT", "block 5:*:throw"}}, 0, {}});
  EXPECT_NE(again.exit_code, 0);
  EXPECT_NE(again.err.find("fault point (3 attempts)"), std::string::npos) << again.err;
  EXPECT_GT(std::filesystem::file_size(path() / "b.png"), 100U);
  const Ending mended = run_organon(alone, {path(), {}, 0, {}});
  EXPECT_EQ(mended.exit_code, 0) << mended.err;
  EXPECT_EQ(count_completed_blocks(path() / "a.n5/l", 0), kNumBlocks);
  EXPECT_EQ(segment("a.n5/l", "", false).exit_code, 0);
  EXPECT_EQ(count_completed_blocks(path() / "a.n5/l", 0), kNumBlocks) << "what ran alone counts";
  EXPECT_EQ(digest_of(path() / "a.n5/l"), undisturbed());
  EXPECT_NE(run_organon({"block", "a.n5/l", "--step", "1", "--block", "20"}, {path(), {}, 0, {}}).exit_code,
            0);
}

}  // namespace
}  // namespace organon::end_to_end
