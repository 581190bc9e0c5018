#include "organon/storage/zarr/zarr3_chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "organon/array/copy.h"
#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/channel_stack.h"
#include "organon/storage/codecs/crc32c.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

constexpr std::size_t kChecksumBytes = 4;

// What a chain encodes, and which of its channels are wanted.
struct Cell {
  Shape3 shape;
  DataType type;
  std::uint64_t fill_value = 0;
  Channels channels;  // `shape` and `chosen` alone

  std::size_t num_bytes() const {
    return static_cast<std::size_t>(shape.product() * channels.count()) * size_of(type);
  }
};

bool is_in_order(const Zarr3Chain& chain) { return chain.order == Zarr3Chain().order; }

// Where voxel (z, y, x) lies in what `order` made of a box of voxels.
Stride3 stride_in_order(const std::array<int, 3>& order, const Shape3& shape) {
  const Shape3 encoded = in_order(order, shape);
  const std::array<std::int64_t, 3> strides{encoded.y * encoded.x, encoded.x, 1};
  std::array<std::int64_t, 3> by_axis{};
  for (std::size_t i = 0; i < 3; ++i) by_axis[static_cast<std::size_t>(order[i])] = strides[i];
  return {by_axis[0], by_axis[1], by_axis[2]};
}

Shape3 num_chunks_in(const Shape3& shard, const Shape3& chunk) {
  return {shard.z / chunk.z, shard.y / chunk.y, shard.x / chunk.x};
}

// The channels of a shard in the chunks of its layout.
Channels channels_in(const ShardLayout& layout, const Channels& of_shard) {
  return {of_shard.shape, layout.channel_chunk, of_shard.chosen};
}

// Chunks of a shard as its index lists them: those of further channels behind the first along z.
Shape3 indexed_chunks(const ShardLayout& layout, const Cell& shard) {
  const Channels channels = channels_in(layout, shard.channels);
  return stack_of(num_chunks_in(shard.shape, layout.chunk_shape), channels.count() / channels.per_chunk());
}

// Where the chunk of the wanted channel stands in the index.
Index3 indexed_position(const Channels& channels, const Shape3& num_chunks, const Index3& position) {
  std::vector<std::int64_t> counts = channels.shape;
  for (std::size_t axis = 0; axis < counts.size(); ++axis) counts[axis] /= channels.chunk[axis];
  return position + Index3{raster_index(channels.chunk_position(), counts) * num_chunks.z, 0, 0};
}

// A chunk of the shard, with the channels of it that are wanted.
Cell chunk_in(const ShardLayout& layout, const Cell& shard) {
  return {layout.chunk_shape, shard.type, shard.fill_value, channels_in(layout, shard.channels).in_chunk({})};
}

// No encoder of this chain makes more: codecs store what they cannot compress, with little around it.
std::uint64_t max_encoded_bytes(const Zarr3Chain& chain, const Cell& cell) {
  constexpr std::uint64_t kSlackBytes = 65536;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60;  // not a limit any more, but sums stay below 2^64
  std::uint64_t bytes = 2 * cell.num_bytes() + kSlackBytes;
  if (!chain.shards.empty()) {
    const ShardLayout& layout = chain.shards.front();
    const Cell encoded{in_order(chain.order, cell.shape), cell.type, cell.fill_value, cell.channels};
    const Shape3 num_chunks = indexed_chunks(layout, encoded);
    const auto count = static_cast<std::uint64_t>(num_chunks.product());
    const std::uint64_t of_chunk = max_encoded_bytes(layout.chunk_chain, chunk_in(layout, encoded));
    bytes = std::min(of_chunk, kMost / count) * count + shard_index_bytes(layout, num_chunks);
  }
  return bytes + kChecksumBytes *
                     static_cast<std::uint64_t>(chain.num_checksums_inside + chain.num_checksums_outside);
}

AnyArray decode_chain(std::span<const std::byte> bytes, const Zarr3Chain& chain, const Cell& cell,
                      const Shape3& shape);
void append_chain(const AnyArray& voxels, const Zarr3Chain& chain, const Cell& cell,
                  std::vector<std::byte>& output);

AnyArray decode_inner_chunk(std::span<const std::byte> bytes, const ShardLayout& layout, const Cell& cell,
                            const Shape3& shape, const Index3& position) {
  try {
    return decode_chain(bytes, layout.chunk_chain, cell, shape);
  } catch (const Error& error) {
    throw error.within("inner chunk " + to_string(position));
  }
}

// One channel of a shard, of it the voxels of `shape` at its begin: chunks beyond are not looked at.
AnyArray decode_shard(std::span<const std::byte> bytes, const ShardLayout& layout, const Cell& shard,
                      const Shape3& shape) {
  const Cell chunk = chunk_in(layout, shard);
  const Channels channels = channels_in(layout, shard.channels);
  const BlockGrid grid(Box::of_shape(shard.shape), chunk.shape);
  const Shape3 num_chunks = indexed_chunks(layout, shard);
  const std::size_t index_bytes = shard_index_bytes(layout, num_chunks);
  if (bytes.size() < index_bytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("shard of {} bytes ends inside its index of {}", bytes.size(), index_bytes));
  }
  const auto place = layout.is_index_at_start ? bytes.first(index_bytes) : bytes.last(index_bytes);
  const ShardIndex index = decode_shard_index(place, layout, num_chunks,
                                              max_encoded_bytes(layout.chunk_chain, chunk), bytes.size());
  AnyArray voxels(shard.type, shape);
  dispatch(shard.type, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t id = 0; id < grid.count(); ++id) {
      const Box box = grid.box_of(id).intersect(Box::of_shape(shape));
      if (box.empty()) continue;
      const Index3 position = indexed_position(channels, grid.num_cells(), grid.position_of(id));
      const ArrayView<T> target = voxels.view<T>().part(box);
      if (const auto encoded = bytes_of_inner_chunk(bytes, index, position)) {
        const AnyArray decoded = decode_inner_chunk(*encoded, layout, chunk, box.shape(), position);
        copy_voxels<T>(decoded.view<T>(), target);
      } else {
        fill_voxels<T>(target, fill_voxel<T>(shard.fill_value));
      }
    }
  });
  return voxels;
}

// `voxels` lie at the begin of the shard; chunks beyond them are absent.
void append_as_shard(const AnyArray& voxels, const ShardLayout& layout, const Cell& shard,
                     std::vector<std::byte>& output) {
  const Cell chunk = chunk_in(layout, shard);
  const BlockGrid grid(Box::of_shape(shard.shape), chunk.shape);
  bool is_first = true;
  const auto append_chunk = [&](const Index3& position, std::vector<std::byte>& target) {
    const Box box = grid.box_of(position).intersect(Box::of_shape(voxels.shape()));
    if (box.empty()) return false;
    AnyArray inner(chunk.type, box.shape());
    dispatch(chunk.type, [&](auto zero) {
      using T = decltype(zero);
      copy_voxels<T>(voxels.view<T>().part(box), inner.view<T>());
    });
    if (is_all_fill(inner, chunk.fill_value)) return false;
    const std::size_t begin = target.size();
    append_chain(inner, layout.chunk_chain, chunk, target);
    // The others will be about as large; growing by doubling would hold a large shard three times.
    if (std::exchange(is_first, false)) {
      const std::size_t expected = (target.size() - begin) * static_cast<std::size_t>(grid.count());
      target.reserve(begin + std::min(expected, voxels.bytes().size()));
    }
    return true;
  };
  append_shard(layout, grid.num_cells(), append_chunk, output);
}

// The wanted channels of what the bytes stand for, with its axes in the chain's order; of shards the voxels
// of `shape` at the begin alone.
AnyArray decode_in_order(std::span<const std::byte> bytes, const Zarr3Chain& chain, const Cell& cell,
                         const Shape3& shape) {
  for (int i = 0; i < chain.num_checksums_outside; ++i) bytes = without_crc32c(bytes);
  Cell encoded{in_order(chain.order, cell.shape), cell.type, cell.fill_value, cell.channels};
  if (!chain.shards.empty()) {
    const Shape3 part = in_order(chain.order, shape);
    if (encoded.channels.in_stack() == 1) {
      encoded.channels.chosen = encoded.channels.chosen.value_or(0);
      return decode_shard(bytes, chain.shards.front(), encoded, part);
    }
    AnyArray stack(cell.type, stack_of(part, encoded.channels.count()));
    for (std::int64_t channel = 0; channel < cell.channels.count(); ++channel) {
      encoded.channels.chosen = channel;
      const AnyArray one = decode_shard(bytes, chain.shards.front(), encoded, part);
      std::ranges::copy(
          one.bytes(), stack.bytes().subspan(one.bytes().size() * static_cast<std::size_t>(channel)).begin());
    }
    return stack;
  }
  AnyArray voxels(encoded.type, stack_of(encoded.shape, encoded.channels.count()));
  if (chain.num_checksums_inside == 0) {
    decode(chain.compression.codec, bytes, voxels.bytes());
  } else {
    std::vector<std::byte> checked(encoded.num_bytes() +
                                   kChecksumBytes * static_cast<std::size_t>(chain.num_checksums_inside));
    decode(chain.compression.codec, bytes, checked);
    std::span<const std::byte> content = checked;
    for (int i = 0; i < chain.num_checksums_inside; ++i) content = without_crc32c(content);
    decode(Codec::kRaw, content, voxels.bytes());
  }
  if (chain.is_big_endian) swap_byte_order(voxels.bytes(), size_of(cell.type));
  return take_channels(std::move(voxels), encoded.shape, encoded.channels.chosen.value_or(0),
                       encoded.channels.in_stack(), encoded.shape);
}

// The voxels of `shape` at the begin of a cell, in each of the wanted channels.
AnyArray decode_chain(std::span<const std::byte> bytes, const Zarr3Chain& chain, const Cell& cell,
                      const Shape3& shape) {
  const Shape3& held = chain.shards.empty() ? cell.shape : shape;
  AnyArray encoded = decode_in_order(bytes, chain, cell, held);
  if (shape == held && is_in_order(chain)) return encoded;
  const std::int64_t num_channels = cell.channels.in_stack();
  AnyArray voxels(cell.type, stack_of(shape, num_channels));
  dispatch(cell.type, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t channel = 0; channel < num_channels; ++channel) {
      const ArrayView<const T> from(encoded.view<T>().data() + channel * held.product(), held,
                                    stride_in_order(chain.order, held));
      copy_voxels<T>(from.part(Box::of_shape(shape)), voxels.view<T>().part(box_in_stack(shape, channel)));
    }
  });
  return voxels;
}

// `voxels` of the full shape, of a shard those at its begin, with their axes in the chain's order.
void append_in_order(const AnyArray& voxels, const Zarr3Chain& chain, const Cell& encoded,
                     std::vector<std::byte>& output) {
  const std::size_t start = output.size();
  if (!chain.shards.empty()) {
    append_as_shard(voxels, chain.shards.front(), encoded, output);
  } else {
    std::span<const std::byte> bytes = voxels.bytes();
    std::vector<std::byte> changed;
    if (chain.is_big_endian || chain.num_checksums_inside > 0) {
      changed.assign(bytes.begin(), bytes.end());
      if (chain.is_big_endian) swap_byte_order(changed, size_of(encoded.type));
      for (int i = 0; i < chain.num_checksums_inside; ++i) append_crc32c(changed, 0);
      bytes = changed;
    }
    append_encoded(chain.compression, bytes, output);
  }
  for (int i = 0; i < chain.num_checksums_outside; ++i) append_crc32c(output, start);
}

// `voxels`, a stack of all channels, lie at the begin of a cell, of which the rest is the fill value.
void append_chain(const AnyArray& voxels, const Zarr3Chain& chain, const Cell& cell,
                  std::vector<std::byte>& output) {
  const std::int64_t num_channels = cell.channels.count();
  const Shape3 shape{voxels.shape().z / num_channels, voxels.shape().y, voxels.shape().x};
  const Shape3& held = chain.shards.empty() ? cell.shape : shape;
  if (shape == held && is_in_order(chain)) return append_in_order(voxels, chain, cell, output);
  const Cell encoded{in_order(chain.order, cell.shape), cell.type, cell.fill_value, cell.channels};
  AnyArray whole(encoded.type, stack_of(in_order(chain.order, held), num_channels));
  dispatch(cell.type, [&](auto zero) {
    using T = decltype(zero);
    if (shape != held) fill_voxels<T>(whole.view<T>(), fill_voxel<T>(cell.fill_value));
    for (std::int64_t channel = 0; channel < num_channels; ++channel) {
      const ArrayView<T> to(whole.view<T>().data() + channel * held.product(), held,
                            stride_in_order(chain.order, held));
      copy_voxels<T>(voxels.view<T>().part(box_in_stack(shape, channel)), to.part(Box::of_shape(shape)));
    }
  });
  append_in_order(whole, chain, encoded, output);
}

Cell unit_of(const Zarr3Array& array) {
  return {stored_shape(array.spec), array.spec.data_type, array.spec.fill_value,
          array.spec.channels.in_chunk({})};
}

const ShardLayout& layout_of(const Zarr3Array& array) {
  ORGANON_CHECK(has_shards(array.spec) && !array.chain.shards.empty());
  return array.chain.shards.front();
}

Cell chunk_of(const Zarr3Array& array) {
  return has_shards(array.spec) ? chunk_in(layout_of(array), unit_of(array)) : unit_of(array);
}

const Zarr3Chain& chain_of_chunk(const Zarr3Array& array) {
  return has_shards(array.spec) ? layout_of(array).chunk_chain : array.chain;
}

}  // namespace

AnyArray decode_zarr3_unit(std::span<const std::byte> bytes, const Zarr3Array& array, const Shape3& shape) {
  const Cell unit = unit_of(array);
  const Shape3& held = array.chain.shards.empty() ? unit.shape : shape;
  const double num_bytes = static_cast<double>(held.z) * static_cast<double>(held.y) *
                           static_cast<double>(held.x) * static_cast<double>(size_of(unit.type)) *
                           static_cast<double>(unit.channels.count());
  if (num_bytes > static_cast<double>(kMaxStoredBytes)) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("shard of {:.0f} bytes is above the {} that are decoded whole", num_bytes,
                            kMaxStoredBytes));
  }
  return decode_chain(bytes, array.chain, unit, shape);
}

std::vector<std::byte> encode_zarr3_unit(const AnyArray& voxels, const Zarr3Array& array) {
  std::vector<std::byte> output;
  append_chain(voxels, array.chain, unit_of(array), output);
  return output;
}

AnyArray decode_zarr3_chunk(std::span<const std::byte> bytes, const Zarr3Array& array, const Shape3& shape) {
  return decode_chain(bytes, chain_of_chunk(array), chunk_of(array), shape);
}

std::vector<std::byte> encode_zarr3_chunk(const AnyArray& voxels, const Zarr3Array& array) {
  std::vector<std::byte> output;
  append_chain(voxels, chain_of_chunk(array), chunk_of(array), output);
  return output;
}

Shape3 chunks_per_shard(const Zarr3Array& array) { return indexed_chunks(layout_of(array), unit_of(array)); }

ShardIndex decode_zarr3_index(std::span<const std::byte> bytes, const Zarr3Array& array,
                              std::optional<std::uint64_t> shard_bytes) {
  const ShardLayout& layout = layout_of(array);
  return decode_shard_index(bytes, layout, chunks_per_shard(array),
                            max_encoded_bytes(layout.chunk_chain, chunk_of(array)), shard_bytes);
}

std::optional<AnyArray> read_inner_chunk(const Zarr3Array& array, const ShardIndex& index,
                                         const Index3& position, const Shape3& shape,
                                         const ReadRange& read_range) {
  const Channels channels = channels_in(layout_of(array), unit_of(array).channels);
  const Shape3 num_chunks = num_chunks_in(array.spec.shard_shape, array.spec.chunk_shape);
  const ShardEntry& entry = index.at(indexed_position(channels, num_chunks, position));
  if (entry.is_absent()) return std::nullopt;
  const auto bytes = read_range(entry.begin, entry.num_bytes);
  if (!bytes || bytes->size() != entry.num_bytes) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("inner chunk {}: {} bytes at {} expected, the shard ends before",
                            to_string(position), entry.num_bytes, entry.begin));
  }
  return decode_inner_chunk(*bytes, layout_of(array), chunk_of(array), shape, position);
}

}  // namespace organon::storage
