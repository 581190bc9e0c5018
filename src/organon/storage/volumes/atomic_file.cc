#include "organon/storage/volumes/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::storage {

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(std::filesystem::absolute(path)) {
  std::filesystem::create_directories(path_.parent_path());
  temporary_ = path_.parent_path() / fmt::format(".{}.{}.partial", path_.filename().string(), ::getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw_system_error("cannot create", temporary_.string());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) { write_all(descriptor_, bytes, path_.string()); }

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) throw_system_error("cannot sync", path_.string());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw_system_error("cannot rename to", path_.string());
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) throw_system_error("cannot close", path_.string());
  sync_folder(path_.parent_path());
}

}  // namespace organon::storage
