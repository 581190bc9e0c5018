#include "organon/app/find_portal.h"

#include <system_error>

namespace organon::app {

std::filesystem::path find_portal() {
  std::error_code ignored;
  const auto program_folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const char* place : {"../share/organon/portal", "../../../../portal/dist"}) {
    auto folder = (program_folder / place).lexically_normal();
    if (std::filesystem::exists(folder / "index.html", ignored)) return folder;
  }
  return {};
}

}  // namespace organon::app
