#include "organon/storage/zarr/zarr_metadata.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/storage/fill_value.h"

namespace organon::storage {
namespace {

Json zarray_with(const std::string& key, const Json& value) {
  Json zarray = parse_json(
      R"({"zarr_format":2,"shape":[5,6,7],"chunks":[1,2,3],"dtype":"<f4","compressor":null,"fill_value":0,
          "filters":null,"order":"C"})",
      "test");
  zarray[key] = value;
  return zarray;
}

ZarrArray parsed(const Json& zarray) { return parse_zarray(zarray.dump(), "test"); }

std::string refusal_of(const Json& zarray) {
  try {
    parsed(zarray);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << error.message();
    return error.message();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(ZarrMetadata, CompressorsOfNumcodecsArePutIntoTheSpec) {
  const auto spec = [](const Json& compressor) { return parsed(zarray_with("compressor", compressor)).spec; };
  EXPECT_EQ(spec({{"id", "bz2"}, {"level", 3}}).codec, Codec::kBzip2);
  EXPECT_EQ(spec({{"id", "bz2"}, {"level", 3}}).level, 3);
  EXPECT_EQ(spec({{"id", "lz4"}, {"acceleration", 1}}).codec, Codec::kLz4);
  const Json lzma = {{"id", "lzma"}, {"format", 1}, {"check", -1}, {"preset", nullptr}, {"filters", nullptr}};
  EXPECT_EQ(spec(lzma).codec, Codec::kXz);
  EXPECT_EQ(spec({{"id", "blosc"}, {"cname", "lz4hc"}}).blosc_inner, BloscInner::kLz4hc);
  Json alone = lzma;
  alone["format"] = 2;
  EXPECT_NE(refusal_of(zarray_with("compressor", alone)).find("lzma in format 2"), std::string::npos);
  EXPECT_NE(refusal_of(zarray_with("compressor", {{"id", "pcodec"}})).find("codec 'pcodec'"),
            std::string::npos);
}

TEST(ZarrMetadata, EveryCodecIsWrittenAndReadBack) {
  DatasetSpec spec;
  spec.shape = {5, 6, 7};
  spec.chunk_shape = {1, 2, 3};
  for (const Codec codec : {Codec::kRaw, Codec::kGzip, Codec::kZlib, Codec::kZstd, Codec::kBlosc,
                            Codec::kBzip2, Codec::kXz, Codec::kLz4}) {
    spec.codec = codec;
    EXPECT_EQ(describe_difference(parsed(zarray_of(spec)).spec, spec), "") << to_string(codec);
  }
}

TEST(ZarrMetadata, FillValues) {
  const auto fill = [](const Json& value) {
    return parsed(zarray_with("fill_value", value)).spec.fill_value;
  };
  EXPECT_EQ(fill(nullptr), 0u);
  EXPECT_EQ(fill("NaN"), 0x7fc00000u);
  EXPECT_EQ(fill(0.5), fill_value_of(0.5f));
  EXPECT_NE(refusal_of(zarray_with("fill_value", "AAAA")).find("\"AAAA\""), std::string::npos);
}

TEST(ZarrMetadata, FiltersAreRefusedByName) {
  const Json filters = Json::array({{{"id", "delta"}, {"dtype", "<f4"}}, {{"id", "shuffle"}}});
  EXPECT_NE(refusal_of(zarray_with("filters", filters)).find("delta, shuffle"), std::string::npos);
  EXPECT_EQ(parsed(zarray_with("filters", Json::array())).spec.codec, Codec::kRaw);
}

}  // namespace
}  // namespace organon::storage
