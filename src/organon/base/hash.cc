#include "organon/base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <fstream>
#include <memory>
#include <vector>

#include "organon/base/error.h"

namespace organon {

Hash128 hash_bytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Hash128 hash_text(const std::string& text) {
  return hash_bytes(std::as_bytes(std::span(text.data(), text.size())));
}

std::optional<Hash128> hash_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    throw_system_error("cannot open", path.string());
  }
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> buffer(1 << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    XXH3_128bits_update(state.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw_system_error("cannot read", path.string());
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return Hash128{hash.high64, hash.low64};
}

std::uint32_t checksum_xxh32(std::span<const std::byte> bytes, std::uint32_t seed) {
  return XXH32(bytes.data(), bytes.size(), seed);
}

std::string to_hex(const Hash128& hash) { return fmt::format("{:016x}{:016x}", hash.high, hash.low); }

Hash128 hash_from_hex(const std::string& hex) {
  Hash128 hash;
  const auto parse = [&](std::size_t from, std::uint64_t& value) {
    const char* begin = hex.data() + from;
    const auto result = std::from_chars(begin, begin + 16, value, 16);
    return result.ec == std::errc() && result.ptr == begin + 16;
  };
  if (hex.size() != 32 || !parse(0, hash.high) || !parse(16, hash.low)) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("expected a hash of 32 hexadecimal digits, found '{}'", hex));
  }
  return hash;
}

}  // namespace organon
