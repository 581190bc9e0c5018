#include "organon/storage/stores/file_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

// Bytes from `begin` on, or the last ones where `begin` is nothing.
std::optional<std::vector<std::byte>> read_part(const std::string& key, std::optional<std::uint64_t> begin,
                                                std::size_t num_bytes) {
  const int descriptor = ::open(key.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_system_error("cannot open", key);
  }
  struct stat status = {};
  const bool is_known = ::fstat(descriptor, &status) == 0;
  const auto size = static_cast<std::uint64_t>(is_known ? status.st_size : 0);
  const std::uint64_t first =
      begin ? std::min(*begin, size) : size - std::min<std::uint64_t>(num_bytes, size);
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(num_bytes, size - first)));
  std::size_t done = 0;
  bool has_failed = !is_known;
  while (!has_failed && done < bytes.size()) {
    const ssize_t count =
        ::pread(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(first + done));
    if (count < 0 && errno == EINTR) continue;
    has_failed = count <= 0;
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (has_failed) throw_system_error("cannot read", key);
  return bytes;
}

}  // namespace

std::optional<std::vector<std::byte>> FileStore::read(const std::string& key, std::size_t max_bytes) const {
  return read_file_if_exists(key, max_bytes);
}

std::optional<std::vector<std::byte>> FileStore::read_range(const std::string& key, std::uint64_t begin,
                                                            std::size_t num_bytes) const {
  return read_part(key, begin, num_bytes);
}

std::optional<std::vector<std::byte>> FileStore::read_end(const std::string& key,
                                                          std::size_t num_bytes) const {
  return read_part(key, std::nullopt, num_bytes);
}

bool FileStore::exists(const std::string& key) const { return std::filesystem::is_regular_file(key); }

std::vector<std::string> FileStore::list(const std::string& folder) const {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, missing))
    names.push_back(entry.path().filename().string() + (entry.is_directory() ? "/" : ""));
  std::sort(names.begin(), names.end());
  return names;
}

void FileStore::write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync,
                      const std::function<void()>& before_commit) {
  write_file_atomically(key, bytes, fsync, before_commit);
}

bool FileStore::remove(const std::string& key) {
  std::error_code error;
  const bool was_there = std::filesystem::remove(key, error);
  if (error && error != std::errc::not_a_directory && error != std::errc::no_such_file_or_directory)
    throw Error(ErrorKind::kIo, fmt::format("cannot remove {}: {}", key, error.message()));
  return was_there && !error;
}

}  // namespace organon::storage
