#include "organon/tables/byte_stream.h"

#include <fmt/format.h>

#include "organon/base/error.h"

namespace organon::tables {

std::size_t ByteReader::take_count(std::size_t entry_bytes) {
  const auto count = take<std::uint64_t>();
  if (bytes_.size() % entry_bytes != 0 || bytes_.size() / entry_bytes != count) {
    fail(fmt::format("{} entries of {} bytes declared, {} bytes follow", count, entry_bytes, bytes_.size()));
  }
  return static_cast<std::size_t>(count);
}

void ByteReader::fail(const std::string& reason) const {
  throw Error(ErrorKind::kCorruptData, fmt::format("encoded {}: {}", what_, reason));
}

}  // namespace organon::tables
