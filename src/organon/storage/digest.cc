#include "organon/storage/digest.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/array/copy.h"
#include "organon/base/check.h"
#include "organon/geometry/integer_division.h"

namespace organon::storage {
namespace {

constexpr std::int64_t kTileEdge = 64;
constexpr std::int64_t kMaxRegionBytes = std::int64_t{256} << 20;

Hash128 leaf_of(const AnyArray& region, const Box& region_box, const Box& tile) {
  if (region_box == tile) return hash_bytes(region.bytes());
  AnyArray voxels(region.type(), tile.shape());
  dispatch(region.type(), [&](auto zero) {
    using T = decltype(zero);
    copy_overlap<T>(region.view<T>(), region_box, voxels.view<T>(), tile);
  });
  return hash_bytes(voxels.bytes());
}

void append_big_endian(std::uint64_t value, std::vector<std::byte>& bytes) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(value >> shift & 0xff));
}

}  // namespace

BlockGrid digest_tiles(const DatasetSpec& spec) { return BlockGrid(spec.domain(), Shape3::cube(kTileEdge)); }

BlockGrid digest_regions(const DatasetSpec& spec) {
  const auto whole_tiles = [](std::int64_t chunk, std::int64_t extent) {
    return round_up_to_multiple(std::min(chunk, extent), kTileEdge);
  };
  Shape3 region{whole_tiles(spec.chunk_shape.z, spec.shape.z), whole_tiles(spec.chunk_shape.y, spec.shape.y),
                whole_tiles(spec.chunk_shape.x, spec.shape.x)};
  const std::int64_t max_tiles = kMaxRegionBytes / (kTileEdge * kTileEdge * kTileEdge *
                                                    static_cast<std::int64_t>(size_of(spec.data_type)));
  const auto num_tiles = [&] {
    return region.z / kTileEdge * (region.y / kTileEdge) * (region.x / kTileEdge);
  };
  while (num_tiles() > max_tiles) {
    std::int64_t& longest = region.z == region.largest()   ? region.z
                            : region.y == region.largest() ? region.y
                                                           : region.x;
    longest = round_up_to_multiple(longest / 2, kTileEdge);
  }
  return BlockGrid(spec.domain(), region);
}

void compute_digest_leaves(const Dataset& dataset, const Box& region, std::span<Hash128> leaves) {
  const BlockGrid tiles = digest_tiles(dataset.spec());
  ORGANON_CHECK(static_cast<std::int64_t>(leaves.size()) == tiles.count() && tiles.is_union_of_cells(region));
  const AnyArray voxels = dataset.read(region);
  const Box positions = tiles.positions_touching(region);
  for (std::int64_t z = positions.begin.z; z < positions.end.z; ++z) {
    for (std::int64_t y = positions.begin.y; y < positions.end.y; ++y) {
      for (std::int64_t x = positions.begin.x; x < positions.end.x; ++x) {
        const Index3 position{z, y, x};
        leaves[static_cast<std::size_t>(tiles.id_of(position))] =
            leaf_of(voxels, region, tiles.box_of(position));
      }
    }
  }
}

Hash128 digest_root(const DatasetSpec& spec, std::span<const Hash128> leaves) {
  ORGANON_CHECK(static_cast<std::int64_t>(leaves.size()) == digest_tiles(spec).count());
  const std::string header = fmt::format("organon digest 1 shape {},{},{} type {}\n", spec.shape.z,
                                         spec.shape.y, spec.shape.x, to_string(spec.data_type));
  std::vector<std::byte> bytes;
  bytes.reserve(header.size() + 16 * leaves.size());
  for (const char c : header) bytes.push_back(static_cast<std::byte>(c));
  for (const Hash128& leaf : leaves) {
    append_big_endian(leaf.high, bytes);
    append_big_endian(leaf.low, bytes);
  }
  return hash_bytes(bytes);
}

Hash128 digest_dataset(const Dataset& dataset) {
  std::vector<Hash128> leaves(static_cast<std::size_t>(digest_tiles(dataset.spec()).count()));
  const BlockGrid regions = digest_regions(dataset.spec());
  for (std::int64_t id = 0; id < regions.count(); ++id)
    compute_digest_leaves(dataset, regions.box_of(id), leaves);
  return digest_root(dataset.spec(), leaves);
}

}  // namespace organon::storage
