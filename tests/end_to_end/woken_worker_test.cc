// A worker that is frozen until others have taken over, the run is complete and its output sealed, and then
// wakes. Local supervisors end such a worker; a cluster's task on a node that nobody reaches they cannot. So
// a stand-in takes the place of Slurm, whose tasks are processes that scancel does not end.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/run_folder.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

class WokenWorker : public ::testing::Test {
 protected:
  WokenWorker() {
    write_prediction(path() / "p.n5/mito", {64, 96, 128});
    // The wrapped command is the word after --wrap, the last task the number after --array=0-.
    write_program("sbatch", R"(
for word; do
  case $before in --wrap) wrap=$word ;; esac
  case $word in --array=0-*) last=${word#--array=0-} ;; esac
  before=$word
done
job=$(($(cat $here/job 2>/dev/null || echo 0) + 1))
echo $job >$here/job
export ORGANON_FAULT="$TASK_FAULT"
for task in $(seq 0 $last); do
  SLURM_ARRAY_TASK_ID=$task setsid sh -c "$wrap" >$here/log.$job.$task 2>&1 </dev/null &
  echo $! >$here/task.$job.$task
done
echo $job)");
    write_program("squeue", R"(
for word; do
  case $before in --jobs) job=$word ;; esac
  before=$word
done
for task in $here/task.$job.*; do
  state=$(cut -d' ' -f3 /proc/$(cat $task)/stat 2>/dev/null)
  case $state in '' | Z) echo ${task##*.} COMPLETED ;; *) echo ${task##*.} RUNNING ;; esac
done)");
    write_program("scancel", "");
  }
  ~WokenWorker() override {
    for (const pid_t task : tasks()) ::kill(task, SIGKILL);
  }

  Ending segment(const std::string& output, const std::vector<std::string>& more,
                 std::map<std::string, std::string> environment = {}) const {
    std::vector<std::string> arguments = {"segment",  "p.n5/mito",     output,     "--sigma-nm",
                                          "8",        "--chunk-shape", "32,32,32", "--block-shape",
                                          "32,32,32", "--no-fsync"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    environment["PATH"] = (path() / "bin").string() + ":" + std::getenv("PATH");
    return run_organon(arguments, {path(), environment, 0, {}});
  }
  // Tasks that live.
  std::vector<pid_t> tasks() const {
    std::vector<pid_t> living;
    for (const auto& file : std::filesystem::directory_iterator(path() / "bin")) {
      if (!file.path().filename().string().starts_with("task.")) continue;
      const pid_t task = std::atoi(read_text(file.path()).c_str());
      if (state_of(task) != 'Z' && state_of(task) != 0) living.push_back(task);
    }
    return living;
  }
  // As ps has it: 'T' is stopped; 0: there is none.
  static char state_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string number;
    std::string name;
    char state = 0;
    file >> number >> name >> state;
    return state;
  }
  // Of the first step: given up because the claim was another's by then.
  std::int64_t count_left_blocks(const std::string& output) const {
    const blockwise::RunFolder run(blockwise::run_folder_of((path() / output).string()));
    std::int64_t count = 0;
    blockwise::JournalReader(run.step(0)).poll([&](const blockwise::JournalRecord& record) {
      if (record.kind != blockwise::JournalRecord::Kind::kEnded) return;
      count += record.cause == blockwise::EndCause::kLeft ? 1 : 0;
    });
    return count;
  }
  // Of every file below `folder`: which one it is, and when it was written. Who writes the same bytes again
  // shows here.
  static std::map<std::string, std::string> stamps_of_files(const std::filesystem::path& folder) {
    std::map<std::string, std::string> stamps;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      struct stat status = {};
      if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &status) != 0) continue;
      stamps[entry.path().string()] =
          fmt::format("{} {}.{}", status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    EXPECT_FALSE(stamps.empty()) << folder;
    return stamps;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  void write_program(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(path() / "bin");
    const auto program = path() / "bin" / name;
    std::ofstream(program) << "#!/bin/sh\nhere='" << (path() / "bin").string() << "'" << text << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }

  organon::testing::TemporaryFolder folder_;
};

TEST_F(WokenWorker, LeavesTheSealedOutputAsItIs) {
  ASSERT_EQ(segment("calm.n5/l", {}).exit_code, 0);
  const std::string expected = digest_of(path() / "calm.n5/l");
  struct Frozen {
    std::string place;
    std::string output;
    pid_t worker = 0;
    std::map<std::string, std::string> sealed = {};  // stamps_of_files()
  };
  std::vector<Frozen> all;
  // Before it computes; before and after it looks whether its claim is still its own; before a rename; when
  // all is written but not recorded; in the midst of a record.
  for (const char* place :
       {"block 9:1", "write:2", "chunk write:3", "rename:2", "join faces:2", "relabel:2", "journal:1"}) {
    SCOPED_TRACE(place);
    const std::string number = std::to_string(all.size());
    Frozen frozen{place, "frozen" + number + ".n5/l"};
    const Ending ending = segment(frozen.output, {"--engine", "slurm", "--workers", "3", "--silent-s", "1"},
                                  {{"TASK_FAULT", frozen.place + ":stop"},
                                   {"ORGANON_FAULT_ONCE", (path() / ("once" + number)).string()}});
    ASSERT_EQ(ending.exit_code, 0) << ending.err;
    for (const pid_t task : tasks())
      if (state_of(task) == 'T' &&
          std::none_of(all.begin(), all.end(), [&](const Frozen& other) { return other.worker == task; }))
        frozen.worker = task;
    ASSERT_NE(frozen.worker, 0) << "nobody is frozen";
    frozen.sealed = stamps_of_files(path() / frozen.output);
    all.push_back(frozen);
  }

  for (const Frozen& frozen : all) ::kill(frozen.worker, SIGCONT);
  for (int i = 0; i < 600 && !tasks().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(tasks().empty()) << "a woken worker does not end";
  for (const Frozen& frozen : all) {
    SCOPED_TRACE(frozen.place);
    EXPECT_EQ(stamps_of_files(path() / frozen.output), frozen.sealed);
    EXPECT_EQ(digest_of(path() / frozen.output), expected);
    const Ending verified = run_organon({"verify", frozen.output}, {path(), {}, 0, {}});
    EXPECT_EQ(verified.exit_code, 0) << verified.out;
    // Where it comes to look, it sees that its block is another's.
    if (frozen.place == "block 9:1" || frozen.place == "write:2" || frozen.place == "chunk write:3") {
      EXPECT_EQ(count_left_blocks(frozen.output), 1);
    }
    EXPECT_NE(segment(frozen.output, {}).err.find("unchanged"), std::string::npos);
  }
}

// The scratch of a complete run stays for later runs: nothing late may get into it.
TEST_F(WokenWorker, LeavesScratchAsItIs) {
  const Ending ending =
      segment("a.n5/l", {"--engine", "slurm", "--workers", "3", "--silent-s", "1"},
              {{"TASK_FAULT", "chunk write:3:stop"}, {"ORGANON_FAULT_ONCE", path() / "once"}});
  ASSERT_EQ(ending.exit_code, 0) << ending.err;
  const auto scratch = path() / ".organon/runs/a.n5:l/scratch.n5";
  const auto before = stamps_of_files(scratch);
  ASSERT_FALSE(tasks().empty()) << "nobody is frozen";
  for (const pid_t task : tasks()) ::kill(task, SIGCONT);
  for (int i = 0; i < 600 && !tasks().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(stamps_of_files(scratch), before);
  EXPECT_EQ(run_organon({"verify", "a.n5/l"}, {path(), {}, 0, {}}).exit_code, 0);
  EXPECT_EQ(run_organon({"clean", path().string(), "--yes", "--scratch"}, {path(), {}, 0, {}}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(scratch));
}

}  // namespace
}  // namespace organon::end_to_end
