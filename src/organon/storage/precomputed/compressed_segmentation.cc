#include "organon/storage/precomputed/compressed_segmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/byte_order.h"
#include "organon/storage/channels.h"

namespace organon::storage {
namespace {

constexpr std::uint64_t kMaxTableOffset = std::uint64_t{1} << 24;

[[noreturn]] void throw_corrupt(std::string_view reason) {
  throw Error(ErrorKind::kCorruptData, fmt::format("compressed_segmentation: {}", reason));
}

/// The chunk as 32-bit words, after the word that says where the only channel begins.
class Words {
 public:
  explicit Words(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t count() const { return bytes_.size() / 4; }
  /// Requires: index < count().
  std::uint32_t operator[](std::uint64_t index) const {
    std::uint32_t word;
    std::memcpy(&word, bytes_.data() + index * 4, sizeof(word));
    return word;
  }
  template <class T>
  T label(std::uint64_t index) const {
    T value;
    std::memcpy(&value, bytes_.data() + index * 4, sizeof(value));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
};

template <class T>
void decode_block(const Words& words, std::uint64_t table_offset, std::uint32_t num_bits,
                  std::uint64_t values_offset, const Shape3& block_shape, ArrayView<T> target) {
  constexpr std::uint64_t kWordsPerLabel = sizeof(T) / 4;
  if (table_offset + kWordsPerLabel > words.count()) throw_corrupt("a table begins after the end");
  if (num_bits == 0) {
    fill_voxels<T>(target, words.label<T>(table_offset));
    return;
  }
  const auto num_values = static_cast<std::uint64_t>(block_shape.product());
  const std::uint64_t values_per_word = 32 / num_bits;
  if (values_offset + (num_values + values_per_word - 1) / values_per_word > words.count()) {
    throw_corrupt("the values of a block end after the end");
  }
  const std::uint64_t num_labels = (words.count() - table_offset) / kWordsPerLabel;
  const std::uint32_t mask = num_bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << num_bits) - 1;
  const Shape3 shape = target.shape();
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      auto value = static_cast<std::uint64_t>((z * block_shape.y + y) * block_shape.x);
      T* const row = target.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x, ++value) {
        const std::uint32_t word = words[values_offset + value / values_per_word];
        const std::uint64_t label = word >> (value % values_per_word * num_bits) & mask;
        if (label >= num_labels) throw_corrupt("a voxel points after the end of the tables");
        row[x] = words.label<T>(table_offset + label * kWordsPerLabel);
      }
    }
  }
}

template <class T>
void decode_channel(const Words& words, const Shape3& block_shape, ArrayView<T> target) {
  const BlockGrid grid(Box::of_shape(target.shape()), block_shape);
  if (words.count() < 2 * static_cast<std::uint64_t>(grid.count()))
    throw_corrupt("the block headers are cut short");
  for (std::int64_t id = 0; id < grid.count(); ++id) {
    const std::uint32_t first = words[2 * static_cast<std::uint64_t>(id)];
    const std::uint32_t values_offset = words[2 * static_cast<std::uint64_t>(id) + 1];
    const std::uint32_t num_bits = first >> 24;
    if (num_bits > 32 || (num_bits & (num_bits - 1)) != 0)
      throw_corrupt(fmt::format("{} bits per voxel", num_bits));
    decode_block<T>(words, first & 0xffffff, num_bits, values_offset, block_shape,
                    target.part(grid.box_of(id)));
  }
}

std::uint32_t bits_for(std::size_t num_labels) {
  std::uint32_t num_bits = 0;
  while (num_bits < 32 && num_labels > std::size_t{1} << num_bits)
    num_bits = num_bits == 0 ? 1 : 2 * num_bits;
  return num_bits;
}

// Distinct labels, ascending. Most blocks hold one or few: a linear search beats sorting all voxels.
template <class T>
void collect_labels(ArrayView<const T> block, std::vector<T>& labels) {
  constexpr std::size_t kMaxLinear = 16;
  const Shape3 shape = block.shape();
  labels.assign(1, block(0, 0, 0));
  T previous = labels.front();
  bool is_sorting = false;
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const T* const row = block.row(z, y);
      for (std::int64_t x = 0; x < shape.x; ++x) {
        if (row[x] == previous) continue;
        previous = row[x];
        if (is_sorting || std::ranges::find(labels, previous) == labels.end()) labels.push_back(previous);
        is_sorting = labels.size() > kMaxLinear;
      }
    }
  }
  std::ranges::sort(labels);
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
}

template <class T>
std::vector<std::uint32_t> encode_channel(ArrayView<const T> labels, const Shape3& block_shape) {
  const BlockGrid grid(Box::of_shape(labels.shape()), block_shape);
  std::vector<std::uint32_t> words(2 * static_cast<std::size_t>(grid.count()));
  std::map<std::vector<T>, std::uint32_t> offset_of_table;
  std::vector<T> table;
  for (std::int64_t id = 0; id < grid.count(); ++id) {
    const ArrayView<const T> block = labels.part(grid.box_of(id));
    collect_labels(block, table);
    const std::uint32_t num_bits = bits_for(table.size());
    const std::size_t values_offset = words.size();
    if (num_bits > 0) {
      const auto values_per_word = static_cast<std::int64_t>(32 / num_bits);
      const std::int64_t num_words = (block_shape.product() + values_per_word - 1) / values_per_word;
      words.resize(values_offset + static_cast<std::size_t>(num_words));
      T previous = table.front();
      std::uint32_t index = 0;
      for (std::int64_t z = 0; z < block.shape().z; ++z) {
        for (std::int64_t y = 0; y < block.shape().y; ++y) {
          const T* const row = block.row(z, y);
          std::int64_t value = (z * block_shape.y + y) * block_shape.x;
          for (std::int64_t x = 0; x < block.shape().x; ++x, ++value) {
            if (row[x] != previous) {
              previous = row[x];
              index = static_cast<std::uint32_t>(std::ranges::lower_bound(table, previous) - table.begin());
            }
            words[values_offset + static_cast<std::size_t>(value / values_per_word)] |=
                index << static_cast<std::uint32_t>(value % values_per_word) * num_bits;
          }
        }
      }
    }
    const auto [entry, is_new] = offset_of_table.try_emplace(table, static_cast<std::uint32_t>(words.size()));
    if (is_new) {
      if (words.size() >= kMaxTableOffset) {
        throw Error(ErrorKind::kInvalidArgument,
                    "compressed_segmentation: too many labels for one chunk, choose smaller chunks");
      }
      const std::size_t start = words.size();
      words.resize(start + table.size() * sizeof(T) / 4);
      std::memcpy(&words[start], table.data(), table.size() * sizeof(T));
    }
    words[2 * static_cast<std::size_t>(id)] = entry->second | num_bits << 24;
    words[2 * static_cast<std::size_t>(id) + 1] = static_cast<std::uint32_t>(values_offset);
  }
  return words;
}

}  // namespace

AnyArray decode_compressed_segmentation(std::span<const std::byte> bytes, DataType type, const Shape3& shape,
                                        const Shape3& block_shape, std::int64_t num_channels) {
  ORGANON_CHECK(type == DataType::kUint32 || type == DataType::kUint64);
  if (bytes.size() < 4 || bytes.size() % 4 != 0)
    throw_corrupt(fmt::format("{} bytes are no whole words", bytes.size()));
  const Words all(bytes);
  if (all.count() < static_cast<std::size_t>(num_channels)) throw_corrupt("fewer words than channels");
  AnyArray labels(type, stack_of(shape, num_channels));
  for (std::int64_t i = 0; i < num_channels; ++i) {
    // The first words are the places of the channels.
    const std::uint32_t begin = all[static_cast<std::size_t>(i)];
    if (begin == 0 || begin > all.count()) throw_corrupt("the channel begins outside the chunk");
    const Words channel(bytes.subspan(std::size_t{4} * begin));
    const Box part = box_in_stack(shape, i);
    if (type == DataType::kUint32) {
      decode_channel<std::uint32_t>(channel, block_shape, labels.view<std::uint32_t>().part(part));
    } else {
      decode_channel<std::uint64_t>(channel, block_shape, labels.view<std::uint64_t>().part(part));
    }
  }
  return labels;
}

std::vector<std::byte> encode_compressed_segmentation(const AnyArray& labels, const Shape3& block_shape,
                                                      std::int64_t num_channels) {
  if (labels.type() != DataType::kUint32 && labels.type() != DataType::kUint64) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("compressed_segmentation holds uint32 or uint64, not {}", to_string(labels.type())));
  }
  const Shape3 shape{labels.shape().z / num_channels, labels.shape().y, labels.shape().x};
  std::vector<std::uint32_t> words(static_cast<std::size_t>(num_channels));
  for (std::int64_t i = 0; i < num_channels; ++i) {
    words[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(words.size());
    const Box part = box_in_stack(shape, i);
    const std::vector<std::uint32_t> channel =
        labels.type() == DataType::kUint32
            ? encode_channel<std::uint32_t>(labels.view<std::uint32_t>().part(part), block_shape)
            : encode_channel<std::uint64_t>(labels.view<std::uint64_t>().part(part), block_shape);
    words.insert(words.end(), channel.begin(), channel.end());
  }
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

}  // namespace organon::storage
