#include "organon/stages/training/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/storage/byte_order.h"  // numbers are little-endian, as in memory
#include "organon/storage/codecs/crc32c.h"

namespace organon::stages {
namespace {

// A field begins with its number and the kind of what follows.
enum class Kind : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class T>
void append_number(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

// Seven bits a byte, lowest first; the highest bit says that more follow.
void append_varint(std::string& bytes, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
  bytes += static_cast<char>(number);
}

void begin_field(std::string& message, unsigned number, Kind kind) {
  append_varint(message, number << 3 | static_cast<unsigned>(kind));
}

void append_bytes(std::string& message, unsigned number, std::string_view bytes) {
  begin_field(message, number, Kind::kBytes);
  append_varint(message, bytes.size());
  message += bytes;
}

// An Event with what all have.
std::string begin_event(double unix_seconds) {
  std::string event;
  begin_field(event, 1, Kind::kFixed64);
  append_number(event, unix_seconds);
  return event;
}

std::string encode_event(const ScalarEvent& event) {
  std::string summary;
  for (const Scalar& scalar : event.scalars) {
    std::string value;
    append_bytes(value, 1, scalar.tag);
    begin_field(value, 2, Kind::kFixed32);
    append_number(value, static_cast<float>(scalar.value));
    append_bytes(summary, 1, value);
  }
  std::string message = begin_event(event.unix_seconds);
  begin_field(message, 2, Kind::kVarint);
  append_varint(message, static_cast<std::uint64_t>(event.step));
  append_bytes(message, 5, summary);
  return message;
}

// Masked, since a checksum of bytes that have checksums among them says little.
std::uint32_t masked_checksum(std::string_view bytes) {
  const std::uint32_t checksum = storage::crc32c(std::as_bytes(std::span(bytes)));
  return (checksum >> 15 | checksum << 17) + 0xa282ead8u;
}

void append_record(std::string& file, std::string_view data) {
  const std::size_t begin = file.size();
  append_number(file, std::uint64_t{data.size()});
  append_number(file, masked_checksum(std::string_view(file).substr(begin)));
  file += data;
  append_number(file, masked_checksum(data));
}

}  // namespace

std::string encode_events(double began_unix_seconds, const std::vector<ScalarEvent>& events) {
  std::string version = begin_event(began_unix_seconds);
  append_bytes(version, 3, "brain.Event:2");
  std::string file;
  append_record(file, version);
  for (const ScalarEvent& event : events) append_record(file, encode_event(event));
  return file;
}

void update_event_file(const std::filesystem::path& path, std::string_view bytes) {
  const auto wanted = std::as_bytes(std::span(bytes));
  const auto found = read_file_if_exists(path);
  std::span<const std::byte> rest = wanted;
  if (found) {
    const auto agreed = std::mismatch(wanted.begin(), wanted.end(), found->begin(), found->end()).first;
    rest = wanted.subspan(static_cast<std::size_t>(agreed - wanted.begin()));
    if (rest.empty() && found->size() == wanted.size()) return;
  }
  std::filesystem::create_directories(path.parent_path());
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw_system_error("cannot open", path.string());
  try {
    if (::ftruncate(descriptor, static_cast<off_t>(wanted.size() - rest.size())) != 0)
      throw_system_error("cannot shorten", path.string());
    write_all(descriptor, rest, path.string());
    if (::fsync(descriptor) != 0) throw_system_error("cannot sync", path.string());
  } catch (const Error&) {
    ::close(descriptor);
    throw;
  }
  if (::close(descriptor) != 0) throw_system_error("cannot close", path.string());
  if (!found) sync_folder(path.parent_path());
}

}  // namespace organon::stages
