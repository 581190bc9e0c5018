#include "organon/stages/publish/folder_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::stages {

void sync_file_system(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_system_error("cannot open", folder.string());
  const int result = ::syncfs(descriptor);
  ::close(descriptor);
  if (result != 0) throw_system_error("cannot sync", folder.string());
}

std::vector<std::string> list_files(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  if (!std::filesystem::is_directory(folder)) return names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void remove_other_files(const std::filesystem::path& folder, const std::set<std::string>& kept,
                        const std::function<bool(const std::string&)>& is_ours) {
  for (const std::string& name : list_files(folder)) {
    if (!kept.contains(name) && is_ours(name)) std::filesystem::remove(folder / name);
  }
}

}  // namespace organon::stages
