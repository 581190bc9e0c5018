#include "organon/storage/precomputed/shard_boxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"

namespace organon::storage {
namespace {

constexpr int kMaxMinishardIndexBits = 9;  // 512 chunks of 24 bytes
constexpr std::size_t kNumAxes = 3;

int bits_of(std::int64_t count) { return std::bit_width(static_cast<std::uint64_t>(count - 1)); }

/// x first, as ids count.
std::array<int, kNumAxes> bits_per_axis(const Shape3& num_chunks) {
  return {bits_of(num_chunks.x), bits_of(num_chunks.y), bits_of(num_chunks.z)};
}

// Calls `use(axis, bit)` for the bits of ids, lowest first, until it returns false.
template <class Use>
void for_each_id_bit(const Shape3& num_chunks, Use use) {
  const std::array<int, kNumAxes> bits = bits_per_axis(num_chunks);
  for (int bit = 0; bit < *std::max_element(bits.begin(), bits.end()); ++bit) {
    for (std::size_t axis = 0; axis < kNumAxes; ++axis) {
      if (bit < bits[axis] && !use(axis, bit)) return;
    }
  }
}

Shape3 num_chunks_of(const DatasetSpec& spec) {
  return BlockGrid(spec.domain(), spec.chunk_shape).num_cells();
}

Shape3 voxels_of(const Shape3& chunks, const Shape3& chunk_shape) {
  return {chunks.z * chunk_shape.z, chunks.y * chunk_shape.y, chunks.x * chunk_shape.x};
}

// Chunks of a whole shard; those of an axis that it covers count as the power of two that covers it.
Shape3 chunks_asked_for(const DatasetSpec& spec) {
  const Shape3 grid = num_chunks_of(spec);
  const auto along = [](std::int64_t shard, std::int64_t chunk, std::int64_t num_chunks) {
    const std::int64_t chunks = shard / chunk;
    return chunks >= num_chunks ? std::int64_t{1} << bits_of(num_chunks) : chunks;
  };
  return {along(spec.shard_shape.z, spec.chunk_shape.z, grid.z),
          along(spec.shard_shape.y, spec.chunk_shape.y, grid.y),
          along(spec.shard_shape.x, spec.chunk_shape.x, grid.x)};
}

// How far two boxes are from one another, in doublings of an axis.
double doublings_between(const Shape3& a, const Shape3& b) {
  const auto along = [](std::int64_t p, std::int64_t q) {
    return std::abs(std::log2(static_cast<double>(p) / static_cast<double>(q)));
  };
  return along(a.z, b.z) + along(a.y, b.y) + along(a.x, b.x);
}

bool can_be_held(const Shape3& shard, const DatasetSpec& spec) {
  DatasetSpec whole = spec;
  whole.shard_shape = shard;
  if (!find_spec_problem(whole).empty()) return false;
  const auto bytes = [&](std::int64_t extent, std::int64_t of_shard) {
    return static_cast<double>(std::min(extent, of_shard));
  };
  return bytes(spec.shape.z, shard.z) * bytes(spec.shape.y, shard.y) * bytes(spec.shape.x, shard.x) *
             static_cast<double>(size_of(spec.data_type)) <=
         static_cast<double>(kMaxChunkBytes);
}

}  // namespace

Shape3 chunks_of_low_bits(int num_bits, const Shape3& num_chunks) {
  std::array<std::int64_t, kNumAxes> chunks{1, 1, 1};
  int num_left = num_bits;
  for_each_id_bit(num_chunks, [&](std::size_t axis, int) {
    if (num_left-- <= 0) return false;
    chunks[axis] *= 2;
    return true;
  });
  return {chunks[2], chunks[1], chunks[0]};
}

Index3 position_of_code(std::uint64_t code, const Shape3& num_chunks) {
  std::array<std::int64_t, kNumAxes> at{};
  std::uint64_t rest = code;
  for_each_id_bit(num_chunks, [&](std::size_t axis, int bit) {
    at[axis] |= static_cast<std::int64_t>(rest & 1) << bit;
    rest >>= 1;
    return rest != 0;
  });
  return {at[2], at[1], at[0]};
}

VolumeSharding sharding_of_low_bits(int num_bits, const Shape3& num_chunks, Codec codec) {
  VolumeSharding sharding;
  sharding.preshift_bits = std::min(num_bits, kMaxMinishardIndexBits);
  sharding.minishard_bits = num_bits - sharding.preshift_bits;
  sharding.shard_bits = morton_bits(num_chunks) - num_bits;
  sharding.has_gzip_index = true;
  sharding.has_gzip_data = codec == Codec::kRaw || codec == Codec::kCompressedSegmentation;
  return sharding;
}

std::optional<Shape3> shards_that_are_boxes(const VolumeSharding& sharding, const DatasetSpec& spec) {
  const Shape3 grid = num_chunks_of(spec);
  const int num_bits = morton_bits(grid);
  const int num_low = sharding.preshift_bits + sharding.minishard_bits;
  if (sharding.hashes_ids || num_low + sharding.shard_bits < num_bits) return std::nullopt;
  const Shape3 shard = voxels_of(chunks_of_low_bits(std::min(num_low, num_bits), grid), spec.chunk_shape);
  return can_be_held(shard, spec) ? std::optional(shard) : std::nullopt;
}

std::optional<Shape3> find_precomputed_shards(const DatasetSpec& spec) {
  if (!has_shards(spec)) return Shape3{};
  const Shape3 grid = num_chunks_of(spec);
  const Shape3 wanted = chunks_asked_for(spec);
  for (int num_bits = 0; num_bits <= morton_bits(grid); ++num_bits) {
    if (chunks_of_low_bits(num_bits, grid) != wanted) continue;
    const Shape3 shard = voxels_of(wanted, spec.chunk_shape);
    return can_be_held(shard, spec) ? std::optional(shard) : std::nullopt;
  }
  return std::nullopt;
}

Shape3 precomputed_shards_of(const DatasetSpec& spec) {
  if (const auto found = find_precomputed_shards(spec)) return *found;
  const Shape3 grid = num_chunks_of(spec);
  const Shape3 wanted = chunks_asked_for(spec);
  std::vector<Shape3> boxes;
  for (int num_bits = 0; num_bits <= morton_bits(grid); ++num_bits) {
    const Shape3 chunks = chunks_of_low_bits(num_bits, grid);
    if (can_be_held(voxels_of(chunks, spec.chunk_shape), spec)) boxes.push_back(chunks);
  }
  std::stable_sort(boxes.begin(), boxes.end(), [&](const Shape3& a, const Shape3& b) {
    return doublings_between(a, wanted) < doublings_between(b, wanted);
  });
  std::vector<std::string> nearest;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, boxes.size()); ++i)
    nearest.push_back(to_string(voxels_of(boxes[i], spec.chunk_shape)));
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("precomputed numbers chunks in Morton order and holds shards below 2 GiB: of {} voxels "
                  "there are none in this volume of {} in chunks of {}; the nearest are {}",
                  to_string(spec.shard_shape), to_string(spec.shape), to_string(spec.chunk_shape),
                  fmt::join(nearest, " and ")));
}

VolumeSharding precomputed_sharding_of(const DatasetSpec& spec) {
  const Shape3 grid = num_chunks_of(spec);
  const Shape3 chunks = chunks_asked_for(spec);
  const int num_bits = bits_of(chunks.z) + bits_of(chunks.y) + bits_of(chunks.x);
  ORGANON_CHECK(chunks_of_low_bits(num_bits, grid) == chunks);
  return sharding_of_low_bits(num_bits, grid, spec.codec);
}

}  // namespace organon::storage
