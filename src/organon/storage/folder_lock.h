#pragma once

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// Holds an advisory lock (flock) on a folder while alive, so that two processes of one machine do not lose
/// each other's change of a metadata file. File systems without locks, and other stores than files, are let
/// through.
class FolderLock {
 public:
  /// Makes the folder where it is missing. Errors: kIo.
  explicit FolderLock(const Place& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_ = -1;
};

}  // namespace organon::storage
