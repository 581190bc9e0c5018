#pragma once

#include <mutex>

#include "organon/storage/stores/aws_config.h"
#include "organon/storage/stores/http_client.h"
#include "organon/storage/stores/store.h"

namespace organon::storage {

struct S3Options {
  AwsSettings aws = {};
  HttpOptions http = {};
  /// Larger values go up in parts.
  std::size_t max_single_bytes = std::size_t{64} << 20;
  /// More where 10,000 parts (S3's limit) are too few; S3 wants at least 5 MiB.
  std::size_t part_bytes = std::size_t{16} << 20;
  int num_parallel_parts = 4;
};

/// A bucket of S3 or of a server that speaks like it. Requests are signed (Signature Version 4) where there
/// are credentials; without them, AccessDenied means absent, as public buckets say it of what they do not
/// have. Each upload carries its SHA-256 and MD5, so that the server refuses what was damaged on its way. A
/// wrong region is mended once the server names the right one. `before_commit` is called before each try of
/// the request that makes the value visible: where it throws at a later try, an earlier one may have arrived
/// all the same.
/// Errors: kNotFound where the bucket does not exist; kIo with the server's code and message;
/// kResourceExhausted where the server is full; kCorruptData for answers that are not S3's.
class S3Store : public Store {
 public:
  /// Errors: kInvalidArgument for names that no bucket can have, and for unsound endpoints and regions.
  S3Store(std::string bucket, S3Options options);

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
  struct Call;
  HttpAnswer send_call(const Call& call) const;
  HttpRequest make_request(const Call& call, const std::string& region) const;
  [[noreturn]] void fail(const Call& call, const HttpAnswer& answer) const;
  bool means_absent(const HttpAnswer& answer) const;
  std::optional<std::vector<std::byte>> get(const std::string& key, std::optional<ByteRange> range,
                                            std::size_t max_bytes) const;
  void write_in_parts(const std::string& key, std::span<const std::byte> bytes,
                      const std::function<void()>& before_commit);

  std::string bucket_;
  S3Options options_;
  mutable std::mutex region_mutex_;
  mutable std::string region_;
};

}  // namespace organon::storage
