// The promise "same voxels" for bodies that touch: fragments, their graph, objects of them, what of these
// lies away from something else, an expert's edits.

#include "touching_objects.h"

#include <gtest/gtest.h>

#include <set>

#include "organon/base/testing/test_data.h"
#include "run_organon.h"

namespace organon::end_to_end {
namespace {

using organon::testing::TemporaryFolder;
using Made = std::map<std::string, std::string>;

class TouchingObjects : public ::testing::Test {
 protected:
  static Made make(const std::string& block_shape, int workers) {
    const TemporaryFolder folder;
    write_touching_objects(folder.path());
    return make_touching_objects(folder.path(),
                                 {"--block-shape", block_shape, "--workers", std::to_string(workers)});
  }
  // What one worker makes of the whole volume in one block, once for all tests.
  static const Made& whole() {
    static const Made made = make("128,160,192", 1);
    return made;
  }
};

TEST_F(TouchingObjects, AreWorkForEveryStage) {
  std::set<std::string> digests;
  for (const auto& [name, hash] : whole()) digests.insert(hash);
  EXPECT_EQ(digests.size(), whole().size())
      << "two stages made the same: " << ::testing::PrintToString(whole());
}

TEST_F(TouchingObjects, AreTheSameForEveryBlockShape) {
  EXPECT_EQ(make("64,64,64", 2), whole());
  EXPECT_EQ(make("96,128,160", 2), whole());
}

TEST_F(TouchingObjects, AreTheSameForEveryNumberOfWorkers) {
  EXPECT_EQ(make("64,64,64", 1), whole());
  EXPECT_EQ(make("64,64,64", 5), whole());
}

}  // namespace
}  // namespace organon::end_to_end
