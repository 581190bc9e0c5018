#include "organon/app/run_cell.h"

#include <gtest/gtest.h>

#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/config/cell_config.h"

namespace organon::app {
namespace {

TEST(RunCell, EstimatedLimitsAreKeptAndAllElseStays) {
  const organon::testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "cell.toml").string();
  const std::string before = "name = \"a\"  # kept\n\n";
  const std::string after =
      "source = \"slices\"\nvoxel_size_nm = 4\n\n[classes.mito]\nids = [3]\n\n[[crops]]\nlabels = \"crop\"\n";
  write_text_atomically(path, before + "[raw]\n" + after);
  keep_contrast_limits(path, 32.5, 233);
  EXPECT_EQ(read_text(path),
            before + "[raw]\ncontrast_limits = [32.5, 233]  # estimated; change it and run again\n" + after);
  EXPECT_EQ(config::read_cell_config(path).contrast_limits, (std::vector<double>{32.5, 233}));
}

}  // namespace
}  // namespace organon::app
