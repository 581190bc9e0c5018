#include "organon/storage/precomputed/volume_shards.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/codecs/gzip.h"
#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

constexpr int kMaxMinishardBits = 24;  // an index of 256 MiB
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;
constexpr std::size_t kEntryBytes = 24;       // id, begin, size of one value
constexpr std::size_t kIndexEntryBytes = 16;  // begin, end of one minishard's index
constexpr int kGzipLevel = 1;

std::uint64_t load_u64(const std::byte* bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));  // little-endian machines only
  return value;
}

void append_u64(std::uint64_t value, std::vector<std::byte>& output) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  output.insert(output.end(), first, first + sizeof(value));
}

// The lower 64 bits of MurmurHash3_x86_128, seed 0, of the id's 8 bytes: one tail of 8, no body. Source:
// Appleby's description of the algorithm [appleby2011murmur].
std::uint64_t murmur_of(std::uint64_t id) {
  constexpr std::uint32_t kC1 = 0x239b961b;
  constexpr std::uint32_t kC2 = 0xab0e9789;
  constexpr std::uint32_t kC3 = 0x38b34ae5;
  const auto mix = [](std::uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6b;
    h ^= h >> 13;
    h *= 0xc2b2ae35;
    return h ^ (h >> 16);
  };
  const auto low = static_cast<std::uint32_t>(id);
  const auto high = static_cast<std::uint32_t>(id >> 32);
  std::array<std::uint32_t, 4> h{};
  h[1] ^= std::rotl(high * kC2, 16) * kC3;
  h[0] ^= std::rotl(low * kC1, 15) * kC2;
  for (std::uint32_t& part : h) part ^= 8;  // the length
  const auto spread = [&h] {
    h[0] += h[1] + h[2] + h[3];
    for (std::size_t i = 1; i < h.size(); ++i) h[i] += h[0];
  };
  spread();
  for (std::uint32_t& part : h) part = mix(part);
  spread();
  return static_cast<std::uint64_t>(h[1]) << 32 | h[0];
}

std::uint64_t low_bits(std::uint64_t value, int count) {
  return count >= 64 ? value : value & ((std::uint64_t{1} << count) - 1);
}
std::uint64_t shifted(std::uint64_t value, int count) { return count >= 64 ? 0 : value >> count; }

int bits_field(const Json& json, std::string_view key, int largest, std::string_view where) {
  const std::int64_t bits = integer_field(json, key, where);
  if (bits >= 0 && bits <= largest) return static_cast<int>(bits);
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: {} {} is not in 0 .. {}", where, key, bits, largest));
}

bool gzip_field(const Json& json, std::string_view key, std::string_view where) {
  if (optional_field(json, key) == nullptr) return false;
  const std::string name = string_field(json, key, where);
  if (name == "raw") return false;
  if (name == "gzip") return true;
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: {} '{}'", where, key, name));
}

void append_encoded(bool is_gzip, std::span<const std::byte> bytes, std::vector<std::byte>& output) {
  if (is_gzip) return append_gzip(bytes, kGzipLevel, GzipFraming::kGzip, output);
  output.insert(output.end(), bytes.begin(), bytes.end());
}

int bits_of(std::int64_t count) { return std::bit_width(static_cast<std::uint64_t>(count - 1)); }

}  // namespace

VolumeSharding parse_volume_sharding(const Json& json, std::string_view where) {
  const std::string place = fmt::format("{}: 'sharding'", where);
  const std::string type = string_field(json, "@type", place);
  if (type != "neuroglancer_uint64_sharded_v1")
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: type '{}'", place, type));
  VolumeSharding sharding;
  const std::string hash = string_field(json, "hash", place);
  if (hash != "identity" && hash != "murmurhash3_x86_128")
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: hash '{}'", place, hash));
  sharding.hashes_ids = hash != "identity";
  sharding.preshift_bits = bits_field(json, "preshift_bits", 64, place);
  sharding.minishard_bits = bits_field(json, "minishard_bits", kMaxMinishardBits, place);
  sharding.shard_bits = bits_field(json, "shard_bits", 64 - sharding.minishard_bits, place);
  sharding.has_gzip_index = gzip_field(json, "minishard_index_encoding", place);
  sharding.has_gzip_data = gzip_field(json, "data_encoding", place);
  return sharding;
}

Json to_json(const VolumeSharding& sharding) {
  return {{"@type", "neuroglancer_uint64_sharded_v1"},
          {"preshift_bits", sharding.preshift_bits},
          {"hash", sharding.hashes_ids ? "murmurhash3_x86_128" : "identity"},
          {"minishard_bits", sharding.minishard_bits},
          {"shard_bits", sharding.shard_bits},
          {"minishard_index_encoding", sharding.has_gzip_index ? "gzip" : "raw"},
          {"data_encoding", sharding.has_gzip_data ? "gzip" : "raw"}};
}

int morton_bits(const Shape3& num_chunks) {
  return bits_of(num_chunks.x) + bits_of(num_chunks.y) + bits_of(num_chunks.z);
}

std::uint64_t compressed_morton_code(const Index3& position, const Shape3& num_chunks) {
  const std::array<std::int64_t, 3> at{position.x, position.y, position.z};
  const std::array<int, 3> bits{bits_of(num_chunks.x), bits_of(num_chunks.y), bits_of(num_chunks.z)};
  std::uint64_t code = 0;
  int place = 0;
  for (int bit = 0; bit < 64; ++bit) {
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      if (bit >= bits[axis]) continue;
      code |= (static_cast<std::uint64_t>(at[axis]) >> bit & 1) << place++;
    }
  }
  return code;
}

ShardPlace place_in_shards(const VolumeSharding& sharding, std::uint64_t id) {
  const std::uint64_t shiftless = shifted(id, sharding.preshift_bits);
  const std::uint64_t hash = sharding.hashes_ids ? murmur_of(shiftless) : shiftless;
  return {low_bits(shifted(hash, sharding.minishard_bits), sharding.shard_bits),
          low_bits(hash, sharding.minishard_bits)};
}

std::string shard_name(const VolumeSharding& sharding, std::uint64_t shard) {
  return fmt::format("{:0{}x}.shard", shard, (sharding.shard_bits + 3) / 4);
}

std::size_t shard_index_bytes(const VolumeSharding& sharding) {
  return kIndexEntryBytes << sharding.minishard_bits;
}

std::optional<ShardRange> minishard_index_range(const VolumeSharding& sharding,
                                                std::span<const std::byte> entry) {
  if (entry.size() != kIndexEntryBytes) throw Error(ErrorKind::kCorruptData, "shard ends inside its index");
  const std::uint64_t begin = load_u64(entry.data());
  const std::uint64_t end = load_u64(entry.data() + 8);
  const std::uint64_t base = shard_index_bytes(sharding);
  if (begin == end) return std::nullopt;
  if (begin > end || end > std::numeric_limits<std::uint64_t>::max() - base || end - begin > kMaxIndexBytes) {
    throw Error(ErrorKind::kCorruptData, fmt::format("minishard index from {} to {}", begin, end));
  }
  return ShardRange{base + begin, base + end};
}

std::map<std::uint64_t, ShardRange> decode_minishard_index(const VolumeSharding& sharding,
                                                           std::span<const std::byte> bytes) {
  std::vector<std::byte> list(bytes.begin(), bytes.end());
  if (sharding.has_gzip_index) list = decode_gzip_of_unknown_size(bytes, kMaxIndexBytes);
  if (list.size() % kEntryBytes != 0)
    throw Error(ErrorKind::kCorruptData, fmt::format("minishard index of {} bytes", list.size()));
  const std::size_t count = list.size() / kEntryBytes;
  const std::uint64_t base = shard_index_bytes(sharding);
  std::map<std::uint64_t, ShardRange> values;
  std::uint64_t id = 0;
  std::uint64_t end = base;
  for (std::size_t i = 0; i < count; ++i) {
    id += load_u64(list.data() + 8 * i);
    const std::uint64_t gap = load_u64(list.data() + 8 * (count + i));
    const std::uint64_t size = load_u64(list.data() + 8 * (2 * count + i));
    const std::uint64_t begin = end + gap;
    end = begin + size;
    if (begin < base || end < begin)
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("value {} of {} bytes lies outside the shard", id, size));
    if (!values.try_emplace(id, ShardRange{begin, end}).second)
      throw Error(ErrorKind::kCorruptData, fmt::format("value {} is listed twice", id));
  }
  return values;
}

std::map<std::uint64_t, ShardRange> read_minishard_index(
    const VolumeSharding& sharding, const ShardPlace& place,
    const std::function<std::optional<std::vector<std::byte>>(const ShardRange& range)>& read) {
  const auto entry = read({kIndexEntryBytes * place.minishard, kIndexEntryBytes * (place.minishard + 1)});
  if (!entry) return {};
  const auto range = minishard_index_range(sharding, *entry);
  if (!range) return {};
  const auto bytes = read(*range);
  if (!bytes || bytes->size() != range->end - range->begin)
    throw Error(ErrorKind::kCorruptData, "the shard ends before the minishard that its index names");
  auto values = decode_minishard_index(sharding, *bytes);
  for (const auto& [id, value] : values) {
    const ShardPlace found = place_in_shards(sharding, id);
    if (found == place) continue;
    throw Error(
        ErrorKind::kCorruptData,
        fmt::format("value {} is listed in minishard {} of shard {:x}, it belongs to minishard {} of shard "
                    "{:x}",
                    id, place.minishard, place.shard, found.minishard, found.shard));
  }
  return values;
}

std::vector<std::byte> decode_shard_value(const VolumeSharding& sharding, std::vector<std::byte> bytes,
                                          std::size_t max_bytes) {
  if (sharding.has_gzip_data) return decode_gzip_of_unknown_size(bytes, max_bytes);
  return bytes;
}

VolumeShardReader::VolumeShardReader(const VolumeSharding& sharding, std::span<const std::byte> file)
    : sharding_(sharding), file_(file) {}

std::span<const std::byte> VolumeShardReader::part(const ShardRange& range) const {
  if (range.end > file_.size()) {
    throw Error(ErrorKind::kCorruptData, fmt::format("shard of {} bytes: its index names bytes {} to {}",
                                                     file_.size(), range.begin, range.end));
  }
  return file_.subspan(range.begin, range.end - range.begin);
}

std::optional<std::span<const std::byte>> VolumeShardReader::find(std::uint64_t id) {
  const ShardPlace place = place_in_shards(sharding_, id);
  if (minishard_ != place.minishard) {
    values_ = read_minishard_index(sharding_, place, [this](const ShardRange& range) {
      const auto bytes = part(range);
      return std::optional<std::vector<std::byte>>({bytes.begin(), bytes.end()});
    });
    minishard_ = place.minishard;
  }
  const auto found = values_.find(id);
  if (found == values_.end()) return std::nullopt;
  return part(found->second);
}

VolumeShardWriter::VolumeShardWriter(const VolumeSharding& sharding)
    : sharding_(sharding), file_(shard_index_bytes(sharding)) {}

void VolumeShardWriter::add(std::uint64_t id, std::span<const std::byte> value) {
  Minishard& minishard = minishards_[place_in_shards(sharding_, id).minishard];
  ORGANON_DCHECK(minishard.sizes.empty() || id > minishard.last_id);
  const std::uint64_t begin = file_.size() - shard_index_bytes(sharding_);
  append_encoded(sharding_.has_gzip_data, value, file_);
  const std::uint64_t end = file_.size() - shard_index_bytes(sharding_);
  minishard.id_steps.push_back(id - minishard.last_id);
  minishard.gaps.push_back(begin - minishard.end);
  minishard.sizes.push_back(end - begin);
  minishard.last_id = id;
  minishard.end = end;
}

std::vector<std::byte> VolumeShardWriter::finish() {
  const std::size_t base = shard_index_bytes(sharding_);
  for (const auto& [number, minishard] : minishards_) {
    std::vector<std::byte> list;
    for (const auto* column : {&minishard.id_steps, &minishard.gaps, &minishard.sizes})
      for (const std::uint64_t value : *column) append_u64(value, list);
    const std::uint64_t begin = file_.size() - base;
    append_encoded(sharding_.has_gzip_index, list, file_);
    const std::uint64_t end = file_.size() - base;
    std::byte* const entry = file_.data() + kIndexEntryBytes * number;
    std::memcpy(entry, &begin, sizeof(begin));
    std::memcpy(entry + sizeof(begin), &end, sizeof(end));
  }
  return std::move(file_);
}

std::vector<std::byte> encode_volume_shard(const VolumeSharding& sharding,
                                           const std::map<std::uint64_t, std::vector<std::byte>>& values) {
  VolumeShardWriter writer(sharding);
  for (const auto& [id, bytes] : values) writer.add(id, bytes);
  return writer.finish();
}

}  // namespace organon::storage
