#include "organon/storage/n5/n5_metadata.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

Json attributes_with(const Json& compression) {
  Json attributes = parse_json(R"({"dimensions":[7,6,5],"blockSize":[3,2,1],"dataType":"uint16"})", "test");
  attributes["compression"] = compression;
  return attributes;
}

DatasetSpec spec_with(const Json& compression) { return n5_spec_of(attributes_with(compression), "test"); }

std::string refusal_of(const Json& attributes) {
  try {
    n5_spec_of(attributes, "test");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << error.message();
    return error.message();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(N5Metadata, CompressionsOfJavaArePutIntoTheSpec) {
  const DatasetSpec bzip2 = spec_with({{"type", "bzip2"}, {"blockSize", 9}});
  EXPECT_EQ(bzip2.codec, Codec::kBzip2);
  EXPECT_EQ(bzip2.level, 9);
  const DatasetSpec xz = spec_with({{"type", "xz"}, {"preset", 6}});
  EXPECT_EQ(xz.codec, Codec::kXz);
  EXPECT_EQ(xz.level, 6);
  EXPECT_EQ(spec_with({{"type", "lz4"}, {"blockSize", 65536}}).codec, Codec::kLz4);
  // Java's -1 stands for its own default.
  EXPECT_EQ(spec_with({{"type", "gzip"}, {"level", -1}}).level, -1);
  EXPECT_EQ(spec_with({{"type", "gzip"}, {"useZlib", true}}).codec, Codec::kZlib);
}

TEST(N5Metadata, EveryCodecIsWrittenAndReadBack) {
  DatasetSpec spec;
  spec.shape = {5, 6, 7};
  spec.chunk_shape = {1, 2, 3};
  for (const Codec codec : {Codec::kRaw, Codec::kGzip, Codec::kZlib, Codec::kZstd, Codec::kBlosc,
                            Codec::kBzip2, Codec::kXz, Codec::kLz4}) {
    spec.codec = codec;
    for (const int level : {-1, 5}) {
      spec.level = codec == Codec::kRaw || codec == Codec::kLz4 ? -1 : level;
      EXPECT_EQ(describe_difference(n5_spec_of(n5_attributes_of(spec), "test"), spec), "")
          << to_string(codec);
    }
  }
}

TEST(N5Metadata, BloscKeepsItsInnerCodec) {
  for (const char* name : {"blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"}) {
    const DatasetSpec spec = spec_with({{"type", "blosc"}, {"cname", name}, {"clevel", 5}});
    EXPECT_EQ(n5_attributes_of(spec).at("compression").at("cname"), name);
  }
  EXPECT_EQ(spec_with({{"type", "blosc"}}).blosc_inner, BloscInner::kZstd);
  EXPECT_NE(refusal_of(attributes_with({{"type", "blosc"}, {"cname", "lzo"}})).find("lzo"),
            std::string::npos);
}

TEST(N5Metadata, WhatIsNotReadIsRefusedByName) {
  EXPECT_NE(refusal_of(attributes_with({{"type", "jpeg"}})).find("codec 'jpeg'"), std::string::npos);
  Json multiset = attributes_with({{"type", "gzip"}});
  multiset["isLabelMultiset"] = true;
  EXPECT_NE(refusal_of(multiset).find("label multisets"), std::string::npos);
  multiset["isLabelMultiset"] = false;
  EXPECT_EQ(n5_spec_of(multiset, "test").codec, Codec::kGzip);
  Json object = attributes_with({{"type", "gzip"}});
  object["dataType"] = "object";
  EXPECT_NE(refusal_of(object).find("'object'"), std::string::npos);
}

}  // namespace
}  // namespace organon::storage
