#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"

namespace organon::storage {
namespace {

void expect_error(ErrorKind kind, const std::string& word, const std::function<void()>& call) {
  try {
    call();
    FAIL() << "no error that names " << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(error.message().find(word), std::string::npos) << error.what();
  }
}

TEST(Address, TakesAFormatFromItsPrefix) {
  EXPECT_EQ(parse_address("/a/b/").path, "/a/b");
  EXPECT_FALSE(parse_address("/a/b").format.has_value());
  EXPECT_EQ(parse_address("zarr://a/b").format, Format::kZarr2);
  EXPECT_EQ(parse_address("n5:///a/b").path, "/a/b");
  EXPECT_EQ(parse_address("precomputed://x").format, Format::kPrecomputed);
}

TEST(Address, NamesStoreFormatAndPath) {
  const Address address = parse_address("zarr://s3://bucket/a/b/");
  EXPECT_EQ(address.format, Format::kZarr2);
  EXPECT_EQ(address.store, "s3://bucket");
  EXPECT_EQ(address.path, "a/b");
  EXPECT_FALSE(address.is_local());
  EXPECT_EQ(parse_address("https://host:80/a%20b").path, "a b");
  EXPECT_TRUE(parse_address("n5://a").is_local());
  EXPECT_EQ(address_in("/home", "s3://bucket/a"), "s3://bucket/a");
  EXPECT_EQ(absolute_place("zarr://s3://bucket/a/../b"), "s3://bucket/b");
}

TEST(Address, RefusesOtherSchemesAndEmptyPaths) {
  expect_error(ErrorKind::kUnsupported, "ftp", [] { parse_address("ftp://a/b"); });
  expect_error(ErrorKind::kInvalidArgument, "no path", [] { parse_address("zarr://s3://bucket/"); });
  expect_error(ErrorKind::kInvalidArgument, "without ?", [] { parse_address("https://host/a?b=c"); });
  expect_error(ErrorKind::kInvalidArgument, "no path", [] { parse_address("n5://"); });
  expect_error(ErrorKind::kInvalidArgument, "no path", [] { parse_address(""); });
}

class CreateTest : public ::testing::Test {
 protected:
  static DatasetSpec spec(Codec codec = Codec::kRaw, DataType type = DataType::kUint8) {
    DatasetSpec spec;
    spec.shape = {4, 5, 6};
    spec.codec = codec;
    spec.data_type = type;
    return spec;
  }
  std::string below(const std::string& path) const { return (folder_.path() / path).string(); }
  bool exists(const std::string& path) const { return std::filesystem::exists(folder_.path() / path); }
  organon::testing::TemporaryFolder folder_;
};

TEST_F(CreateTest, InnermostNameDecidesTheFormat) {
  create_dataset(below("a.zarr/b.n5/c"), spec());
  EXPECT_TRUE(exists("a.zarr/b.n5/c/attributes.json"));
  create_dataset(below("a.n5/b.zarr/c"), spec());
  EXPECT_TRUE(exists("a.n5/b.zarr/c/.zarray"));
  create_dataset("zarr://" + below("a.n5/d"), spec());
  EXPECT_TRUE(exists("a.n5/d/.zarray"));
  expect_error(ErrorKind::kInvalidArgument, "which format",
               [&] { create_dataset(below("plain/c"), spec()); });
}

TEST_F(CreateTest, AnArrayOfZarr3IsNotWrittenOverAGroup) {
  create_dataset("zarr3://" + below("a.zarr/raw/s0"), spec());
  for (const char* group : {"a.zarr", "a.zarr/raw"})
    expect_error(ErrorKind::kAlreadyExists, "a group is there",
                 [&] { create_dataset("zarr3://" + below(group), spec()); });
  EXPECT_EQ(open_dataset(below("a.zarr/raw/s0"))->spec().shape, spec().shape);
  // Within that hierarchy everything is of version 3.
  create_dataset(below("a.zarr/raw/s1"), spec());
  EXPECT_TRUE(exists("a.zarr/raw/s1/zarr.json"));
}

TEST_F(CreateTest, FormatsRefuseWhatTheyCannotHold) {
  DatasetSpec filled = spec();
  filled.fill_value = 3;
  expect_error(ErrorKind::kInvalidArgument, "fill value", [&] { create_dataset(below("a.n5/b"), filled); });
  expect_error(ErrorKind::kInvalidArgument, "fill value",
               [&] { create_dataset(below("a.precomputed/b"), filled); });
  expect_error(ErrorKind::kInvalidArgument, "gzip",
               [&] { create_dataset(below("a.precomputed/b"), spec(Codec::kGzip)); });
  const DatasetSpec labels = spec(Codec::kCompressedSegmentation, DataType::kUint64);
  expect_error(ErrorKind::kInvalidArgument, "compressed_segmentation",
               [&] { create_dataset(below("a.n5/b"), labels); });
  expect_error(ErrorKind::kInvalidArgument, "compressed_segmentation",
               [&] { create_dataset(below("a.zarr/b"), labels); });
  expect_error(ErrorKind::kInvalidArgument, "uint8",
               [&] { create_dataset(below("a.precomputed/b"), spec(Codec::kCompressedSegmentation)); });
}

TEST_F(CreateTest, PrecomputedScalesShareOneInfo) {
  DatasetSpec coarse = spec();
  coarse.grid.voxel_size_nm = {8, 8, 8};
  create_dataset(below("a.precomputed/s1"), coarse);
  create_dataset(below("a.precomputed/s0"), spec());
  expect_error(ErrorKind::kInvalidArgument, "s0, s1", [&] { open_dataset(below("a.precomputed")); });
  EXPECT_EQ(open_dataset(below("a.precomputed/s1"))->spec().grid.voxel_size_nm, coarse.grid.voxel_size_nm);
  expect_error(ErrorKind::kAlreadyExists, "data type",
               [&] { create_dataset(below("a.precomputed/s2"), spec(Codec::kRaw, DataType::kUint16)); });
  expect_error(ErrorKind::kNotFound, "s7",
               [&] { open_dataset("precomputed://" + below("a.precomputed/s7")); });
  expect_error(ErrorKind::kInvalidArgument, "name the scale",
               [&] { create_dataset(below("a.precomputed"), spec()); });
  // Without the ending, the last component is the key.
  create_dataset("precomputed://" + below("plain/1_1_1"), spec());
  EXPECT_TRUE(exists("plain/info"));
  EXPECT_EQ(open_dataset(below("plain"))->spec().shape, spec().shape);
}

TEST_F(CreateTest, PrecomputedTypeAndMeshAreFreeAttributes) {
  const auto labels =
      create_dataset(below("l.precomputed/s0"), spec(Codec::kCompressedSegmentation, DataType::kUint64));
  EXPECT_EQ(labels->attributes().at("type"), "segmentation");
  const auto image = create_dataset(below("i.precomputed/s0"), spec());
  EXPECT_EQ(image->attributes().at("type"), "image");
  image->set_attributes(Json{{"type", "segmentation"}, {"mesh", "mesh"}});
  EXPECT_EQ(open_dataset(below("i.precomputed"))->attributes().at("mesh"), "mesh");
  expect_error(ErrorKind::kInvalidArgument, "scales", [&] {
    image->set_attributes(Json{{"scales", Json::array()}});
  });
}

TEST_F(CreateTest, PrecomputedOffsetsAreExact) {
  DatasetSpec moved = spec();
  moved.grid = {{5.24, 4, 4}, {5.24 * 10.5, 4 * -2.5, 1.25}};
  const auto dataset = create_dataset(below("a.precomputed/s0"), moved);
  EXPECT_EQ(dataset->spec().grid, moved.grid);
  AnyArray voxels(DataType::kUint8, moved.shape);
  std::ranges::fill(voxels.bytes(), std::byte{1});
  dataset->write(moved.domain(), voxels);
  // x: corner at -0.75 nm, nearest 0; y: at -12 nm, voxel -3; z: voxel 10.
  EXPECT_TRUE(exists("a.precomputed/s0/0-6_-3-2_10-14"));
  moved.grid.offset_nm.x = 1e300;
  expect_error(ErrorKind::kInvalidArgument, "2^40",
               [&] { create_dataset(below("b.precomputed/s0"), moved); });
}

TEST_F(CreateTest, GroupsKeepTheirAttributesWhenADatasetIsMadeThere) {
  std::filesystem::create_directories(folder_.path() / "a.n5/b");
  write_text_atomically(folder_.path() / "a.n5/b/attributes.json", R"({"author": "somebody"})");
  EXPECT_EQ(create_dataset(below("a.n5/b"), spec())->attributes().at("author"), "somebody");
}

TEST_F(CreateTest, NothingThereIsNotFound) {
  for (const char* prefix : {"", "n5://", "zarr://", "precomputed://"}) {
    expect_error(ErrorKind::kNotFound, "none", [&] { open_dataset(prefix + below("none")); });
  }
}

TEST_F(CreateTest, DamagedMetadataNamesTheFile) {
  create_dataset(below("a.n5/b"), spec());
  write_text_atomically(folder_.path() / "a.n5/b/attributes.json", "{\"dimensions\": [4,");
  expect_error(ErrorKind::kCorruptData, "a.n5/b/attributes.json", [&] { open_dataset(below("a.n5/b")); });
}

}  // namespace
}  // namespace organon::storage
