#include "organon/storage/volumes/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

class File {
 public:
  explicit File(const std::filesystem::path& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw_system_error("cannot open", path.string());
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      throw Error(ErrorKind::kIo, fmt::format("{}: not a regular file", path.string()));
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(descriptor_); }

  std::size_t read_some(std::uint64_t offset, std::span<std::byte> target) const {
    std::size_t filled = 0;
    while (filled < target.size()) {
      const ssize_t got = ::pread(descriptor_, target.data() + filled, target.size() - filled,
                                  static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_system_error("cannot read", path_.string());
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

class StoredBytes : public ByteSource {
 public:
  StoredBytes(const std::filesystem::path& path, std::uint64_t begin)
      : ByteSource(path), file_(path), begin_(begin) {}
  std::size_t read_some(std::uint64_t offset, std::span<std::byte> target) override {
    return file_.read_some(begin_ + offset, target);
  }

 private:
  File file_;
  std::uint64_t begin_;
};

class InflatedBytes : public ByteSource {
 public:
  InflatedBytes(const std::filesystem::path& path, std::uint64_t begin)
      : ByteSource(path), file_(path), begin_(begin), next_input_(begin), input_(kInputBytes) {
    // 32: gzip and zlib are told apart by their first bytes.
    if (::inflateInit2(&stream_, MAX_WBITS + 32) != Z_OK) throw std::bad_alloc();
  }
  ~InflatedBytes() override { ::inflateEnd(&stream_); }

  std::size_t read_some(std::uint64_t offset, std::span<std::byte> target) override {
    if (offset < position_) restart();
    std::vector<std::byte> skipped(
        static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, kSkipBytes)));
    while (position_ < offset) {
      const auto wanted =
          static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, skipped.size()));
      if (inflate_some(std::span(skipped).first(wanted)) == 0) return 0;
    }
    std::size_t filled = 0;
    while (filled < target.size()) {
      const std::size_t got = inflate_some(target.subspan(filled));
      if (got == 0) break;
      filled += got;
    }
    return filled;
  }

  // A little may follow the voxels. The checksum stands behind it.
  void check_end() override {
    constexpr std::uint64_t kMostBytesBehind = 64 << 20;
    std::vector<std::byte> ignored(kSkipBytes);
    const std::uint64_t end = position_;
    while (inflate_some(ignored) > 0) {
      if (position_ - end <= kMostBytesBehind) continue;
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("{}: its compressed stream goes on after its voxels", path().string()));
    }
  }

 private:
  static constexpr std::size_t kInputBytes = 256 << 10;
  static constexpr std::size_t kSkipBytes = 1 << 20;

  void restart() {
    ::inflateReset2(&stream_, MAX_WBITS + 32);
    stream_.avail_in = 0;
    next_input_ = begin_;
    position_ = 0;
    has_ended_ = false;
  }

  void fill_input() {
    const std::size_t got = file_.read_some(next_input_, input_);
    next_input_ += got;
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(got);
  }

  // At least one byte, or 0 at the end of the stream.
  std::size_t inflate_some(std::span<std::byte> target) {
    constexpr std::size_t kMaxOutput = 1 << 30;  // zlib counts in 32 bits
    const std::size_t wanted = std::min(target.size(), kMaxOutput);
    stream_.next_out = reinterpret_cast<Bytef*>(target.data());
    stream_.avail_out = static_cast<uInt>(wanted);
    while (!has_ended_ && stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) fill_input();
      const int code = ::inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END) {
        begin_next_member();
      } else if (code == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (code == Z_BUF_ERROR && stream_.avail_in == 0) {
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("{}: its compressed stream is cut short", path().string()));
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("{}: its compressed stream is damaged: {}", path().string(),
                                stream_.msg != nullptr ? stream_.msg : "no stream"));
      }
    }
    const std::size_t got = wanted - stream_.avail_out;
    position_ += got;
    return got;
  }

  // A gzip file may be several, one after another; anything else after the end does not count.
  void begin_next_member() {
    constexpr Bytef kFirst = 0x1f;
    if (stream_.avail_in == 0) fill_input();
    has_ended_ = stream_.avail_in == 0 || *stream_.next_in != kFirst;
    if (!has_ended_) ::inflateReset2(&stream_, MAX_WBITS + 32);
  }

  File file_;
  std::uint64_t begin_;
  std::uint64_t next_input_;
  std::uint64_t position_ = 0;  // of the next decoded byte
  std::vector<std::byte> input_;
  z_stream stream_ = {};
  bool has_ended_ = false;
};

}  // namespace

void ByteSource::read(std::uint64_t offset, std::span<std::byte> target) {
  const std::size_t got = read_some(offset, target);
  if (got == target.size()) return;
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: ends at byte {} of its voxels, expected {} more",
                                                   path_.string(), offset + got, target.size() - got));
}

std::unique_ptr<ByteSource> open_stored_bytes(const std::filesystem::path& path, std::uint64_t begin_bytes) {
  return std::make_unique<StoredBytes>(path, begin_bytes);
}

std::unique_ptr<ByteSource> open_inflated_bytes(const std::filesystem::path& path,
                                                std::uint64_t begin_bytes) {
  return std::make_unique<InflatedBytes>(path, begin_bytes);
}

bool is_gzip_file(const std::filesystem::path& path) {
  std::array<std::byte, 2> first = {};
  StoredBytes(path, 0).read_some(0, first);
  return first[0] == std::byte{0x1f} && first[1] == std::byte{0x8b};
}

}  // namespace organon::storage
