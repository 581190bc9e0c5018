#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace organon::storage {

/// The bytes of a file from some place on, as they are stored or inflated.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills `target` with the bytes from `offset` on; returns how many there were.
  /// Errors: kCorruptData for a damaged stream; kIo.
  virtual std::size_t read_some(std::uint64_t offset, std::span<std::byte> target) = 0;
  /// As read_some(), all of `target`. Errors: also kCorruptData where the file ends before.
  void read(std::uint64_t offset, std::span<std::byte> target);
  /// Called when the last byte of interest was read: the stream's checksum, if it has one, must be right.
  virtual void check_end() {}
  const std::filesystem::path& path() const { return path_; }

 protected:
  explicit ByteSource(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  std::filesystem::path path_;
};

/// The file's own bytes from `begin_bytes` on. Errors: kNotFound, kIo.
std::unique_ptr<ByteSource> open_stored_bytes(const std::filesystem::path& path, std::uint64_t begin_bytes);

/// What the gzip or zlib stream that begins at `begin_bytes` decodes to, also of several gzip members. The
/// stream is read once, in order; an offset before the last one begins again. Memory: 300 KiB. Source: RFC
/// 1950, RFC 1952. Errors: kNotFound, kIo.
std::unique_ptr<ByteSource> open_inflated_bytes(const std::filesystem::path& path, std::uint64_t begin_bytes);

/// Whether the file begins as gzip does.
bool is_gzip_file(const std::filesystem::path& path);

/// Bytes that one byte of a deflate stream becomes at most.
inline constexpr std::int64_t kLargestDeflateRatio = 1032;

}  // namespace organon::storage
