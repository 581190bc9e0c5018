#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace organon {

/// A 128-bit XXH3 hash, as used for chunks, ledgers and digests.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

/// XXH3-128 with seed 0 of `bytes`. Source: [collet2012xxhash].
Hash128 hash_bytes(std::span<const std::byte> bytes);
Hash128 hash_text(const std::string& text);
/// hash_bytes() of a whole file of any size; nothing where it does not exist. Memory: 1 MiB. Errors: kIo.
std::optional<Hash128> hash_file(const std::filesystem::path& path);

/// XXH32 of `bytes`, which file formats use as a checksum. Source: [collet2012xxhash].
std::uint32_t checksum_xxh32(std::span<const std::byte> bytes, std::uint32_t seed);

/// 32 lower-case hexadecimal digits, most significant first (the canonical form of xxHash).
std::string to_hex(const Hash128& hash);
/// Inverse of to_hex. Errors: kCorruptData where `hex` is not 32 hexadecimal digits.
Hash128 hash_from_hex(const std::string& hex);

}  // namespace organon
