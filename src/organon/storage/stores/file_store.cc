#include "organon/storage/stores/file_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

bool means_absent(int code) { return code == ENOENT || code == ENOTDIR; }

// As base/files.cc names them.
bool is_temporary(const std::string& name) { return name.starts_with('.') && name.ends_with(".partial"); }

}  // namespace

std::string FileStore::describe(const std::string& key) const { return key; }

std::optional<std::vector<std::byte>> FileStore::read(const std::string& key, std::size_t max_bytes) const {
  try {
    return read_file_if_exists(key, max_bytes);
  } catch (const Error& error) {
    // What a file holds is foreign here: too much is damage, not a want of memory.
    if (error.kind() != ErrorKind::kResourceExhausted || ::access(key.c_str(), R_OK) != 0) throw;
    throw Error(ErrorKind::kCorruptData, error.message());
  }
}

std::optional<std::vector<std::byte>> FileStore::read_range(const std::string& key, std::uint64_t begin,
                                                            std::size_t num_bytes) const {
  return read_file_range_if_exists(key, begin, num_bytes);
}

std::optional<std::vector<std::byte>> FileStore::read_end(const std::string& key,
                                                          std::size_t num_bytes) const {
  return read_file_end_if_exists(key, num_bytes);
}

bool FileStore::exists(const std::string& key) const {
  struct stat status = {};
  if (::stat(key.c_str(), &status) == 0) return S_ISREG(status.st_mode);
  if (!means_absent(errno)) throw_system_error("cannot examine", key);
  return false;
}

std::vector<std::string> FileStore::list(const std::string& folder) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code vanished;
    const std::string name = entry->path().filename().string();
    if (entry->is_directory(vanished)) {
      names.push_back(name + "/");
    } else if (!is_temporary(name)) {
      names.push_back(name);
    }
  }
  if (error && !means_absent(error.value())) {
    errno = error.value();
    throw_system_error("cannot list", folder);
  }
  std::ranges::sort(names);
  return names;
}

void FileStore::write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync,
                      const std::function<void()>& before_commit) {
  write_file_atomically(key, bytes, fsync, before_commit);
}

bool FileStore::remove(const std::string& key) {
  if (::unlink(key.c_str()) == 0) return true;
  if (!means_absent(errno)) throw_system_error("cannot remove", key);
  return false;
}

std::optional<std::filesystem::path> FileStore::local_path(const std::string& key) const { return key; }

}  // namespace organon::storage
