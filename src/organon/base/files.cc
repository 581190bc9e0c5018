#include "organon/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "organon/base/error.h"
#include "organon/base/fault_point.h"

namespace organon {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  // Network file systems report a failed write only here.
  bool close_checked() {
    const int value = value_;
    value_ = -1;
    return ::close(value) == 0;
  }

 private:
  int value_;
};

struct Part {
  std::uint64_t begin;
  std::uint64_t num_bytes;
};

// The part that `choose` names once it knows the size of the opened file.
template <typename Choose>
std::optional<std::vector<std::byte>> read_part_if_exists(const std::filesystem::path& path,
                                                          const Choose& choose) {
  const FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_system_error("cannot open", path.string());
  }
  struct stat status = {};
  if (::fstat(descriptor.get(), &status) != 0) throw_system_error("cannot examine", path.string());
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorKind::kIo, fmt::format("{}: not a regular file", path.string()));
  const Part part = choose(static_cast<std::uint64_t>(status.st_size));
  std::vector<std::byte> bytes(part.num_bytes);
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::pread(descriptor.get(), bytes.data() + filled, bytes.size() - filled,
                                  static_cast<off_t>(part.begin + filled));
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_system_error("cannot read", path.string());
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_system_error("cannot write", path);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void sync_folder(const std::filesystem::path& folder) {
  const FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) throw_system_error("cannot open folder", folder.string());
  if (::fsync(descriptor.get()) != 0) throw_system_error("cannot sync folder", folder.string());
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes, Fsync fsync,
                           const std::function<void()>& before_rename) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  // A dot first, so that readers listing the folder skip a file that a killed process left behind.
  const std::filesystem::path temporary =
      folder / fmt::format(".{}.{}.{}.partial", path.filename().string(), ::getpid(), counter++);
  const auto open_temporary = [&] {
    return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  };
  int raw_descriptor = open_temporary();
  if (raw_descriptor < 0 && errno == ENOENT) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      errno = error.value();
      throw_system_error("cannot make folder", folder.string());
    }
    raw_descriptor = open_temporary();
  }
  if (raw_descriptor < 0) throw_system_error("cannot create", temporary.string());
  FileDescriptor descriptor(raw_descriptor);
  try {
    write_all(descriptor.get(), bytes, path.string());
    if (fsync == Fsync::kYes && ::fsync(descriptor.get()) != 0)
      throw_system_error("cannot sync", path.string());
    if (!descriptor.close_checked()) throw_system_error("cannot close", path.string());
    fault_point("rename");
    if (before_rename) before_rename();
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_system_error("cannot rename to", path.string());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (fsync == Fsync::kYes) sync_folder(folder);
}

void write_text_atomically(const std::filesystem::path& path, std::string_view text, Fsync fsync) {
  write_file_atomically(path, std::as_bytes(std::span(text.data(), text.size())), fsync);
}

std::optional<std::vector<std::byte>> read_file_if_exists(const std::filesystem::path& path,
                                                          std::size_t max_bytes) {
  return read_part_if_exists(path, [&](std::uint64_t size) {
    if (size > max_bytes) {
      throw Error(ErrorKind::kResourceExhausted,
                  fmt::format("{}: {} bytes, at most {} are read", path.string(), size, max_bytes));
    }
    return Part{0, size};
  });
}

std::optional<std::vector<std::byte>> read_file_range_if_exists(const std::filesystem::path& path,
                                                                std::uint64_t begin, std::size_t num_bytes) {
  return read_part_if_exists(path, [&](std::uint64_t size) {
    return Part{begin, begin < size ? std::min<std::uint64_t>(num_bytes, size - begin) : 0};
  });
}

std::optional<std::vector<std::byte>> read_file_end_if_exists(const std::filesystem::path& path,
                                                              std::size_t num_bytes) {
  return read_part_if_exists(path, [&](std::uint64_t size) {
    const std::uint64_t length = std::min<std::uint64_t>(num_bytes, size);
    return Part{size - length, length};
  });
}

std::string read_text(const std::filesystem::path& path) {
  const auto bytes = read_file_if_exists(path);
  if (!bytes) throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file", path.string()));
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace organon
