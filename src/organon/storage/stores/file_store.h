#pragma once

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// Files of this machine. A key is the path of its file, as given.
class FileStore : public Store {
 public:
  std::string describe(const std::string& key) const override;
  std::optional<std::vector<std::byte>> read(const std::string& key, std::size_t max_bytes) const override;
  std::optional<std::vector<std::byte>> read_range(const std::string& key, std::uint64_t begin,
                                                   std::size_t num_bytes) const override;
  std::optional<std::vector<std::byte>> read_end(const std::string& key,
                                                 std::size_t num_bytes) const override;
  bool exists(const std::string& key) const override;
  /// Without the temporary files of writers that were killed.
  std::vector<std::string> list(const std::string& folder) const override;
  void write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync = Fsync::kYes,
             const std::function<void()>& before_commit = {}) override;
  bool remove(const std::string& key) override;
  std::optional<std::filesystem::path> local_path(const std::string& key) const override;
};

}  // namespace organon::storage
