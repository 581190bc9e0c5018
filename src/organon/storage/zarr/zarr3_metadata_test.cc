#include "organon/storage/zarr/zarr3_metadata.h"

#include <gtest/gtest.h>

#include <functional>

#include "organon/base/error.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

Json array_json() {
  return parse_json(R"({
    "zarr_format": 3, "node_type": "array", "shape": [50, 60, 70], "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 16, 32]}},
    "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]})",
                    "test");
}

Json array_with(const std::string& key, const Json& value) {
  Json json = array_json();
  json[key] = value;
  return json;
}

Zarr3Array parsed(const Json& json) { return parse_zarr3_array(json.dump(), "test"); }

const Json kBytes = {{"name", "bytes"}, {"configuration", {{"endian", "little"}}}};

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

Json sharding(const Json& chunk_shape, const Json& codecs) {
  return codec(
      "sharding_indexed",
      {{"chunk_shape", chunk_shape}, {"codecs", codecs}, {"index_codecs", list(kBytes, codec("crc32c"))}});
}

std::string refusal_of(ErrorKind kind, const Json& json) {
  try {
    parsed(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
    return error.message();
  }
  ADD_FAILURE() << "no error: " << json.dump();
  return {};
}

void expect_unsupported(const std::string& word, const Json& json) {
  const std::string message = refusal_of(ErrorKind::kUnsupported, json);
  EXPECT_NE(message.find(word), std::string::npos) << message;
}

void expect_corrupt(const std::string& word, const Json& json) {
  const std::string message = refusal_of(ErrorKind::kCorruptData, json);
  EXPECT_NE(message.find(word), std::string::npos) << message;
}

TEST(Zarr3Metadata, PlainArray) {
  const Zarr3Array array = parsed(array_json());
  EXPECT_EQ(array.spec.shape, (Shape3{50, 60, 70}));
  EXPECT_EQ(array.spec.chunk_shape, (Shape3{8, 16, 32}));
  EXPECT_FALSE(has_shards(array.spec));
  EXPECT_EQ(array.spec.data_type, DataType::kUint16);
  EXPECT_EQ(array.spec.codec, Codec::kRaw);
  EXPECT_EQ(zarr3_key(array, {1, 23, 45}), "c/1/23/45");
}

TEST(Zarr3Metadata, KeysOfChunks) {
  const auto key = [](const Json& encoding) {
    return zarr3_key(parsed(array_with("chunk_key_encoding", encoding)), {1, 23, 45});
  };
  EXPECT_EQ(key("default"), "c/1/23/45");
  EXPECT_EQ(key(codec("default", {{"separator", "."}})), "c.1.23.45");
  EXPECT_EQ(key(codec("v2")), "1.23.45");
  EXPECT_EQ(key(codec("v2", {{"separator", "/"}})), "1/23/45");
  expect_unsupported("'fanout'", array_with("chunk_key_encoding", codec("fanout")));
  expect_corrupt("separator", array_with("chunk_key_encoding", codec("v2", {{"separator", "-"}})));
}

TEST(Zarr3Metadata, ChainsOfCodecs) {
  const auto chain = [](const Json& codecs) { return parsed(array_with("codecs", codecs)).chain; };
  const Zarr3Chain checked =
      chain(list(codec("transpose", {{"order", {2, 0, 1}}}), codec("transpose", {{"order", {1, 0, 2}}}),
                 codec("bytes", {{"endian", "big"}}), codec("crc32c"),
                 codec("zstd", {{"level", 7}, {"checksum", false}}), codec("crc32c"), "crc32c"));
  // The second puts the first one's axes in its order.
  EXPECT_EQ(checked.order, (std::array<int, 3>{0, 2, 1}));
  EXPECT_TRUE(checked.is_big_endian);
  EXPECT_EQ(checked.num_checksums_inside, 1);
  EXPECT_EQ(checked.compression.codec, Codec::kZstd);
  EXPECT_EQ(checked.compression.level, 7);
  EXPECT_EQ(checked.num_checksums_outside, 2);
  const Zarr3Chain blosc = chain(list(
      kBytes, codec("blosc", {{"cname", "lz4"}, {"clevel", 5}, {"shuffle", "bitshuffle"}, {"typesize", 2}})));
  EXPECT_EQ(blosc.compression.blosc_inner, BloscInner::kLz4);
  EXPECT_EQ(blosc.compression.voxel_bytes, 2u);
  EXPECT_EQ(chain(list(codec("transpose", {{"order", "F"}}), kBytes)).order, (std::array<int, 3>{2, 1, 0}));
}

TEST(Zarr3Metadata, ChainsThatAreNoneAreRefused) {
  const auto with = [](const Json& codecs) { return array_with("codecs", codecs); };
  expect_corrupt("makes bytes", with(Json::array()));
  expect_corrupt("'gzip'", with(list(codec("gzip"), kBytes)));
  expect_corrupt("'bytes'", with(list(kBytes, kBytes)));
  expect_corrupt("'transpose'", with(list(kBytes, codec("transpose", {{"order", {0, 1, 2}}}))));
  expect_corrupt("permutation", with(list(codec("transpose", {{"order", {0, 1, 1}}}), kBytes)));
  expect_corrupt("permutation", with(list(codec("transpose", {{"order", {0, 1}}}), kBytes)));
  expect_corrupt("endian", with(list(codec("bytes"))));
  expect_corrupt("endian", with(list(codec("bytes", {{"endian", "middle"}}))));
  expect_unsupported("'numcodecs.bz2'", with(list(kBytes, codec("numcodecs.bz2"))));
  expect_unsupported("'vlen-utf8'", with(list(codec("vlen-utf8"))));
  expect_unsupported("zstd of what gzip made", with(list(kBytes, codec("gzip"), codec("zstd"))));
  expect_unsupported("gzip of a whole shard", with(list(sharding({8, 8, 8}, list(kBytes)), codec("gzip"))));
  expect_unsupported("33 codecs", with(Json(std::size_t{33}, kBytes)));
  expect_unsupported("lzo", with(list(kBytes, codec("blosc", {{"cname", "lzo"}}))));
}

TEST(Zarr3Metadata, Shards) {
  const Zarr3Array array =
      parsed(array_with("codecs", list(sharding({4, 8, 16}, list(kBytes, codec("gzip", {{"level", 5}}))))));
  EXPECT_EQ(array.spec.shard_shape, (Shape3{8, 16, 32}));
  EXPECT_EQ(array.spec.chunk_shape, (Shape3{4, 8, 16}));
  EXPECT_EQ(array.spec.codec, Codec::kGzip);
  EXPECT_EQ(array.spec.level, 5);
  ASSERT_EQ(array.chain.shards.size(), 1u);
  EXPECT_FALSE(array.chain.shards[0].is_index_at_start);
  EXPECT_EQ(array.chain.shards[0].num_index_checksums, 1);
  Json start = sharding({4, 8, 16}, list(kBytes));
  start["configuration"]["index_location"] = "start";
  start["configuration"]["index_codecs"] = list(codec("bytes", {{"endian", "big"}}));
  const ShardLayout layout = parsed(array_with("codecs", list(start))).chain.shards.at(0);
  EXPECT_TRUE(layout.is_index_at_start);
  EXPECT_TRUE(layout.is_index_big_endian);
  EXPECT_EQ(layout.num_index_checksums, 0);
}

TEST(Zarr3Metadata, ShardsThatAreNotReadableInPartsAreChunks) {
  const Zarr3Array array = parsed(array_with(
      "codecs", list(codec("transpose", {{"order", {2, 1, 0}}}), sharding({16, 8, 4}, list(kBytes)))));
  EXPECT_FALSE(has_shards(array.spec));
  EXPECT_EQ(array.spec.chunk_shape, (Shape3{8, 16, 32}));
  EXPECT_FALSE(has_shards(
      parsed(array_with("codecs", list(sharding({4, 8, 16}, list(kBytes)), codec("crc32c")))).spec));
}

TEST(Zarr3Metadata, ShardsThatAreNoneAreRefused) {
  expect_corrupt("do not divide", array_with("codecs", list(sharding({3, 8, 16}, list(kBytes)))));
  expect_corrupt("do not divide", array_with("codecs", list(sharding({0, 8, 16}, list(kBytes)))));
  expect_unsupported("2 axes", array_with("codecs", list(sharding({8, 16}, list(kBytes)))));
  Json compressed = sharding({4, 8, 16}, list(kBytes));
  compressed["configuration"]["index_codecs"] = list(kBytes, codec("gzip"));
  expect_unsupported("index", array_with("codecs", list(compressed)));
  Json large = array_with("codecs", list(sharding({1, 1, 1}, list(kBytes))));
  large["chunk_grid"]["configuration"]["chunk_shape"] = {1 << 30, 1 << 30, 1 << 30};
  expect_unsupported("a shard of", large);
}

TEST(Zarr3Metadata, WhatIsNotUnderstoodIsRefusedByName) {
  expect_unsupported("'rectangular'", array_with("chunk_grid", codec("rectangular")));
  expect_unsupported("'float16'", array_with("data_type", "float16"));
  expect_unsupported("'numpy.datetime64'", array_with("data_type", codec("numpy.datetime64")));
  expect_unsupported("extension 'fancy'", array_with("fancy", {{"name", "x"}}));
  EXPECT_EQ(parsed(array_with("fancy", {{"must_understand", false}})).spec.shape.z, 50);
  expect_unsupported("transformer 'old'", array_with("storage_transformers", list(codec("old"))));
  EXPECT_EQ(parsed(array_with("storage_transformers", Json::array())).spec.shape.z, 50);
  expect_unsupported("version 2", array_with("zarr_format", 2));
  expect_corrupt("node_type", array_with("node_type", "group"));
  expect_unsupported("2 axes", array_with("shape", {50, 60}));
  expect_corrupt("chunks of",
                 array_with("chunk_grid", codec("regular", {{"chunk_shape", {1 << 20, 1 << 20, 1}}})));
  expect_corrupt("shape", array_with("shape", {0, 1, 1}));
  expect_unsupported("fill value", array_with("fill_value", "NaN"));
}

TEST(Zarr3Metadata, TypesAndFillValues) {
  for (const char* type : {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"}) {
    Json json = array_with("data_type", type);
    json["fill_value"] = 7;
    EXPECT_EQ(to_string(parsed(json).spec.data_type), type);
    EXPECT_EQ(parsed(json).spec.fill_value, 7u);
  }
  Json json = array_with("data_type", "bool");
  json["fill_value"] = true;
  EXPECT_EQ(parsed(json).spec.data_type, DataType::kUint8);
  EXPECT_EQ(parsed(json).spec.fill_value, 1u);
  json = array_with("data_type", "float32");
  json["fill_value"] = "0x7fc00000";
  EXPECT_EQ(parsed(json).spec.fill_value, 0x7fc00000u);
  json["fill_value"] = "-Infinity";
  EXPECT_EQ(parsed(json).spec.fill_value, 0xff800000u);
}

TEST(Zarr3Metadata, WhatIsWrittenIsReadBack) {
  DatasetSpec spec;
  spec.shape = {50, 60, 70};
  spec.chunk_shape = {4, 8, 16};
  spec.data_type = DataType::kFloat32;
  spec.fill_value = fill_value_of(0.5f);
  for (const Shape3& shard : {Shape3{}, Shape3{8, 8, 64}}) {
    spec.shard_shape = shard;
    for (const Codec codec : {Codec::kRaw, Codec::kGzip, Codec::kZstd, Codec::kBlosc}) {
      spec.codec = codec;
      const Zarr3Array array = parsed(zarr3_array_of(spec));
      EXPECT_EQ(describe_difference(array.spec, spec), "") << to_string(codec);
      EXPECT_EQ(zarr3_key(array, {1, 2, 3}), "c/1/2/3");
      EXPECT_EQ(array.dimension_names, (std::vector<std::string>{"z", "y", "x"}));
    }
  }
  spec.codec = Codec::kBzip2;
  EXPECT_THROW(zarr3_array_of(spec), Error);
}

TEST(Zarr3Metadata, FormatsWithoutShardsRefuseThem) {
  DatasetSpec spec;
  spec.shape = {50, 60, 70};
  spec.chunk_shape = {4, 8, 16};
  spec.shard_shape = {8, 8, 16};
  EXPECT_EQ(find_spec_problem(spec), "");
  const auto expect_refused = [](const std::string& message, const std::function<void()>& call) {
    try {
      call();
      FAIL() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_EQ(error.message(), message);
    }
  };
  expect_refused("N5 is not written in shards", [&] { n5_attributes_of(spec); });
  expect_refused("Zarr 2 is not written in shards", [&] { zarray_of(spec); });
  DatasetSpec plain = spec;
  plain.shard_shape = {};
  EXPECT_EQ(describe_difference(plain, spec), "no shards instead of shards 8,8,16");
  spec.shard_shape = {8, 8, 17};
  EXPECT_NE(find_spec_problem(spec).find("whole chunks"), std::string::npos);
  spec.shard_shape = {8, 8, 0};
  EXPECT_NE(find_spec_problem(spec), "");
}

}  // namespace
}  // namespace organon::storage
