#pragma once

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// Files of this machine; keys are their paths.
class FileStore : public Store {
 public:
  std::string describe(const std::string& key) const override { return key; }
  std::optional<std::vector<std::byte>> read(const std::string& key, std::size_t max_bytes) const override;
  std::optional<std::vector<std::byte>> read_range(const std::string& key, std::uint64_t begin,
                                                   std::size_t num_bytes) const override;
  std::optional<std::vector<std::byte>> read_end(const std::string& key,
                                                 std::size_t num_bytes) const override;
  bool exists(const std::string& key) const override;
  std::vector<std::string> list(const std::string& folder) const override;
  void write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync,
             const std::function<void()>& before_commit) override;
  bool remove(const std::string& key) override;
  std::optional<std::filesystem::path> local_path(const std::string& key) const override { return key; }
};

}  // namespace organon::storage
