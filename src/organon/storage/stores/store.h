#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "organon/base/files.h"

namespace organon::storage {

/// Bytes under keys, such as files below a folder or objects in a bucket. A key is a path with `/` between
/// its parts. Thread-safe, but for two writers of one key. What is absent is no error; what cannot be known
/// (no answer, no permission) is kIo.
class Store {
 public:
  virtual ~Store() = default;

  /// The key as people know it, for messages: a path, a URL.
  virtual std::string describe(const std::string& key) const = 0;

  /// All bytes; nothing where the key is absent. Errors: kCorruptData where there are more than `max_bytes`;
  /// kIo.
  virtual std::optional<std::vector<std::byte>> read(const std::string& key,
                                                     std::size_t max_bytes = kMaxReadBytes) const = 0;
  /// `num_bytes` from `begin` on; fewer where the value ends before.
  virtual std::optional<std::vector<std::byte>> read_range(const std::string& key, std::uint64_t begin,
                                                           std::size_t num_bytes) const = 0;
  /// The last `num_bytes`; fewer where there are not so many.
  virtual std::optional<std::vector<std::byte>> read_end(const std::string& key,
                                                         std::size_t num_bytes) const = 0;
  virtual bool exists(const std::string& key) const = 0;
  /// Names right below `folder`, sorted; those of folders end with `/`. Empty where there are none. Errors:
  /// kUnsupported where the store cannot tell (plain http); kIo.
  virtual std::vector<std::string> list(const std::string& folder) const = 0;

  /// The value appears whole or not at all, and is in the store when this returns. Just before it appears
  /// `before_commit` is called, on a network before each try: where it throws, the value stays as it was (or
  /// as an earlier try, made while it did not throw, left it). Errors: kInvalidArgument for keys that can
  /// hold nothing; kUnsupported where the store is read only; kResourceExhausted; kIo, after which a store
  /// elsewhere may hold the old value or the new one, whole.
  virtual void write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync = Fsync::kYes,
                     const std::function<void()>& before_commit = {}) = 0;
  /// Whether there was one.
  virtual bool remove(const std::string& key) = 0;

  /// Where the key lies on this machine; nothing for stores elsewhere.
  virtual std::optional<std::filesystem::path> local_path(const std::string& key) const {
    (void)key;
    return std::nullopt;
  }

  static constexpr std::size_t kMaxReadBytes = std::size_t{1} << 32;
};

/// A key in a store.
struct Place {
  std::shared_ptr<Store> store;
  std::string key;

  Place operator/(const std::string& name) const {
    return {store, key.empty() || key.ends_with('/') ? key + name : key + "/" + name};
  }
  std::filesystem::path path() const { return key; }  ///< of the key, whatever the store
  /// Another key of the same store.
  Place at(const std::filesystem::path& other) const { return {store, other.string()}; }
  bool exists() const { return store->exists(key); }
  std::string describe() const { return store->describe(key); }
};

/// Whether anything is kept at `place` or below it.
bool has_anything(const Place& place);
/// Removes all below `folder`, and what is kept at it. Out of sight in one moment where the store can rename;
/// else metadata goes first, so that no half of a dataset is ever opened.
void remove_all(const Place& folder);

}  // namespace organon::storage
