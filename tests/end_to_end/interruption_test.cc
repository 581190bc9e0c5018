// Ctrl-C and a full disk in mid-stage: one clear message, an exit code that is not 0, nothing finished lost.

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <csignal>
#include <fstream>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{96, 128, 160};

std::vector<std::string> segment_into(const std::string& output) {
  return {"segment", "p.n5/mito",     output,     "--sigma-nm",    "16",       "--min-volume-nm3",
          "1e6",     "--chunk-shape", "32,32,32", "--block-shape", "32,32,32", "--workers",
          "2",       "--no-fsync"};
}

std::int64_t count_of(const std::string& text, const std::string& word) {
  std::int64_t count = 0;
  for (std::size_t place = text.find(word); place != std::string::npos; place = text.find(word, place + 1))
    ++count;
  return count;
}

TEST(Interruption, CtrlCKeepsWhatIsFinished) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TemporaryFolder folder;
    write_prediction(folder.path() / "p.n5/mito", kShape);
    const std::vector<std::string> segment = segment_into("cell.n5/labels");
    const Ending stopped =
        run_organon(segment, {folder.path(), {}, signal, [&] {
                                return std::filesystem::exists(
                                    folder.path() / ".organon/runs/cell.n5:labels/steps/0/journals/s1-w1");
                              }});
    EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
    EXPECT_EQ(count_of(stopped.err, "organon: "), 1) << stopped.err;
    EXPECT_NE(stopped.err.find("run the same command again to go on"), std::string::npos) << stopped.err;
    const auto runs = folder.path() / ".organon/runs/cell.n5:labels";
    EXPECT_FALSE(std::filesystem::exists(runs / "complete.json"));
    EXPECT_FALSE(std::filesystem::exists(runs / "steps/0/dead"))
        << "a worker was killed in place of stopped\n"
        << stopped.err;
    const std::int64_t finished = count_completed_blocks(folder.path() / "cell.n5/labels", 0);

    const Ending second = run_organon(segment, {folder.path(), {}, 0, {}});
    EXPECT_EQ(second.exit_code, 0) << second.err;
    // 60 blocks; none of those finished before was computed again.
    EXPECT_EQ(count_completed_blocks(folder.path() / "cell.n5/labels", 0), 60);
    EXPECT_LT(finished, 60) << "the signal came too late to test anything";
    const Ending third = run_organon(segment, {folder.path(), {}, 0, {}});
    EXPECT_NE(third.err.find("unchanged"), std::string::npos) << third.err;

    const Ending fresh = run_organon(segment_into("fresh.n5/labels"), {folder.path(), {}, 0, {}});
    EXPECT_EQ(fresh.exit_code, 0) << fresh.err;
    EXPECT_EQ(digest_of(folder.path() / "cell.n5/labels"), digest_of(folder.path() / "fresh.n5/labels"));
  }
}

// A file system of its own in a folder; gone with it.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, const std::string& size) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    is_mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (is_mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }
  bool resize(const std::string& size) {
    return ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()) == 0;
  }

 private:
  std::filesystem::path folder_;
  bool is_mounted_ = false;
};

TEST(Interruption, AFullDiskIsToldAndTheNextRunGoesOn) {
  for (const char* size : {"40k", "200k", "400k"}) {
    SCOPED_TRACE(size);
    const TemporaryFolder folder;
    SmallDisk disk(folder.path() / "small", size);
    if (!disk.is_mounted()) GTEST_SKIP() << "NOT TESTED: mounting a small file system needs root";
    write_prediction(folder.path() / "p.n5/mito", kShape);
    const std::vector<std::string> segment = segment_into("small/cell.n5/labels");
    const Ending full = run_organon(segment, {folder.path(), {}, 0, {}});
    EXPECT_EQ(full.exit_code, 3) << full.err;
    EXPECT_EQ(count_of(full.err, "organon: "), 1) << full.err;
    EXPECT_NE(full.err.find("resource exhausted"), std::string::npos) << full.err;
    EXPECT_NE(full.err.find("small/"), std::string::npos) << "it names the place: " << full.err;

    ASSERT_TRUE(disk.resize("64m"));
    const Ending second = run_organon(segment, {folder.path(), {}, 0, {}});
    EXPECT_EQ(second.exit_code, 0) << second.err;
    const Ending fresh = run_organon(segment_into("fresh.n5/labels"), {folder.path(), {}, 0, {}});
    EXPECT_EQ(fresh.exit_code, 0) << fresh.err;
    EXPECT_EQ(digest_of(folder.path() / "small/cell.n5/labels"),
              digest_of(folder.path() / "fresh.n5/labels"));
  }
}

}  // namespace
}  // namespace organon::end_to_end
