#include "organon/storage/zarr/zarr3_chunk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/random.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

// A list also of one item, which braces would take for the item itself with some compilers.
template <class... Items>
Json list(const Items&... items) {
  Json array = Json::array();
  (array.push_back(Json(items)), ...);
  return array;
}

Json codec(const std::string& name, const Json& configuration = Json::object()) {
  return {{"name", name}, {"configuration", configuration}};
}

Json array_json(const Shape3& shape, const Shape3& unit, const std::string& type, const Json& codecs) {
  Json json;
  json["zarr_format"] = 3;
  json["node_type"] = "array";
  json["shape"] = {shape.z, shape.y, shape.x};
  json["data_type"] = type;
  json["chunk_grid"] = codec("regular", {{"chunk_shape", {unit.z, unit.y, unit.x}}});
  json["chunk_key_encoding"] = "default";
  json["fill_value"] = 5;
  json["codecs"] = codecs;
  return json;
}

Zarr3Array array_of(const Shape3& unit, const std::string& type, const Json& codecs) {
  return zarr3_array_from(array_json({100, 100, 100}, unit, type, codecs), "test");
}

// Of a few values, with boxes of the fill value 5.
AnyArray random_voxels(DataType type, const Shape3& shape, Random& random) {
  AnyArray voxels(type, shape);
  dispatch(type, [&](auto zero) {
    using T = decltype(zero);
    const ArrayView<T> view = voxels.view<T>();
    for (std::int64_t i = 0; i < shape.product(); ++i)
      view.data()[i] = static_cast<T>(random.below(4) == 0 ? random.below(100) : 7);
    const auto part = [&](std::int64_t extent) {
      return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(extent + 1)));
    };
    fill_voxels<T>(view.part(Box::of_shape({part(shape.z), part(shape.y), part(shape.x)})), T{5});
  });
  return voxels;
}

void expect_equal(const AnyArray& a, const AnyArray& b) {
  ASSERT_EQ(a.type(), b.type());
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(std::ranges::equal(a.bytes(), b.bytes()));
}

AnyArray part_of(const AnyArray& voxels, const Box& box) {
  AnyArray part(voxels.type(), box.shape());
  dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    copy_voxels<T>(voxels.view<T>().part(box), part.view<T>());
  });
  return part;
}

TEST(Zarr3Chunk, LittleEndianWithXFastest) {
  const Zarr3Array array = array_of({1, 2, 2}, "uint16", list(codec("bytes", {{"endian", "little"}})));
  AnyArray voxels(DataType::kUint16, {1, 2, 2});
  for (int i = 0; i < 4; ++i) voxels.view<std::uint16_t>().data()[i] = static_cast<std::uint16_t>(256 + i);
  const std::vector<std::byte> bytes = encode_zarr3_unit(voxels, array);
  const unsigned char expected[] = {0, 1, 1, 1, 2, 1, 3, 1};
  EXPECT_TRUE(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
}

TEST(Zarr3Chunk, TransposePutsAxisOrderIOfTheVoxelsFirst) {
  // order [2, 0, 1]: x slowest, then z, then y.
  const Zarr3Array array =
      array_of({1, 2, 3}, "uint8", list(codec("transpose", {{"order", {2, 0, 1}}}), codec("bytes")));
  AnyArray voxels(DataType::kUint8, {1, 2, 3});
  for (int i = 0; i < 6; ++i) voxels.view<std::uint8_t>().data()[i] = static_cast<std::uint8_t>(i);
  const std::vector<std::byte> bytes = encode_zarr3_unit(voxels, array);
  const unsigned char expected[] = {0, 3, 1, 4, 2, 5};
  EXPECT_TRUE(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
  expect_equal(decode_zarr3_unit(bytes, array, {1, 2, 3}), voxels);
}

TEST(Zarr3Chunk, OutsideTheDomainTheFillValueIsStored) {
  const Zarr3Array array = array_of({1, 2, 3}, "uint8", list(codec("bytes")));
  AnyArray voxels(DataType::kUint8, {1, 1, 2});
  std::ranges::fill(voxels.bytes(), std::byte{9});
  const std::vector<std::byte> bytes = encode_zarr3_unit(voxels, array);
  const unsigned char expected[] = {9, 9, 5, 5, 5, 5};
  EXPECT_TRUE(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
  expect_equal(decode_zarr3_unit(bytes, array, {1, 1, 2}), voxels);
}

// A random chain of codecs, with shards where `depth` allows; `shape` in the axes of the voxels.
Json random_codecs(const Shape3& shape, int depth, Random& random) {
  Json codecs = Json::array();
  std::array<int, 3> order{0, 1, 2};
  while (random.below(2) == 0 && codecs.size() < 2) {
    std::array<int, 3> next{0, 1, 2};
    for (std::uint64_t i = random.below(6); i > 0; --i) std::ranges::next_permutation(next);
    codecs.push_back(codec("transpose", {{"order", next}}));
    const std::array<int, 3> before = order;
    for (std::size_t i = 0; i < 3; ++i) order[i] = before[static_cast<std::size_t>(next[i])];
  }
  if (depth > 0 && random.below(3) > 0) {
    const Shape3 shard = in_order(order, shape);
    const auto divisor = [&](std::int64_t extent) {
      std::int64_t d = 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(extent)));
      while (extent % d != 0) ++d;
      return d;
    };
    const Shape3 chunk{divisor(shard.z), divisor(shard.y), divisor(shard.x)};
    Json index_codecs = list(codec("bytes", {{"endian", random.below(2) ? "little" : "big"}}));
    for (std::uint64_t i = random.below(3); i > 0; --i) index_codecs.push_back("crc32c");
    codecs.push_back(codec("sharding_indexed", {{"chunk_shape", {chunk.z, chunk.y, chunk.x}},
                                                {"codecs", random_codecs(chunk, depth - 1, random)},
                                                {"index_codecs", index_codecs},
                                                {"index_location", random.below(2) ? "start" : "end"}}));
  } else {
    codecs.push_back(codec("bytes", {{"endian", random.below(2) ? "little" : "big"}}));
    if (random.below(3) == 0) codecs.push_back("crc32c");
    switch (random.below(4)) {
      case 0:
        codecs.push_back(codec("gzip", {{"level", random.below(10)}}));
        break;
      case 1:
        codecs.push_back(codec("zstd", {{"level", random.below(4)}}));
        break;
      case 2:
        codecs.push_back(
            codec("blosc", {{"cname", "lz4"}, {"clevel", 5}, {"typesize", 1}, {"shuffle", "shuffle"}}));
        break;
      default:
        break;
    }
  }
  if (random.below(3) == 0) codecs.push_back("crc32c");
  return codecs;
}

TEST(Zarr3Chunk, AnyChainDecodesWhatItEncoded) {
  Random random(7);
  const char* const types[] = {"uint8", "int16", "uint32", "uint64", "float32", "float64", "int8"};
  int num_in_parts = 0;
  for (int trial = 0; trial < 600; ++trial) {
    const auto extent = [&] { return 1 + static_cast<std::int64_t>(random.below(12)); };
    const Shape3 unit{extent(), extent(), extent()};
    const auto clipped = [&](std::int64_t full) {
      return random.below(2) ? full
                             : 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(full)));
    };
    const Shape3 shape{clipped(unit.z), clipped(unit.y), clipped(unit.x)};
    const Json json = array_json(shape, unit, types[random.below(7)], random_codecs(unit, 2, random));
    SCOPED_TRACE(json.dump());
    const Zarr3Array array = zarr3_array_from(json, "test");
    const AnyArray voxels = random_voxels(array.spec.data_type, shape, random);
    const std::vector<std::byte> bytes = encode_zarr3_unit(voxels, array);
    expect_equal(decode_zarr3_unit(bytes, array, shape), voxels);
    if (!has_shards(array.spec)) continue;
    ++num_in_parts;
    const std::size_t index_bytes = shard_index_bytes(array.chain.shards[0], chunks_per_shard(array));
    const auto whole = std::span(bytes);
    const ShardIndex index = decode_zarr3_index(
        array.chain.shards[0].is_index_at_start ? whole.first(index_bytes) : whole.last(index_bytes), array);
    const BlockGrid grid(Box::of_shape(shape), array.spec.chunk_shape);
    for (std::int64_t id = 0; id < grid.count(); ++id) {
      const Box box = grid.box_of(id);
      const AnyArray expected = part_of(voxels, box);
      std::size_t bytes_read = 0;
      const auto chunk = read_inner_chunk(array, index, grid.position_of(id), box.shape(),
                                          [&](std::uint64_t begin, std::size_t num_bytes) {
                                            bytes_read += num_bytes;
                                            const auto part = whole.subspan(begin, num_bytes);
                                            return std::vector<std::byte>(part.begin(), part.end());
                                          });
      EXPECT_EQ(chunk.has_value(), !is_all_fill(expected, array.spec.fill_value));
      if (chunk) {
        expect_equal(*chunk, expected);
        EXPECT_EQ(bytes_read, index.at(grid.position_of(id)).num_bytes);
      }
    }
  }
  EXPECT_GT(num_in_parts, 50);
}

// As a dataset writes one: inner chunks are encoded by others, and put into shards here.
TEST(Zarr3Chunk, ShardsOfChunksEncodedAlone) {
  const Zarr3Array array = array_of(
      {4, 4, 6}, "uint16",
      list(codec("sharding_indexed",
                 {{"chunk_shape", {2, 2, 3}},
                  {"codecs", list(codec("bytes", {{"endian", "big"}}), codec("gzip", {{"level", 1}}))},
                  {"index_codecs", list(codec("bytes", {{"endian", "little"}}), codec("crc32c"))}})));
  Random random(3);
  const AnyArray voxels = random_voxels(DataType::kUint16, {4, 3, 5}, random);
  const BlockGrid grid(Box::of_shape(voxels.shape()), array.spec.chunk_shape);
  std::vector<std::byte> shard;
  append_shard(
      array.chain.shards[0], chunks_per_shard(array),
      [&](const Index3& position, std::vector<std::byte>& output) {
        const AnyArray chunk = part_of(voxels, grid.box_of(position));
        if (is_all_fill(chunk, array.spec.fill_value)) return false;
        const std::vector<std::byte> encoded = encode_zarr3_chunk(chunk, array);
        expect_equal(decode_zarr3_chunk(encoded, array, chunk.shape()), chunk);
        output.insert(output.end(), encoded.begin(), encoded.end());
        return true;
      },
      shard);
  expect_equal(decode_zarr3_unit(shard, array, voxels.shape()), voxels);
  EXPECT_EQ(shard, encode_zarr3_unit(voxels, array));
}

TEST(Zarr3Chunk, DamageOfAnyByteIsRefusedOrHarmless) {
  Random random(11);
  for (int trial = 0; trial < 60; ++trial) {
    const Shape3 unit{4, 4, 6};
    const Json json = array_json(unit, unit, "uint16", random_codecs(unit, 2, random));
    SCOPED_TRACE(json.dump());
    const Zarr3Array array = zarr3_array_from(json, "test");
    const std::vector<std::byte> bytes =
        encode_zarr3_unit(random_voxels(DataType::kUint16, unit, random), array);
    for (std::size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 60) {
      std::vector<std::byte> damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(1 + random.below(255));
      std::vector<std::byte> shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(i));
      for (const auto& hostile : {damaged, shorter}) {
        try {
          decode_zarr3_unit(hostile, array, unit);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.message();
        }
      }
      EXPECT_THROW(decode_zarr3_unit(shorter, array, unit), Error);
    }
  }
}

TEST(Zarr3Chunk, DamagedInnerChunksAreNamed) {
  const Zarr3Array array = array_of(
      {1, 1, 4}, "uint8",
      list(codec("sharding_indexed",
                 {{"chunk_shape", {1, 1, 2}},
                  {"codecs", list(codec("bytes"), codec("crc32c"))},
                  {"index_codecs", list(codec("bytes", {{"endian", "little"}}), codec("crc32c"))}})));
  AnyArray voxels(DataType::kUint8, {1, 1, 4});
  std::ranges::fill(voxels.bytes(), std::byte{1});
  std::vector<std::byte> bytes = encode_zarr3_unit(voxels, array);
  bytes[6] ^= std::byte{1};
  const auto expect_named = [](const std::function<void()>& call) {
    try {
      call();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      EXPECT_NE(error.message().find("inner chunk 0,0,1"), std::string::npos) << error.message();
    }
  };
  expect_named([&] { decode_zarr3_unit(bytes, array, {1, 1, 4}); });
  const ShardIndex index = decode_zarr3_index(std::span(bytes).last(36), array, bytes.size());
  EXPECT_TRUE(read_inner_chunk(array, index, {0, 0, 0}, {1, 1, 2}, [&](std::uint64_t, std::size_t) {
                return std::vector<std::byte>(bytes.begin(), bytes.begin() + 6);
              }).has_value());
  // A store that has fewer bytes, or nothing.
  expect_named([&] {
    read_inner_chunk(array, index, {0, 0, 1}, {1, 1, 2},
                     [](std::uint64_t, std::size_t) { return std::vector<std::byte>(2); });
  });
  expect_named([&] {
    read_inner_chunk(array, index, {0, 0, 1}, {1, 1, 2},
                     [](std::uint64_t, std::size_t) { return std::nullopt; });
  });
}

TEST(Zarr3Chunk, UnitsTooLargeToBeDecodedWholeAreRefused) {
  const Zarr3Array array = array_of(
      {2048, 2048, 2048}, "uint8",
      list(codec("sharding_indexed", {{"chunk_shape", {64, 64, 64}},
                                      {"codecs", list(codec("bytes"))},
                                      {"index_codecs", list(codec("bytes", {{"endian", "little"}}))}})));
  EXPECT_TRUE(has_shards(array.spec));
  try {
    decode_zarr3_unit({}, array, {2048, 2048, 2048});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << error.message();
  }
}

}  // namespace
}  // namespace organon::storage
