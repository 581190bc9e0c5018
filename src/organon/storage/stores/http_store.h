#pragma once

#include "organon/storage/stores/http_client.h"
#include "organon/storage/stores/store.h"

namespace organon::storage {

/// What a web server gives out, read only. Absent is what it answers with 404 or 410, and with 403 where the
/// answer says `AccessDenied` in the words of S3: so public buckets answer for what they do not have.
/// Errors: kIo for every other answer, with URL and status.
class HttpStore : public Store {
 public:
  /// `base_url`, such as "https://host:8080/folder", is put before each key. Errors: kInvalidArgument.
  explicit HttpStore(std::string base_url, HttpOptions options = {});

  std::string describe(const std::string& key) const override;
  std::optional<std::vector<std::byte>> read(const std::string& key, std::size_t max_bytes) const override;
  std::optional<std::vector<std::byte>> read_range(const std::string& key, std::uint64_t begin,
                                                   std::size_t num_bytes) const override;
  std::optional<std::vector<std::byte>> read_end(const std::string& key,
                                                 std::size_t num_bytes) const override;
  bool exists(const std::string& key) const override;
  /// Errors: kUnsupported, always, as write and remove.
  std::vector<std::string> list(const std::string& folder) const override;
  void write(const std::string& key, std::span<const std::byte> bytes, Fsync fsync = Fsync::kYes,
             const std::function<void()>& before_commit = {}) override;
  bool remove(const std::string& key) override;

 private:
  std::string url(const std::string& key) const;
  std::optional<std::vector<std::byte>> get(const std::string& key, std::optional<ByteRange> range,
                                            std::size_t max_bytes) const;

  std::string base_url_;
  HttpOptions options_;
};

}  // namespace organon::storage
