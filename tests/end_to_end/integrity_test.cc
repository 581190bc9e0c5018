// verify finds every kind of damage, repair mends it by computing no more than it must, clean removes waste
// only.

#include <gtest/gtest.h>

#include <fstream>

#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

constexpr Shape3 kShape{64, 96, 96};  // 18 blocks

class Integrity : public ::testing::Test {
 protected:
  Integrity() {
    write_prediction(path() / "p.n5/mito", kShape);
    for (const auto& verb : {segment_, refine_}) expect_done(verb);
    labels_ = digest_of(path() / "cell.n5/labels");
  }
  Ending run(const std::vector<std::string>& arguments) {
    return run_organon(arguments, {path(), {}, 0, {}});
  }
  void expect_done(const std::vector<std::string>& arguments) {
    const Ending ending = run(arguments);
    EXPECT_EQ(ending.exit_code, 0) << ending.err << ending.out;
  }
  // verify says what is wrong, repair mends it, and both are content afterwards.
  void expect_repaired(const std::string& words, std::int64_t blocks_before, std::int64_t most_blocks) {
    const Ending found = run({"verify", "cell.n5/labels"});
    EXPECT_EQ(found.exit_code, 1) << found.out;
    EXPECT_NE(found.out.find(words), std::string::npos) << found.out;
    expect_done({"repair", "cell.n5/labels"});
    expect_done({"verify", "cell.n5/labels"});
    EXPECT_EQ(digest_of(path() / "cell.n5/labels"), labels_);
    const std::int64_t blocks = count_completed_blocks(path() / "cell.n5/labels", 3) - blocks_before;
    EXPECT_LE(blocks, most_blocks) << "of the last step were computed again";
    // Nothing that depends on it is out of date.
    const Ending refine = run(refine_);
    EXPECT_NE(refine.err.find("unchanged"), std::string::npos) << refine.err;
  }
  // A stored chunk of the labels.
  std::filesystem::path chunk() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path() / "cell.n5/labels"))
      if (entry.is_regular_file() && entry.path().extension() != ".json") return entry.path();
    return {};
  }
  static void flip_bit(const std::filesystem::path& file, std::int64_t place) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(place);
    const int byte = stream.get();
    stream.seekp(place);
    stream.put(static_cast<char>(byte ^ 16));
  }
  const std::filesystem::path& path() const { return folder_.path(); }

  const std::vector<std::string> segment_ = {"segment",  "p.n5/mito",     "cell.n5/labels", "--chunk-shape",
                                             "32,32,32", "--block-shape", "32,32,32",       "--no-fsync"};
  const std::vector<std::string> refine_ = {"refine", "cell.n5/labels", "cell.n5/refined", "--no-fsync"};

 private:
  organon::testing::TemporaryFolder folder_;
  std::string labels_;
};

TEST_F(Integrity, AFlippedBitIsFoundAndMended) {
  const auto file = chunk();
  flip_bit(file, static_cast<std::int64_t>(std::filesystem::file_size(file) / 2));
  expect_repaired("has other bytes than were written", 18, 0);
}

TEST_F(Integrity, AMissingChunkIsFoundAndMended) {
  std::filesystem::remove(chunk());
  expect_repaired("is missing", 18, 0);
}

TEST_F(Integrity, AChunkTooManyIsFoundAndMended) {
  // All chunks of this cell hold objects, so one is put where the volume ends.
  std::filesystem::remove_all(path() / "empty.n5");
  expect_done({"segment", "p.n5/mito", "empty.n5/labels", "--threshold", "255", "--chunk-shape", "32,32,32",
               "--block-shape", "32,32,32", "--no-fsync"});
  std::filesystem::create_directories(path() / "empty.n5/labels/0/0");
  std::filesystem::copy_file(chunk(), path() / "empty.n5/labels/0/0/0");
  const Ending found = run({"verify", "empty.n5/labels"});
  EXPECT_EQ(found.exit_code, 1) << found.out;
  EXPECT_NE(found.out.find("exists, though"), std::string::npos) << found.out;
  expect_done({"repair", "empty.n5/labels"});
  EXPECT_FALSE(std::filesystem::exists(path() / "empty.n5/labels/0/0/0"));
}

TEST_F(Integrity, ADamagedJournalIsFoundAndMended) {
  for (const auto& entry :
       std::filesystem::directory_iterator(path() / ".organon/runs/cell.n5:labels/steps/3/journals")) {
    flip_bit(entry.path(), 400);
  }
  expect_repaired("is not recorded as done", 18, 18);
}

TEST_F(Integrity, DamagedPartialsAreFoundAndMended) {
  for (const auto& entry :
       std::filesystem::directory_iterator(path() / ".organon/runs/cell.n5:labels/steps/0/partials"))
    if (std::filesystem::file_size(entry.path()) > 0) flip_bit(entry.path(), 3);
  expect_repaired("what block", 18, 0);
}

TEST_F(Integrity, ADamagedSolveIsFoundAndMended) {
  for (const auto& entry :
       std::filesystem::directory_iterator(path() / ".organon/runs/cell.n5:labels/steps/2/partials"))
    if (std::filesystem::file_size(entry.path()) > 0) flip_bit(entry.path(), 3);
  expect_repaired("what block 0 of step 3 left", 18, 18);
}

TEST_F(Integrity, DamagedTablesAndMeshesAreFoundAndMended) {
  expect_done({"measure", "cell.n5/labels", "tables/mito.csv", "--no-fsync"});
  expect_done({"mesh", "cell.n5/labels", "meshes/mito", "--no-fsync"});
  const std::filesystem::path mesh = path() / "meshes/mito/1:0:0";
  for (const auto& [output, file] :
       {std::pair{"tables/mito.csv", path() / "tables/mito.sqlite"}, {"meshes/mito", mesh}}) {
    ASSERT_TRUE(std::filesystem::exists(file)) << file;
    const std::string before = hash_of_files(file);
    expect_done({"verify", output});
    flip_bit(file, static_cast<std::int64_t>(std::filesystem::file_size(file) / 2));
    const Ending found = run({"verify", output});
    EXPECT_EQ(found.exit_code, 1) << found.out;
    EXPECT_NE(found.out.find("has other bytes than were written"), std::string::npos) << found.out;
    expect_done({"repair", output});
    EXPECT_EQ(hash_of_files(file), before) << file;
    std::filesystem::remove(file);
    const Ending missing = run({"verify", output});
    EXPECT_NE(missing.out.find("is missing"), std::string::npos) << missing.out;
    expect_done({"repair", output});
    EXPECT_EQ(hash_of_files(file), before) << file;
  }
}
TEST_F(Integrity, LostScratchIsComputedAgain) {
  std::vector<std::string> segment = segment_;
  segment[2] = "other.n5/labels";
  const Ending failed = run_organon(segment, {path(), {{"ORGANON_FAULT", "relabel:*:throw"}}, 0, {}});
  EXPECT_EQ(failed.exit_code, 1) << failed.err;
  // The run could go on, so its scratch goes only where that is asked for.
  const auto scratch = path() / ".organon/runs/other.n5:labels/scratch.n5";
  expect_done({"clean", ".", "--yes"});
  EXPECT_TRUE(std::filesystem::exists(scratch));
  expect_done({"clean", ".", "--yes", "--scratch"});
  EXPECT_FALSE(std::filesystem::exists(scratch));
  expect_done(segment);
  EXPECT_EQ(digest_of(path() / "other.n5/labels"), digest_of(path() / "cell.n5/labels"));
}

TEST_F(Integrity, AMovedCellIsNoWaste) {
  std::filesystem::create_directories(path() / "moved");
  for (const char* name : {"cell.n5", ".organon"})
    std::filesystem::rename(path() / name, path() / "moved" / name);
  expect_done({"clean", "moved", "--yes"});
  EXPECT_TRUE(std::filesystem::exists(path() / "moved/.organon/runs/cell.n5:labels/complete.json"));
}

TEST_F(Integrity, DataOfOthersIsDecoded) {
  const auto file = path() / "p.n5/mito/0/0/0";
  const Ending sound = run({"verify", "p.n5/mito"});
  EXPECT_EQ(sound.exit_code, 0) << sound.out;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const Ending found = run({"verify", "p.n5/mito"});
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_NE(found.out.find("chunk 0,0,0"), std::string::npos) << found.out;
  EXPECT_NE(run({"repair", "p.n5/mito"}).exit_code, 0) << "nothing is known of how it was made";
}

TEST_F(Integrity, ChangedInputsCannotBeRepaired) {
  std::filesystem::remove(chunk());
  std::filesystem::remove(path() / "p.n5/mito/0/0/0");
  const Ending ending = run({"repair", "cell.n5/labels"});
  EXPECT_NE(ending.exit_code, 0);
  EXPECT_NE(ending.err.find("have changed since"), std::string::npos) << ending.err;
}

TEST_F(Integrity, CleanRemovesWasteOnly) {
  const std::string before = digest_of(path() / "cell.n5/refined");
  EXPECT_NE(run({"clean", "."}).out.find("nothing to clean"), std::string::npos);
  std::filesystem::remove_all(path() / "cell.n5/labels");
  const Ending listed = run({"clean", "."});
  EXPECT_NE(listed.out.find("cell.n5:labels"), std::string::npos) << listed.out;
  EXPECT_TRUE(std::filesystem::exists(path() / ".organon/runs/cell.n5:labels"));
  expect_done({"clean", ".", "--yes"});
  EXPECT_FALSE(std::filesystem::exists(path() / ".organon/runs/cell.n5:labels"));
  EXPECT_EQ(digest_of(path() / "cell.n5/refined"), before);
  expect_done({"verify", "cell.n5/refined"});
}

}  // namespace
}  // namespace organon::end_to_end
