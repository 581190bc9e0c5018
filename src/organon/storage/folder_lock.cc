#include "organon/storage/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "organon/base/error.h"

namespace organon::storage {

FolderLock::FolderLock(const Place& place) {
  const auto local = place.store->local_path(place.key);
  if (!local) return;
  const std::filesystem::path& folder = *local;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::kIo, fmt::format("cannot make folder {}: {}", folder.string(), error.message()));
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) throw_system_error("cannot open folder", folder.string());
  while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace organon::storage
