#pragma once

#include <map>
#include <shared_mutex>

#include "organon/storage/stores/store.h"

namespace organon::storage {

/// Bytes of this process, gone with it; for tests and for what is not worth a file.
class MemoryStore : public Store {
 public:
  /// `name` is for messages only.
  explicit MemoryStore(std::string name = "memory://") : name_(std::move(name)) {}

  std::string describe(const std::string& key) const override;
  std::optional<std::vector<std::byte>> read(const std::string& key, std::size_t max_bytes) const override;
  std::optional<std::vector<std::byte>> read_range(const std::string& key, std::uint64_t begin,
                                                   std::size_t num_bytes) const override;
  std::optional<std::vector<std::byte>> read_end(const std::string& key,
                                                 std::size_t num_bytes) const override;
  bool exists(const std::string& key) const override;
  std::vector<std::string> list(const std::string& folder) const override;
  void write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync = Fsync::kYes,
             const std::function<void()>& before_commit = {}) override;
  bool remove(const std::string& key) override;

 private:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;
  Bytes find(const std::string& key) const;

  std::string name_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, Bytes> values_;
};

}  // namespace organon::storage
