#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace organon::testing {

/// The folder of shared test data: ORGANON_DATA, else ../shared/data beside the source folder.
inline std::filesystem::path data_folder() {
  if (const char* folder = std::getenv("ORGANON_DATA")) return folder;
  return std::filesystem::path(ORGANON_SOURCE_FOLDER).parent_path() / "shared" / "data";
}

inline bool is_continuous_integration() {
  const char* value = std::getenv("CI");
  return value != nullptr && std::string(value) == "true";
}

/// A folder of the test's own, removed with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "organon-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace organon::testing

/// Skips loudly where `relative_path` of the shared data is missing, and fails where CI=true.
#define ORGANON_REQUIRE_DATA(relative_path)                                                               \
  do {                                                                                                    \
    const auto data_path = ::organon::testing::data_folder() / (relative_path);                           \
    if (!std::filesystem::exists(data_path)) {                                                            \
      ASSERT_FALSE(::organon::testing::is_continuous_integration()) << "missing test data " << data_path; \
      GTEST_SKIP() << "MISSING TEST DATA " << data_path << " (set ORGANON_DATA)";                         \
    }                                                                                                     \
  } while (false)
