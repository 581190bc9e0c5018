#include "organon/app/find_portal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"

namespace organon::app {
namespace {

// The program of the tests has no pages beside it.
TEST(FindPage, DoesNotLookInTheCurrentFolder) {
  ASSERT_TRUE(find_portal().empty());
  const organon::testing::TemporaryFolder folder;
  std::ofstream(folder.path() / "compare.html") << "a page of somebody else";
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  try {
    find_page("compare.html");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("the page compare.html was not found"), std::string::npos);
  }
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace organon::app
