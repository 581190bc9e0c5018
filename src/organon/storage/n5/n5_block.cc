#include "organon/storage/n5/n5_block.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/error.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/channel_stack.h"
#include "organon/storage/codecs/codec.h"

namespace organon::storage {
namespace {

class BigEndianReader {
 public:
  explicit BigEndianReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint32_t read(std::size_t num_bytes) {
    if (bytes_.size() - position_ < num_bytes) {
      throw Error(ErrorKind::kCorruptData,
                  fmt::format("block of {} bytes ends inside its header", bytes_.size()));
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < num_bytes; ++i) {
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[position_++]);
    }
    return value;
  }
  std::size_t position() const { return position_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

void append_big_endian(std::uint32_t value, int num_bytes, std::vector<std::byte>& output) {
  for (int shift = 8 * (num_bytes - 1); shift >= 0; shift -= 8) {
    output.push_back(static_cast<std::byte>(value >> shift & 0xff));
  }
}

bool is_clipped_or_full(std::int64_t extent, std::int64_t clipped, std::int64_t full) {
  return extent == clipped || extent == full;
}

}  // namespace

N5BlockHeader parse_n5_block_header(std::span<const std::byte> bytes, int rank) {
  BigEndianReader reader(bytes);
  const std::uint32_t mode = reader.read(2);
  if (mode > 1) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("block in {} is not supported, only default and varlength mode are",
                            mode == 2 ? "object mode" : fmt::format("mode {}", mode)));
  }
  const std::uint32_t found_rank = reader.read(2);
  if (found_rank != static_cast<std::uint32_t>(rank)) {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("block of {} axes in a dataset of {}", found_rank, rank));
  }
  N5BlockHeader header;
  double product = 1;
  for (int axis = 0; axis < rank; ++axis) {
    header.extents.push_back(reader.read(4));
    product *= static_cast<double>(header.extents.back());
  }
  if (mode == 1) {
    const std::uint32_t num_elements = reader.read(4);
    if (product != static_cast<double>(num_elements)) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("varlength block of {} elements for {} voxels, as of label multisets, is not "
                              "supported",
                              num_elements, product));
    }
  }
  header.num_bytes = reader.position();
  return header;
}

AnyArray decode_n5_block(std::span<const std::byte> bytes, const DatasetSpec& spec, const Shape3& shape) {
  const std::size_t num_axes = spec.channels.chunk.size();
  const N5BlockHeader header = parse_n5_block_header(bytes, static_cast<int>(3 + num_axes));
  const Shape3 stored{header.extents[2], header.extents[1], header.extents[0]};
  const Shape3& full = spec.chunk_shape;
  if (!is_clipped_or_full(stored.z, shape.z, full.z) || !is_clipped_or_full(stored.y, shape.y, full.y) ||
      !is_clipped_or_full(stored.x, shape.x, full.x)) {
    throw Error(ErrorKind::kCorruptData, fmt::format("block of {} voxels, expected {} or {}",
                                                     to_string(stored), to_string(shape), to_string(full)));
  }
  const std::vector<std::int64_t> channels(header.extents.rbegin(), header.extents.rend() - 3);
  std::int64_t num_channels = 1;
  // Blocks at the last channels are truncated, or padded, as along the other axes.
  const std::vector<std::int64_t> first = spec.channels.chunk_position();
  for (std::size_t axis = 0; axis < num_axes; ++axis) {
    const std::int64_t full_extent = spec.channels.chunk[axis];
    const std::int64_t clipped = std::min(full_extent, spec.channels.shape[axis] - first[axis] * full_extent);
    if (!is_clipped_or_full(channels[axis], clipped, full_extent)) {
      throw Error(ErrorKind::kCorruptData, fmt::format("block of {} channels, expected {} or {}",
                                                       channels[axis], clipped, full_extent));
    }
    num_channels *= channels[axis];
  }
  const std::int64_t wanted = raster_index(spec.channels.position_in_chunk(), channels);
  AnyArray block(spec.data_type, stack_of(stored, num_channels));
  decode(spec.codec, bytes.subspan(header.num_bytes), block.bytes(), Lz4Framing::kJava);
  swap_byte_order(block.bytes(), size_of(spec.data_type));
  return take_channels(std::move(block), stored, wanted, spec.channels.in_stack(), shape);
}

std::vector<std::byte> encode_n5_block(const AnyArray& voxels, const DatasetSpec& spec) {
  std::vector<std::byte> output;
  const Shape3& shape = voxels.shape();
  std::vector<std::int64_t> extents = spec.channels.chunk;
  extents.insert(extents.end(), {shape.z / spec.channels.in_stack(), shape.y, shape.x});
  append_big_endian(0, 2, output);
  append_big_endian(static_cast<std::uint32_t>(extents.size()), 2, output);
  for (std::size_t axis = extents.size(); axis-- > 0;)
    append_big_endian(static_cast<std::uint32_t>(extents[axis]), 4, output);
  const Encoding encoding = encoding_of(spec, Lz4Framing::kJava);
  if (encoding.voxel_bytes == 1) {
    append_encoded(encoding, voxels.bytes(), output);
  } else {
    std::vector<std::byte> swapped(voxels.bytes().begin(), voxels.bytes().end());
    swap_byte_order(swapped, encoding.voxel_bytes);
    append_encoded(encoding, swapped, output);
  }
  return output;
}

}  // namespace organon::storage
