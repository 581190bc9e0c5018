// Wall clocks that jump, or are wrong: nothing depends on them. Who is silent, what took too long and when to
// commit are told by monotonic clocks; what a journal says of the time of day is for people.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "organon/base/testing/test_data.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/run_folder.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using blockwise::EndCause;
using blockwise::JournalRecord;

constexpr double kDayS = 86400;
constexpr std::int64_t kNumBlocks = 20;

class Clock : public ::testing::Test {
 protected:
  Clock() { write_prediction(path() / "p.n5/mito", {64, 64, 160}); }

  static std::map<std::string, std::string> jumping() { return {{"LD_PRELOAD", ORGANON_JUMPING_CLOCK}}; }
  static std::map<std::string, std::string> ahead() {
    return {{"LD_PRELOAD", ORGANON_JUMPING_CLOCK}, {"CLOCK_AHEAD_S", "86400"}};
  }
  static std::vector<std::string> segment_into(const std::string& output, const std::string& workers = "3",
                                               const std::string& timeout_s = "3",
                                               const std::string& silent_s = "1.5") {
    return {"segment",   "p.n5/mito", output,       "--chunk-shape", "32,32,32", "--block-shape", "32,32,32",
            "--workers", workers,     "--no-fsync", "--timeout-s",   timeout_s,  "--silent-s",    silent_s};
  }
  // Of the first step.
  std::vector<JournalRecord> records_of(const std::string& output) const {
    std::vector<JournalRecord> records;
    const blockwise::RunFolder run(blockwise::run_folder_of((path() / output).string()));
    blockwise::JournalReader(run.step(0)).poll([&](const JournalRecord& record) {
      records.push_back(record);
    });
    return records;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  organon::testing::TemporaryFolder folder_;
};

// One block takes longer than a worker may be silent, and too long.
TEST_F(Clock, ThatJumpsEndsNobodyAndMakesTheSameVoxels) {
  ASSERT_EQ(run_organon(segment_into("calm.n5/l"), {path(), {}, 0, {}}).exit_code, 0);
  auto environment = jumping();
  environment["ORGANON_FAULT"] = "block 5:1:hang";
  environment["ORGANON_FAULT_ONCE"] = (path() / "once").string();
  const Ending ending = run_organon(segment_into("jumps.n5/l"), {path(), environment, 0, {}});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_EQ(ending.err.find("no sign of life"), std::string::npos) << ending.err;
  EXPECT_GT(ending.seconds, 3) << "the block that hung was ended before its time";
  EXPECT_LT(ending.seconds, 60);
  EXPECT_EQ(digest_of(path() / "jumps.n5/l"), digest_of(path() / "calm.n5/l"));

  double earliest = 1e18;
  double latest = 0;
  std::int64_t num_started = 0;
  std::vector<EndCause> ended;
  for (const JournalRecord& record : records_of("jumps.n5/l")) {
    earliest = std::min(earliest, record.unix_time);
    latest = std::max(latest, record.unix_time);
    num_started += record.kind == JournalRecord::Kind::kStarted ? 1 : 0;
    if (record.kind == JournalRecord::Kind::kEnded) ended.push_back(record.cause);
  }
  EXPECT_GT(latest - earliest, 1.9 * kDayS) << "the clock did not jump";
  EXPECT_EQ(ended, std::vector<EndCause>{EndCause::kTimeout}) << "of the block that hung, and of no other";
  EXPECT_EQ(num_started, kNumBlocks + 1);
}

// `organon clean` while a run goes on, on a machine that is a day ahead.
TEST_F(Clock, ThatIsAheadLetsCleanTakeNothingFromLivingWriters) {
  // A process sleeps between a temporary file and its rename, once.
  auto environment = std::map<std::string, std::string>{{"ORGANON_FAULT", "rename:6:stop"}};
  environment["ORGANON_FAULT_ONCE"] = (path() / "once").string();
  std::filesystem::path asleep;
  const auto clean = [&] {
    if (!std::filesystem::exists(path() / "once")) return false;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path()))
      if (entry.path().extension() == ".partial") asleep = entry.path();
    const Ending cleaned = run_organon({"clean", path().string(), "--yes"}, {path(), ahead(), 0, {}});
    EXPECT_EQ(cleaned.exit_code, 0) << cleaned.err;
    run_organon({"clean", asleep.parent_path().string(), "--yes"}, {path(), ahead(), 0, {}});
    EXPECT_TRUE(std::filesystem::exists(asleep)) << asleep << "\n" << cleaned.out;
    return true;
  };
  const Ending ending =
      run_organon(segment_into("a.n5/l", "1", "60", "60"), {path(), environment, SIGCONT, clean});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_FALSE(asleep.empty()) << "nobody was asleep";

  // What a dead writer left goes, once nobody writes.
  const std::filesystem::path left = path() / "a.n5/l/0/.0.1.1.partial";
  std::ofstream(left) << "half";
  run_organon({"clean", path().string(), "--yes"}, {path(), ahead(), 0, {}});
  EXPECT_FALSE(std::filesystem::exists(left));
}

}  // namespace
}  // namespace organon::end_to_end
