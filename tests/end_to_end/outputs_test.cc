// What is there already: nothing foreign, nothing of other runs is lost or taken for something else.

#include <gtest/gtest.h>

#include <csignal>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

class Outputs : public ::testing::Test {
 protected:
  Ending run(const std::vector<std::string>& arguments, const std::filesystem::path& from = {}) {
    return run_organon(arguments, {from.empty() ? path() : from, {}, 0, {}});
  }
  void expect_done(const std::vector<std::string>& arguments) {
    const Ending ending = run(arguments);
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
  }
  // Three labels: 1, 2 and 3, in slabs.
  void make_labels() { expect_done({"phantom", "p", "--shape", "64,64,64", "--seed", "2", "--no-fsync"}); }
  std::vector<std::string> targets(const std::string& classes, const std::string& ids) {
    return {"targets",
            "p/phantom.n5/labels",
            "c.n5/targets",
            "--classes",
            classes,
            "--ids",
            ids,
            "--voxel-size-nm",
            "8",
            "--no-fsync"};
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  organon::testing::TemporaryFolder folder_;
};

TEST_F(Outputs, AnotherDatasetOfTheSameStageIsAnotherInput) {
  make_labels();
  expect_done(targets("a,b", "1,any"));
  expect_done({"segment", "c.n5/targets/a", "c.n5/objects", "--min-volume-nm3", "0", "--no-fsync"});
  const std::string of_a = digest_of(path() / "c.n5/objects");
  const Ending second =
      run({"segment", "c.n5/targets/b", "c.n5/objects", "--min-volume-nm3", "0", "--no-fsync"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.err.find("unchanged"), std::string::npos) << second.err;
  EXPECT_NE(digest_of(path() / "c.n5/objects"), of_a);
}

TEST_F(Outputs, OtherDatasetsOfAGroupStay) {
  make_labels();
  expect_done(targets("a,b", "1,any"));
  const std::string of_a = digest_of(path() / "c.n5/targets/a");
  expect_done(targets("c", "3+4"));
  EXPECT_EQ(digest_of(path() / "c.n5/targets/a"), of_a);
  EXPECT_NE(digest_of(path() / "c.n5/targets/c"), of_a);
}

TEST_F(Outputs, AForeignDatasetInAGroupIsRefused) {
  make_labels();
  expect_done(targets("a", "1"));
  std::filesystem::create_directories(path() / "d.n5/targets");
  std::filesystem::copy(path() / "c.n5/targets/a", path() / "d.n5/targets/a",
                        std::filesystem::copy_options::recursive);
  const auto attributes = path() / "d.n5/targets/a/attributes.json";
  std::string text = read_text(attributes);
  text.replace(text.find("\"organon\""), 9, "\"foreign\"");
  write_text_atomically(attributes, text);
  const std::string before = hash_of_files(path() / "d.n5/targets/a");
  const Ending ending = run({"targets", "p/phantom.n5/labels", "d.n5/targets", "--classes", "a", "--ids",
                             "any", "--voxel-size-nm", "8", "--no-fsync"});
  EXPECT_NE(ending.exit_code, 0);
  EXPECT_NE(ending.err.find("was not made here by organon"), std::string::npos) << ending.err;
  EXPECT_EQ(hash_of_files(path() / "d.n5/targets/a"), before);
}

TEST_F(Outputs, AForeignFileIsRefused) {
  write_prediction(path() / "p.n5/mito", {32, 32, 32});
  write_text_atomically(path() / "mine.csv", "dear table");
  const Ending ending = run({"measure", "p.n5/mito", "mine.csv", "--no-fsync"});
  EXPECT_NE(ending.exit_code, 0);
  EXPECT_NE(ending.err.find("mine.csv"), std::string::npos) << ending.err;
  EXPECT_EQ(read_text(path() / "mine.csv"), "dear table");
}

TEST_F(Outputs, ARunGoesOnFromAnotherFolder) {
  const Shape3 shape{96, 128, 160};
  write_prediction(path() / "p.n5/mito", shape);
  const std::vector<std::string> blocks = {"--min-volume-nm3", "0",        "--chunk-shape", "32,32,32",
                                           "--block-shape",    "32,32,32", "--workers",     "1",
                                           "--no-fsync"};
  std::vector<std::string> here = {"segment", "p.n5/mito", "c.n5/labels"};
  here.insert(here.end(), blocks.begin(), blocks.end());
  const Ending killed = run_organon(
      here, {path(), {}, SIGKILL, [&] { return count_completed_blocks(path() / "c.n5/labels", 0) > 0; }});
  EXPECT_EQ(killed.signal, SIGKILL);
  std::filesystem::create_directories(path() / "elsewhere");
  std::vector<std::string> there = {"segment", "../p.n5/mito", "../c.n5/labels"};
  there.insert(there.end(), blocks.begin(), blocks.end());
  const Ending second = run(there, path() / "elsewhere");
  EXPECT_EQ(second.exit_code, 0) << second.err;
  const Ending third = run(here);
  EXPECT_NE(third.err.find("unchanged"), std::string::npos) << third.err;
}

TEST_F(Outputs, AFileNamedInfoFurtherUpIsNobodysVolume) {
  write_text_atomically(path() / "info", "read me");
  write_prediction(path() / "sub/p.n5/mito", {32, 32, 32});
  expect_done({"segment", "sub/p.n5/mito", "sub/c.n5/labels", "--no-fsync"});
  const Ending missing = run({"segment", "sub/p.n5/none", "sub/c.n5/other", "--no-fsync"});
  EXPECT_NE(missing.err.find("not found"), std::string::npos) << missing.err;
}

}  // namespace
}  // namespace organon::end_to_end
