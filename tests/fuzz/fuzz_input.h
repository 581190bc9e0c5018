#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "organon/array/any_array.h"
#include "organon/base/check.h"
#include "organon/base/error.h"
#include "organon/storage/dataset_spec.h"

namespace organon::fuzz {

/// An input is a text, a zero byte, and bytes.
struct Input {
  std::string_view text;
  std::span<const std::byte> bytes;
};

inline Input split(const std::uint8_t* data, std::size_t size) {
  const std::uint8_t* const zero = std::find(data, data + size, 0);
  const auto text_size = static_cast<std::size_t>(zero - data);
  Input input;
  input.text = {reinterpret_cast<const char*>(data), text_size};
  if (text_size < size) input.bytes = std::as_bytes(std::span(zero + 1, size - text_size - 1));
  return input;
}

/// Foreign bytes may be refused, by Error only.
inline void allow_errors(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error&) {
  }
}

/// A spec of small odd chunks, with codec and type chosen by a byte.
inline storage::DatasetSpec small_spec(std::uint8_t choice) {
  constexpr storage::Codec kCodecs[] = {storage::Codec::kRaw,  storage::Codec::kGzip,  storage::Codec::kZlib,
                                        storage::Codec::kZstd, storage::Codec::kBlosc, storage::Codec::kBzip2,
                                        storage::Codec::kXz,   storage::Codec::kLz4};
  constexpr DataType kTypes[] = {DataType::kUint8, DataType::kInt16, DataType::kFloat32, DataType::kUint64};
  storage::DatasetSpec spec;
  spec.shape = {5, 6, 7};
  spec.chunk_shape = {3, 4, 5};
  spec.codec = kCodecs[choice % 8];
  spec.data_type = kTypes[choice / 8 % 4];
  return spec;
}

/// Voxels of `shape` from the bytes, repeated.
inline AnyArray voxels_from(std::span<const std::byte> bytes, DataType type, const Shape3& shape) {
  AnyArray voxels(type, shape);
  const std::span<std::byte> target = voxels.bytes();
  for (std::size_t i = 0; i < target.size(); ++i)
    target[i] = bytes.empty() ? std::byte{7} : bytes[i % bytes.size()];
  return voxels;
}

/// Encodes voxels made from the bytes, requires that they decode to the same, then decodes once more with one
/// byte changed: valid streams with one fault reach deeper than random bytes.
inline void check_round_trip(std::span<const std::byte> bytes, DataType type, const Shape3& shape,
                             const std::function<std::vector<std::byte>(const AnyArray&)>& encode,
                             const std::function<AnyArray(std::span<const std::byte>)>& decode) {
  const AnyArray voxels = voxels_from(bytes, type, shape);
  std::vector<std::byte> encoded = encode(voxels);
  const AnyArray decoded = decode(encoded);
  ORGANON_CHECK(std::ranges::equal(decoded.bytes(), voxels.bytes()));
  if (bytes.size() < 3 || encoded.empty()) return;
  const std::size_t place =
      (std::to_integer<std::size_t>(bytes[0]) << 8 | std::to_integer<std::size_t>(bytes[1]));
  encoded[place % encoded.size()] ^= bytes[2];
  allow_errors([&] { decode(encoded); });
}

/// Chunks that a fuzzer can afford to decode many times a second.
inline bool is_small(const storage::DatasetSpec& spec) {
  return storage::chunk_bytes(spec) <= std::int64_t{1} << 20;
}

/// Calls `use` for what a dataset of `spec` may be: its last channel, and where a chunk has them all, these.
inline void for_each_choice_of_channels(storage::DatasetSpec& spec, const std::function<void()>& use) {
  if (spec.channels.chunk == spec.channels.shape) use();
  spec.channels.chosen = spec.channels.count() - 1;
  use();
}

}  // namespace organon::fuzz
