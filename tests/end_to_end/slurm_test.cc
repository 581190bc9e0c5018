// --engine slurm on a real Slurm: a private cluster of two nodes, whose daemons and workers die.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "organon/base/command.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"
#include "touching_objects.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kShape{64, 96, 128};  // 24 blocks
const std::string kOutput = "cell.n5/labels";

class Slurm : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new organon::testing::TemporaryFolder;
    // munged is another user.
    std::filesystem::permissions(cluster_->path(), std::filesystem::perms(0711));
    const CommandResult started = run_command({ORGANON_PRIVATE_SLURM, "start", cluster_->path() / "c"});
    is_up_ = started.exit_code == 0;
    reason_ = started.err;
    ::setenv("SLURM_CONF", (cluster_->path() / "c/slurm.conf").c_str(), 1);
  }
  static void TearDownTestSuite() {
    run_command({ORGANON_PRIVATE_SLURM, "stop", cluster_->path() / "c"});
    ::unsetenv("SLURM_CONF");
    delete cluster_;
  }

  void SetUp() override {
    if (!is_up_) {
      if (std::getenv("CI") != nullptr) FAIL() << "no Slurm can be started here: " << reason_;
      GTEST_SKIP() << "no Slurm can be started here, so --engine slurm is NOT tested: " << reason_;
    }
    write_prediction(path() / "p.n5/mito", kShape);
    const Ending local = segment("local.n5/labels", {}, {});
    EXPECT_EQ(local.exit_code, 0) << local.err;
    expected_ = digest_of(path() / "local.n5/labels");
  }

  Ending segment(const std::string& output, std::map<std::string, std::string> environment,
                 const std::vector<std::string>& more, const std::function<void()>& meanwhile = {}) {
    std::vector<std::string> arguments = {"segment",  "p.n5/mito",     output,     "--chunk-shape",
                                          "32,32,32", "--block-shape", "32,32,32", "--no-fsync"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::jthread beside;
    if (meanwhile) beside = std::jthread(meanwhile);
    return run_organon(arguments, {path(), environment, 0, {}});
  }
  static const std::vector<std::string>& on_slurm() {
    static const std::vector<std::string> words = {"--engine", "slurm", "--workers", "3", "--silent-s", "3"};
    return words;
  }
  void expect_done(const Ending& ending) const {
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    EXPECT_EQ(digest_of(path() / kOutput), expected_);
    EXPECT_EQ(run_command({"squeue", "--noheader", "--states=PENDING,RUNNING"}).out, "")
        << "tasks are left behind";
  }
  // Waits, half a minute at most.
  template <class Condition>
  static void wait_until(Condition condition) {
    for (int i = 0; i < 600 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  // Where a block that hangs once, hangs: "n1" or "n2".
  std::string node_of_hanging_task() const {
    const auto runs = path() / ".organon/runs/cell.n5:labels/slurm";
    std::error_code missing;
    for (const auto& log : std::filesystem::directory_iterator(runs, missing)) {
      if (read_text(log.path()).find("fault point") == std::string::npos) continue;
      return run_command({"squeue", "--noheader", "--jobs", log.path().stem().string(), "--format=%N"})
          .out.substr(0, 2);
    }
    return "";
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  static std::string cluster() { return cluster_->path() / "c"; }

 private:
  organon::testing::TemporaryFolder folder_;
  std::string expected_;
  static inline organon::testing::TemporaryFolder* cluster_ = nullptr;
  static inline bool is_up_ = false;
  static inline std::string reason_;
};

TEST_F(Slurm, MakesTheSameVoxels) {
  expect_done(segment(kOutput, {}, on_slurm()));
  EXPECT_GT(
      std::distance(std::filesystem::directory_iterator(path() / ".organon/runs/cell.n5:labels/slurm"), {}),
      0)
      << "by Slurm";
  const Ending again = segment(kOutput, {}, on_slurm());
  EXPECT_NE(again.err.find("unchanged"), std::string::npos) << again.err;
}

TEST_F(Slurm, MakesTheSameOfTouchingObjects) {
  const auto make = [](const std::filesystem::path& folder, const std::vector<std::string>& workers) {
    std::filesystem::create_directories(folder);
    write_touching_objects(folder);
    std::vector<std::string> running = {"--block-shape", "64,64,64"};
    running.insert(running.end(), workers.begin(), workers.end());
    return make_touching_objects(folder, running);
  };
  EXPECT_EQ(make(path() / "on_slurm", on_slurm()), make(path() / "here", {"--workers", "2"}));
  for (const char* stage : {"fragments", "cut", "balanced", "outside", "edited"}) {
    const std::string run = std::string("on_slurm/.organon/runs/cell.n5:") + stage;
    EXPECT_TRUE(std::filesystem::exists(path() / run / "slurm")) << stage;
  }
}

TEST_F(Slurm, ANodeThatDiesIsDoneWithout) {
  const std::map<std::string, std::string> hang = {{"ORGANON_FAULT", "block 9:1:hang"},
                                                   {"ORGANON_FAULT_ONCE", path() / "once"}};
  std::string node;
  const Ending ending = segment(kOutput, hang, on_slurm(), [&] {
    wait_until([&] { return !(node = node_of_hanging_task()).empty(); });
    if (!node.empty()) run_command({ORGANON_PRIVATE_SLURM, "kill-node", cluster(), node.substr(1)});
  });
  EXPECT_FALSE(node.empty()) << "no block hung";
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_FALSE(node.empty());
  run_command({ORGANON_PRIVATE_SLURM, "revive", cluster(), node.substr(1)});
  wait_until([] { return run_command({"squeue", "--noheader"}).out.empty(); });
  expect_done(ending);
}

TEST_F(Slurm, RequeuedAndWarnedTasksGoOn) {
  const std::map<std::string, std::string> slow = {{"ORGANON_FAULT", "block 9:1:hang"},
                                                   {"ORGANON_FAULT_ONCE", path() / "once"}};
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"scontrol", "requeue"},
        // What Slurm sends before the end of a task's time; a worker that hangs is silent and taken over.
        std::vector<std::string>{"scancel", "--batch", "--signal=TERM"}}) {
    SCOPED_TRACE(command[1]);
    std::filesystem::remove(path() / "once");
    std::string job;
    std::vector<std::string> arguments = on_slurm();
    arguments.insert(arguments.end(), {"--force", "--timeout-s", "5"});
    const Ending ending = segment(kOutput, slow, arguments, [&] {
      wait_until([&] { return std::filesystem::exists(path() / "once"); });
      const auto jobs = run_command({"squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i"});
      std::istringstream lines(jobs.out);
      while (lines >> job) {
        std::vector<std::string> words = command;
        words.push_back(job);
        run_command(words);
        // Slurm lets a requeued task wait for two minutes by itself.
        if (command[1] == "requeue") run_command({"scontrol", "update", "StartTime=now", "JobId=" + job});
      }
    });
    EXPECT_FALSE(job.empty());
    expect_done(ending);
  }
}

TEST_F(Slurm, ABlockThatLacksMemoryHasANodeForItself) {
  std::vector<std::string> arguments = on_slurm();
  arguments.insert(arguments.end(), {"--sbatch-args", "--mem=700M \"--comment=two words\""});
  const Ending ending = segment(
      kOutput, {{"ORGANON_FAULT", "block 9:1:memory"}, {"ORGANON_FAULT_ONCE", path() / "once"}}, arguments);
  EXPECT_TRUE(std::filesystem::exists(path() / "once"));
  expect_done(ending);
}

TEST_F(Slurm, ASubmissionThatFailsAtFirstIsTriedAgain) {
  // A stand-in for a controller that is busy: sbatch as it is, but for two failures first.
  const std::string real = run_command({"sh", "-c", "command -v sbatch"}).out;
  const auto folder = path() / "bin";
  std::filesystem::create_directories(folder);
  {
    std::ofstream script(folder / "sbatch");
    script << "#!/bin/sh\necho x >>'" << (path() / "tries").string() << "'\n"
           << "[ $(wc -l <'" << (path() / "tries").string()
           << "') -gt 2 ] || { echo 'sbatch: error: Batch job "
           << "submission failed: Socket timed out on send/recv operation' >&2; exit 1; }\nexec " << real;
    script.seekp(-1, std::ios::end);
    script << " \"$@\"\n";
  }
  std::filesystem::permissions(folder / "sbatch", std::filesystem::perms::owner_all);
  expect_done(segment(kOutput, {{"PATH", folder.string() + ":" + std::getenv("PATH")}}, on_slurm()));
  EXPECT_EQ(read_text(path() / "tries"), "x\nx\nx\n");
  const Ending none = segment("none.n5/l", {{"PATH", path() / "nothing"}}, on_slurm());
  EXPECT_NE(none.exit_code, 0);
  EXPECT_NE(none.err.find("there is no sbatch here"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace organon::end_to_end
