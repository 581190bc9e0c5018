#include "organon/storage/stores/memory_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "organon/base/error.h"

namespace organon::storage {

std::string MemoryStore::describe(const std::string& key) const {
  return name_.ends_with('/') ? name_ + key : name_ + "/" + key;
}

// Values are never changed, only replaced: readers copy without holding the lock.
MemoryStore::Bytes MemoryStore::find(const std::string& key) const {
  const std::shared_lock lock(mutex_);
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : found->second;
}

std::optional<std::vector<std::byte>> MemoryStore::read(const std::string& key, std::size_t max_bytes) const {
  const Bytes bytes = find(key);
  if (!bytes) return std::nullopt;
  if (bytes->size() > max_bytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("{}: {} bytes, at most {} are read", describe(key), bytes->size(), max_bytes));
  }
  return *bytes;
}

std::optional<std::vector<std::byte>> MemoryStore::read_range(const std::string& key, std::uint64_t begin,
                                                              std::size_t num_bytes) const {
  const Bytes bytes = find(key);
  if (!bytes) return std::nullopt;
  const std::span<const std::byte> rest =
      std::span(*bytes).subspan(std::min<std::uint64_t>(begin, bytes->size()));
  const auto part = rest.first(std::min(num_bytes, rest.size()));
  return std::vector<std::byte>(part.begin(), part.end());
}

std::optional<std::vector<std::byte>> MemoryStore::read_end(const std::string& key,
                                                            std::size_t num_bytes) const {
  const Bytes bytes = find(key);
  if (!bytes) return std::nullopt;
  const auto part = std::span(*bytes).last(std::min(num_bytes, bytes->size()));
  return std::vector<std::byte>(part.begin(), part.end());
}

bool MemoryStore::exists(const std::string& key) const { return find(key) != nullptr; }

std::vector<std::string> MemoryStore::list(const std::string& folder) const {
  const std::string prefix = folder.empty() || folder.ends_with('/') ? folder : folder + "/";
  std::vector<std::string> names;
  const std::shared_lock lock(mutex_);
  for (auto it = values_.lower_bound(prefix); it != values_.end() && it->first.starts_with(prefix); ++it) {
    const std::size_t slash = it->first.find('/', prefix.size());
    const std::size_t end = slash == std::string::npos ? it->first.size() : slash + 1;
    std::string name = it->first.substr(prefix.size(), end - prefix.size());
    // All keys of a folder begin alike, so they follow each other.
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

void MemoryStore::write(const std::string& key, std::span<const std::byte> bytes, Fsync,
                        const std::function<void()>& before_commit) {
  auto value = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  if (before_commit) before_commit();
  const std::unique_lock lock(mutex_);
  values_[key] = std::move(value);
}

bool MemoryStore::remove(const std::string& key) {
  const std::unique_lock lock(mutex_);
  return values_.erase(key) > 0;
}

}  // namespace organon::storage
