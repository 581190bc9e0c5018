// Datasets in a bucket of a real S3 server: the same voxels as in files, whatever dies, and damage that is
// seen.

#include <gtest/gtest.h>

#include "organon/base/json.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/stores/testing/s3_server.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using storage::testing::S3Server;

class Remote : public ::testing::Test {
 protected:
  void SetUp() override {
    ORGANON_REQUIRE_S3_SERVER();
    bucket_ = S3Server::instance().make_bucket();
    write_prediction(path() / "p.n5/mito", {64, 96, 128});
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  std::string in_bucket(const std::string& key) const { return "s3://" + bucket_ + "/" + key; }
  std::filesystem::path file_of(const std::string& key) const {
    return S3Server::instance().data_folder() / bucket_ / key;
  }

  Ending run(const std::vector<std::string>& arguments, std::map<std::string, std::string> more = {}) const {
    const auto settings = S3Server::instance().settings();
    more["AWS_ACCESS_KEY_ID"] = settings.credentials->access_key_id;
    more["AWS_SECRET_ACCESS_KEY"] = settings.credentials->secret_access_key;
    more["AWS_REGION"] = settings.region;
    more["AWS_ENDPOINT_URL"] = settings.endpoint_url;
    return run_organon(arguments, {path(), more, 0, {}});
  }
  Ending segment(const std::string& from, const std::string& to,
                 const std::map<std::string, std::string>& environment = {}) const {
    return run({"segment", from, to, "--sigma-nm", "8", "--chunk-shape", "32,32,32", "--block-shape",
                "32,32,32", "--workers", "2", "--no-fsync"},
               environment);
  }
  std::string digest(const std::string& address) const {
    const Ending ending = run({"digest", address});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    return ending.out.substr(0, ending.out.find(' '));
  }

 private:
  organon::testing::TemporaryFolder folder_;
  std::string bucket_;
};

TEST_F(Remote, SameVoxelsFromAndToABucketInEveryFormat) {
  ASSERT_EQ(segment("p.n5/mito", "calm.n5/l").exit_code, 0);
  const std::string expected = digest("calm.n5/l");
  for (const std::string& to : {in_bucket("a.n5/p"), "zarr://" + in_bucket("b.zarr/p"),
                                "zarr3://" + in_bucket("c.zarr/p"), in_bucket("d.precomputed/p")}) {
    SCOPED_TRACE(to);
    const Ending copied = run({"convert", "p.n5/mito", to, "--no-fsync"});
    ASSERT_EQ(copied.exit_code, 0) << copied.err;
    EXPECT_EQ(digest(to), digest("p.n5/mito"));
    const std::string labels = in_bucket("labels" + std::to_string(to.size()) + ".n5/l");
    const Ending ending = segment(to, labels);
    ASSERT_EQ(ending.exit_code, 0) << ending.err;
    EXPECT_EQ(digest(labels), expected);
    EXPECT_NE(segment(to, labels).err.find("unchanged"), std::string::npos);
  }
}

TEST_F(Remote, WhateverDiesTheVoxelsAreTheSame) {
  ASSERT_EQ(segment("p.n5/mito", "calm.n5/l").exit_code, 0);
  const std::string expected = digest("calm.n5/l");
  int number = 0;
  for (const char* place : {"block 3:1", "relabel:2", "chunk write:5", "journal:1", "join faces:1"}) {
    SCOPED_TRACE(place);
    const std::string to = in_bucket("k" + std::to_string(++number) + ".n5/l");
    const std::filesystem::path once = path() / ("once" + std::to_string(number));
    segment("p.n5/mito", to, {{"ORGANON_FAULT", place}, {"ORGANON_FAULT_ONCE", once.string()}});
    EXPECT_TRUE(std::filesystem::exists(once)) << "nobody died";
    const Ending ending = segment("p.n5/mito", to);
    ASSERT_EQ(ending.exit_code, 0) << ending.err;
    EXPECT_EQ(digest(to), expected);
    EXPECT_EQ(run({"verify", to}).exit_code, 0);
  }
}

TEST_F(Remote, DamageIsSeenAndMended) {
  const std::string to = in_bucket("a.n5/l");
  ASSERT_EQ(segment("p.n5/mito", to).exit_code, 0);
  const std::string expected = digest(to);
  std::filesystem::path chunk;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(file_of("a.n5/l")))
    if (entry.is_regular_file() && entry.path().filename() != "attributes.json") chunk = entry.path();
  ASSERT_FALSE(chunk.empty());
  std::filesystem::resize_file(chunk, std::filesystem::file_size(chunk) / 2);
  const Ending damaged = run({"verify", to});
  EXPECT_EQ(damaged.exit_code, 1) << damaged.out;
  const Ending repaired = run({"repair", to});
  EXPECT_EQ(repaired.exit_code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(run({"verify", to}).exit_code, 0);
  EXPECT_EQ(digest(to), expected);
}

TEST_F(Remote, AnotherRunReplacesTheOldAndLeavesWhatIsNotOrganons) {
  const std::string to = in_bucket("a.n5/l");
  ASSERT_EQ(segment("p.n5/mito", to).exit_code, 0);
  const Ending other =
      run({"segment", "p.n5/mito", to, "--sigma-nm", "12", "--threshold", "140", "--no-fsync"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  ASSERT_EQ(run({"segment", "p.n5/mito", "b.n5/l", "--sigma-nm", "12", "--threshold", "140"}).exit_code, 0);
  EXPECT_EQ(digest(to), digest("b.n5/l"));
  // What nobody here made.
  std::filesystem::create_directories(file_of("foreign.n5/l"));
  std::filesystem::copy_file(path() / "p.n5/mito/attributes.json", file_of("foreign.n5/l/attributes.json"));
  const Ending refused = segment("p.n5/mito", in_bucket("foreign.n5/l"));
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE(refused.err.find("not made here by organon"), std::string::npos) << refused.err;
  // Files have no place in a bucket.
  const Ending measured = run({"measure", to, in_bucket("t.csv")});
  EXPECT_NE(measured.err.find("must lie on this machine"), std::string::npos) << measured.err;
}

}  // namespace
}  // namespace organon::end_to_end
