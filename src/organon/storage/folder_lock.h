#pragma once

#include <filesystem>

namespace organon::storage {

/// Holds an advisory lock (flock) on a folder while alive, so that two processes of one machine do not lose
/// each other's change of a metadata file. File systems without locks are let through.
class FolderLock {
 public:
  /// Makes the folder where it is missing. Errors: kIo.
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_;
};

}  // namespace organon::storage
