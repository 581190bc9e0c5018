#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>

namespace organon::stages {

// Files that steps write beside datasets: meshes, tables, the page.

/// Waits until everything written to the file system of `folder` is on the disk. Called once at the end of a
/// block that wrote many files with Fsync::kNo. Errors: kIo, kResourceExhausted.
void sync_file_system(const std::filesystem::path& folder);

/// Paths of all files below `folder`, relative to it, sorted; none where it does not exist.
std::vector<std::string> list_files(const std::filesystem::path& folder);

/// Removes every file below `folder` that is not in `kept` (relative paths) and of which `is_ours` is true.
void remove_other_files(const std::filesystem::path& folder, const std::set<std::string>& kept,
                        const std::function<bool(const std::string&)>& is_ours);

}  // namespace organon::stages
