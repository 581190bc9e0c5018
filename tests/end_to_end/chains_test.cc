// A verb that is a chain of stages: organon segment --watershed.

#include <gtest/gtest.h>

#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

class Chains : public ::testing::Test {
 protected:
  void SetUp() override { write_prediction(path() / "p.n5/mito", {64, 96, 96}); }

  Ending run(std::vector<std::string> arguments) { return run_organon(arguments, {path(), {}, 0, {}}); }
  Ending run(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  void expect_refused(const std::vector<std::string>& more, const std::vector<std::string>& says) {
    const Ending ending = run({"segment", "p.n5/mito", "bad.n5/labels"}, more);
    EXPECT_EQ(ending.exit_code, 2) << ending.err;
    for (const std::string& text : says)
      EXPECT_NE(ending.err.find(text), std::string::npos) << text << " is missing in: " << ending.err;
    EXPECT_FALSE(std::filesystem::exists(path() / "bad.n5"));
  }
  static bool says(const Ending& ending, const std::string& text) {
    return ending.err.find(text) != std::string::npos;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

  const std::vector<std::string> chain_ = {"segment",
                                           "p.n5/mito",
                                           "c.n5/labels",
                                           "--watershed",
                                           "--sigma-nm",
                                           "6",
                                           "--foreground-threshold",
                                           "120",
                                           "--quantile",
                                           "25",
                                           "--min-volume-nm3",
                                           "0",
                                           "--chunk-shape",
                                           "32,32,32",
                                           "--no-fsync"};

 private:
  organon::testing::TemporaryFolder folder_;
};

TEST_F(Chains, SegmentByWatershedIsWatershedThenAgglomerate) {
  Ending ending = run({"watershed", "p.n5/mito", "e.n5/fragments", "--sigma-nm", "6", "--threshold", "120",
                       "--chunk-shape", "32,32,32", "--no-fsync"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  for (const char* threshold : {"0.5", "0.9"}) {
    ending = run({"agglomerate", "e.n5/fragments", std::string("e.n5/labels") + threshold, "--quantile", "25",
                  "--threshold", threshold, "--min-volume-nm3", "0", "--no-fsync"});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
  }
  EXPECT_NE(digest_of(path() / "e.n5/labels0.5"), digest_of(path() / "e.n5/labels0.9"));

  // With blocks that are smaller than chains' standard, which change nothing.
  ending = run(chain_, {"--threshold", "0.9", "--block-shape", "32,32,64"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("threshold"), std::string::npos) << "the report of agglomerate: " << ending.out;
  EXPECT_EQ(digest_of(path() / "c.n5/labels_fragments"), digest_of(path() / "e.n5/fragments"));
  EXPECT_EQ(digest_of(path() / "c.n5/labels"), digest_of(path() / "e.n5/labels0.9"));

  // The same again does nothing; another cut only the second stage.
  ending = run(chain_, {"--threshold", "0.9"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(says(ending, "watershed: c.n5/labels_fragments is complete and unchanged")) << ending.err;
  EXPECT_TRUE(says(ending, "agglomerate: c.n5/labels is complete and unchanged")) << ending.err;
  ending = run(chain_, {"--set", "threshold=0.5"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(says(ending, "watershed: c.n5/labels_fragments is complete and unchanged")) << ending.err;
  EXPECT_FALSE(says(ending, "agglomerate: c.n5/labels is complete and unchanged")) << ending.err;
  EXPECT_EQ(digest_of(path() / "c.n5/labels"), digest_of(path() / "e.n5/labels0.5"));

  // Lines of JSON name the stages.
  ending = run(chain_, {"--threshold", "0.5", "--json"});
  const std::string first = ending.out.substr(0, ending.out.find('\n'));
  const Json json = parse_json(first, "first line");
  EXPECT_EQ(json.at("verb"), "watershed");
  EXPECT_EQ(json.at("output"), "c.n5/labels_fragments");
  EXPECT_EQ(json.at("unchanged"), true);
  EXPECT_NE(ending.out.find(R"("verb":"agglomerate")"), std::string::npos) << ending.out;
}

TEST_F(Chains, APlanHasAllStagesAndWritesNothing) {
  Ending ending = run(chain_, {"--threshold", "0.9", "--dry-run"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(says(ending, "watershed labels_fragm")) << ending.err;
  EXPECT_TRUE(says(ending, "agglomerate labels")) << ending.err;
  EXPECT_TRUE(says(ending, "relabel")) << ending.err;
  EXPECT_FALSE(std::filesystem::exists(path() / "c.n5"));
  ending = run(chain_, {"--threshold", "0.9", "--dry-run", "--json"});
  EXPECT_NE(ending.out.find(R"("stage":"agglomerate labels")"), std::string::npos) << ending.out;

  EXPECT_EQ(run(chain_, {"--threshold", "0.9"}).exit_code, 0);
  ending = run(chain_, {"--threshold", "0.5", "--dry-run"});
  EXPECT_TRUE(says(ending, "complete")) << ending.err;
  EXPECT_TRUE(says(ending, "relabel")) << ending.err;
  // What reads fragments that will be made anew is not complete, though it is now.
  ending = run(chain_, {"--threshold", "0.9", "--set", "sigma_nm=8", "--dry-run"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_FALSE(says(ending, "complete")) << ending.err;
}

TEST_F(Chains, OptionsOfAnotherWayAreToldApart) {
  expect_refused({"--quantile", "25"}, {"--quantile", "with --watershed, not without"});
  expect_refused({"--foreground-threshold", "120"}, {"--foreground-threshold", "with --watershed"});
  expect_refused({"--watershed", "--connectivity", "face"},
                 {"--connectivity", "without --watershed, not with"});
  expect_refused({"--set", "quantile=25"}, {"--quantile", "with --watershed, not without"});
  expect_refused({"--watershed", "--set", "quantil=25"}, {"did you mean 'quantile'?"});
  // Grey levels where a depth is meant.
  expect_refused({"--watershed", "--threshold", "127"}, {"threshold", "from 0 to 2", "with --watershed"});
  expect_refused({"--watershed", "--foreground-threshold", "300"},
                 {"foreground_threshold", "0 to 255 (grey levels)"});
  expect_refused({"--quantil", "25"}, {"--quantil"});
}

TEST_F(Chains, HelpExplainsBothWays) {
  const Ending ending = run({"segment", "--help"});
  EXPECT_EQ(ending.exit_code, 0);
  for (const char* text : {"Only with --watershed", "Only without --watershed", "--foreground-threshold",
                           "OUT_fragments", "[127.0 grey levels]", "0.975"})
    EXPECT_NE(ending.out.find(text), std::string::npos) << text;
}

}  // namespace
}  // namespace organon::end_to_end
