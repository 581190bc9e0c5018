#include "organon/storage/zarr/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/codecs/crc32c.h"

namespace organon::storage {
namespace {

constexpr std::size_t kChecksumBytes = 4;

BlockGrid grid_of(const Shape3& num_chunks) { return {Box::of_shape(num_chunks), {1, 1, 1}}; }

class IndexCheck {
 public:
  IndexCheck(const ShardIndex& index, const ShardLayout& layout) : index_(index) {
    const std::uint64_t index_bytes = shard_index_bytes(layout, index.num_chunks);
    if (layout.is_index_at_start) {
      first_ = index_bytes;
    } else {
      bytes_behind_ = index_bytes;
    }
  }

  void require_sizes(std::uint64_t max_chunk_bytes, std::optional<std::uint64_t> shard_bytes) const {
    // A number that no place in a file reaches, so that sums do not overflow.
    constexpr std::uint64_t kMaxPlace = std::uint64_t{1} << 62;
    if (shard_bytes && *shard_bytes < first_ + bytes_behind_)
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("shard of {} bytes ends inside its index", *shard_bytes));
    const std::uint64_t end = shard_bytes ? *shard_bytes - bytes_behind_ : kMaxPlace;
    for (std::size_t id = 0; id < index_.entries.size(); ++id) {
      const ShardEntry& entry = index_.entries[id];
      if (entry.is_absent()) continue;
      if (entry.num_bytes > max_chunk_bytes)
        refuse(id,
               fmt::format("would have {} bytes, at most {} are possible", entry.num_bytes, max_chunk_bytes));
      if (entry.begin < first_ || entry.begin > end || entry.num_bytes > end - entry.begin) {
        refuse(id, fmt::format("would lie at {} + {}, outside the {} .. {} of its shard", entry.begin,
                               entry.num_bytes, first_, end));
      }
    }
  }

  void require_apart() const {
    std::vector<std::size_t> ids;
    for (std::size_t id = 0; id < index_.entries.size(); ++id) {
      if (!index_.entries[id].is_absent()) ids.push_back(id);
    }
    std::ranges::sort(ids, {}, [&](std::size_t id) {
      return std::pair(index_.entries[id].begin, index_.entries[id].num_bytes);
    });
    for (std::size_t i = 1; i < ids.size(); ++i) {
      const ShardEntry& before = index_.entries[ids[i - 1]];
      if (index_.entries[ids[i]].begin < before.begin + before.num_bytes)
        refuse(ids[i], fmt::format("overlaps inner chunk {}", name_of(ids[i - 1])));
    }
  }

 private:
  std::string name_of(std::size_t id) const {
    return to_string(grid_of(index_.num_chunks).position_of(static_cast<std::int64_t>(id)));
  }
  [[noreturn]] void refuse(std::size_t id, const std::string& what) const {
    throw Error(ErrorKind::kCorruptData, fmt::format("inner chunk {} {}", name_of(id), what));
  }

  const ShardIndex& index_;
  std::uint64_t first_ = 0;
  std::uint64_t bytes_behind_ = 0;
};

std::vector<std::byte> encode_index(const std::vector<ShardEntry>& entries, const ShardLayout& layout) {
  const auto numbers = std::as_bytes(std::span(entries));
  std::vector<std::byte> bytes(numbers.begin(), numbers.end());
  if (layout.is_index_big_endian) swap_byte_order(bytes, sizeof(std::uint64_t));
  for (int i = 0; i < layout.num_index_checksums; ++i) append_crc32c(bytes, 0);
  return bytes;
}

}  // namespace

static_assert(sizeof(ShardEntry) == 16, "entries are copied as they lie in the index");

const ShardEntry& ShardIndex::at(const Index3& position) const {
  return entries.at(static_cast<std::size_t>(grid_of(num_chunks).id_of(position)));
}

std::size_t shard_index_bytes(const ShardLayout& layout, const Shape3& num_chunks) {
  return static_cast<std::size_t>(num_chunks.product()) * sizeof(ShardEntry) +
         kChecksumBytes * static_cast<std::size_t>(layout.num_index_checksums);
}

ShardIndex decode_shard_index(std::span<const std::byte> bytes, const ShardLayout& layout,
                              const Shape3& num_chunks, std::uint64_t max_chunk_bytes,
                              std::optional<std::uint64_t> shard_bytes) {
  if (bytes.size() != shard_index_bytes(layout, num_chunks)) {
    throw Error(ErrorKind::kCorruptData, fmt::format("shard ends inside its index: {} bytes of {}",
                                                     bytes.size(), shard_index_bytes(layout, num_chunks)));
  }
  for (int i = 0; i < layout.num_index_checksums; ++i) {
    try {
      bytes = without_crc32c(bytes);
    } catch (const Error& error) {
      throw error.within("index of the shard");
    }
  }
  ShardIndex index;
  index.num_chunks = num_chunks;
  index.entries.resize(static_cast<std::size_t>(num_chunks.product()));
  const auto target = std::as_writable_bytes(std::span(index.entries));
  std::ranges::copy(bytes, target.begin());
  if (layout.is_index_big_endian) swap_byte_order(target, sizeof(std::uint64_t));
  const IndexCheck check(index, layout);
  check.require_sizes(max_chunk_bytes, shard_bytes);
  check.require_apart();
  return index;
}

std::optional<std::span<const std::byte>> bytes_of_inner_chunk(std::span<const std::byte> shard,
                                                               const ShardIndex& index,
                                                               const Index3& position) {
  const ShardEntry& entry = index.at(position);
  if (entry.is_absent()) return std::nullopt;
  ORGANON_CHECK(entry.begin <= shard.size() && entry.num_bytes <= shard.size() - entry.begin);
  return shard.subspan(entry.begin, entry.num_bytes);
}

void append_shard(
    const ShardLayout& layout, const Shape3& num_chunks,
    const std::function<bool(const Index3& position, std::vector<std::byte>& output)>& append_chunk,
    std::vector<std::byte>& output) {
  const std::size_t start = output.size();
  const BlockGrid grid = grid_of(num_chunks);
  std::vector<ShardEntry> entries(static_cast<std::size_t>(grid.count()));
  if (layout.is_index_at_start) output.resize(start + shard_index_bytes(layout, num_chunks));
  for (std::int64_t id = 0; id < grid.count(); ++id) {
    const std::size_t begin = output.size();
    if (!append_chunk(grid.position_of(id), output)) continue;
    entries[static_cast<std::size_t>(id)] = {begin - start, output.size() - begin};
  }
  const std::vector<std::byte> index = encode_index(entries, layout);
  if (layout.is_index_at_start) {
    std::ranges::copy(index, output.begin() + static_cast<std::ptrdiff_t>(start));
  } else {
    output.insert(output.end(), index.begin(), index.end());
  }
}

}  // namespace organon::storage
