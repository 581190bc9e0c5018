#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace organon::storage {

/// A file that is written bit by bit and appears whole or not at all: a temporary one beside it, which goes
/// where commit() was not called. Errors: kIo, kResourceExhausted.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void write(std::span<const std::byte> bytes);
  /// Waits for the disk, then renames.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

}  // namespace organon::storage
