#include "organon/app/find_portal.h"

#include <fmt/format.h>

#include <system_error>

#include "organon/base/error.h"

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

std::filesystem::path find_page(std::string_view name) {
  std::filesystem::path folder = find_portal();
  std::error_code ignored;
  // Without a portal the name alone would be looked for in the current folder.
  if (!folder.empty() && std::filesystem::exists(folder / name, ignored)) return folder;
  throw Error(ErrorKind::kNotFound,
              fmt::format("the page {} was not found: expected in share/organon/portal beside the program's "
                          "folder, or in portal/dist of a source tree; ./build makes it",
                          name));
}

}  // namespace organon::app
