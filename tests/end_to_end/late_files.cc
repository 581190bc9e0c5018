// Preloaded into organon (LD_PRELOAD): claims as network file systems may show them. LATE_FILES is one of
//
// - unseen: claims of workers that claimed in the last two seconds are neither listed nor found;
// - shared: claims are listed but not found when asked for, and every worker takes every other for dead: two
// hold the
//   same batch and neither notices;
// - unheard: a claim is made, but the answer says that the file was there already: the first answer was lost,
// and the
//   client asked again.
//
// Each time that it hides or denies something it adds a byte to the file LATE_FILES_LOG.

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

constexpr time_t kLateS = 2;

bool is_mode(std::string_view mode) {
  const char* value = std::getenv("LATE_FILES");
  return value != nullptr && value == mode;
}

void note() {
  const char* log = std::getenv("LATE_FILES_LOG");
  const int file = log == nullptr ? -1 : ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, "x", 1);
  ::close(file);
}

bool is_young(int folder, const char* name) {
  struct stat status = {};
  return ::fstatat(folder, name, &status, 0) == 0 && std::time(nullptr) - status.st_ctim.tv_sec <= kLateS;
}

bool is_claims_folder(DIR* folder) {
  std::array<char, 4096> path{};
  std::array<char, 64> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", ::dirfd(folder));
  const ssize_t size = ::readlink(link.data(), path.data(), path.size());
  return size > 0 && std::string_view(path.data(), static_cast<std::size_t>(size)).ends_with("/claims");
}

}  // namespace

extern "C" int stat(const char* path, struct stat* status) noexcept {
  const std::string_view name = path;
  if (name.find("/claims/") != name.npos &&
      (is_mode("shared") || (is_mode("unseen") && is_young(AT_FDCWD, path)))) {
    note();
    errno = ENOENT;
    return -1;
  }
  const bool is_death = is_mode("shared") && name.find("/dead/") != name.npos;
  return ::fstatat(AT_FDCWD, is_death ? "/" : path, status, 0);
}

extern "C" dirent* readdir(DIR* folder) {
  static const auto real = reinterpret_cast<dirent* (*)(DIR*)>(::dlsym(RTLD_NEXT, "readdir"));
  dirent* entry = real(folder);
  if (!is_mode("unseen") || !is_claims_folder(folder)) return entry;
  while (entry != nullptr && entry->d_name[0] != '.' && is_young(::dirfd(folder), entry->d_name)) {
    note();
    entry = real(folder);
  }
  return entry;
}

extern "C" int link(const char* from, const char* to) noexcept {
  const int result = ::linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
  // Workers of different speed come into each other's way.
  if (is_mode("shared") && ::getpid() % 2 == 0) ::usleep(20'000);
  if (result != 0 || !is_mode("unheard")) return result;
  note();
  errno = EEXIST;
  return -1;
}
