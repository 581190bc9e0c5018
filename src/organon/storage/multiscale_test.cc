#include "organon/storage/multiscale.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/json_fields.h"

namespace organon::storage {
namespace {

class MultiscaleTest : public ::testing::Test {
 protected:
  // Three levels below `group`, each half of the one before.
  std::string make_pyramid(const std::string& group, Codec codec) {
    const std::string address = (folder_.path() / group).string();
    for (int level = 0; level < 3; ++level) {
      DatasetSpec spec;
      spec.shape = Shape3::cube(32 >> level);
      spec.chunk_shape = Shape3::cube(16);
      spec.codec = codec;
      spec.grid = VoxelGrid{{5.24, 4, 4}, {100, 0, 0}}.downsampled(Shape3::cube(1 << level));
      create_dataset(level_address(address, level), spec);
    }
    write_multiscale_metadata(address);
    return address;
  }
  Json read_json(const std::string& file) { return parse_json(read_text(folder_.path() / file), file); }

  organon::testing::TemporaryFolder folder_;
};

void expect_levels(const Multiscale& pyramid) {
  ASSERT_EQ(pyramid.levels.size(), 3u);
  for (int level = 0; level < 3; ++level) {
    const DatasetSpec& spec = pyramid.levels[static_cast<std::size_t>(level)]->spec();
    const double factor = 1 << level;
    EXPECT_EQ(spec.shape, Shape3::cube(32 >> level));
    EXPECT_NEAR(spec.grid.voxel_size_nm.z, 5.24 * factor, 1e-9);
    EXPECT_NEAR(spec.grid.offset_nm.z, 100 + 5.24 * (factor - 1) / 2, 1e-9);
    EXPECT_NEAR(spec.grid.offset_nm.x, 4 * (factor - 1) / 2, 1e-9);
  }
}

TEST_F(MultiscaleTest, EveryFormatGivesBackItsLevelsWithHalfVoxelOffsets) {
  expect_levels(open_multiscale(make_pyramid("a.n5/raw", Codec::kGzip)));
  expect_levels(open_multiscale(make_pyramid("a.zarr/raw", Codec::kZstd)));
  expect_levels(open_multiscale(make_pyramid("a.precomputed", Codec::kRaw)));
}

TEST_F(MultiscaleTest, N5GroupIsWhatNeuroglancerAndFijiRead) {
  make_pyramid("a.n5/raw", Codec::kGzip);
  const Json group = read_json("a.n5/raw/attributes.json");
  EXPECT_EQ(group.at("axes"), Json({"x", "y", "z"}));
  EXPECT_EQ(group.at("units"), Json({"nm", "nm", "nm"}));
  EXPECT_EQ(group.at("scales"), Json({{1.0, 1.0, 1.0}, {2.0, 2.0, 2.0}, {4.0, 4.0, 4.0}}));
  EXPECT_EQ(group.at("pixelResolution").at("dimensions"), Json({4.0, 4.0, 5.24}));
  EXPECT_EQ(group.at("multiscales").at(0).at("datasets").at(1).at("path"), "s1");
  EXPECT_EQ(group.at("multiscales").at(0).at("datasets").at(1).at("transform").at("translate"),
            Json({102.62, 2.0, 2.0}));
  EXPECT_EQ(read_json("a.n5/attributes.json").at("n5"), "4.0.0");
  EXPECT_EQ(read_json("a.n5/raw/s1/attributes.json").at("pixelResolution").at("dimensions"),
            Json({8.0, 8.0, 10.48}));
}

TEST_F(MultiscaleTest, ZarrGroupIsOmeNgff04) {
  make_pyramid("a.zarr/raw", Codec::kZstd);
  const Json multiscale = read_json("a.zarr/raw/.zattrs").at("multiscales").at(0);
  EXPECT_EQ(multiscale.at("version"), "0.4");
  EXPECT_EQ(multiscale.at("axes").at(0), (Json{{"name", "z"}, {"type", "space"}, {"unit", "nanometer"}}));
  const Json& level = multiscale.at("datasets").at(1);
  EXPECT_EQ(level.at("path"), "s1");
  EXPECT_EQ(level.at("coordinateTransformations").at(0).at("scale"), Json({10.48, 8.0, 8.0}));
  EXPECT_EQ(level.at("coordinateTransformations").at(1).at("translation"), Json({102.62, 2.0, 2.0}));
  EXPECT_EQ(read_json("a.zarr/.zgroup").at("zarr_format"), 2);
  EXPECT_EQ(read_json("a.zarr/raw/.zgroup").at("zarr_format"), 2);
}

TEST_F(MultiscaleTest, PrecomputedCornersOfAllLevelsAgree) {
  make_pyramid("a.precomputed", Codec::kRaw);
  const Json info = read_json("a.precomputed/info");
  ASSERT_EQ(info.at("scales").size(), 3u);
  // s0: the first centre at 100 nm is the corner at 97.38 nm, 18.58 voxels; x: -2 nm is half-way and counts
  // up.
  EXPECT_EQ(info.at("scales").at(0).at("voxel_offset"), Json({0, 0, 19}));
  EXPECT_EQ(info.at("scales").at(1).at("voxel_offset"), Json({0, 0, 9}));
  EXPECT_EQ(info.at("scales").at(0).at("organon").at("offset_nm"), Json({0.0, 0.0, 100.0}));
}

TEST_F(MultiscaleTest, LevelsWithoutGroupMetadataAreFound) {
  const std::string address = (folder_.path() / "b.n5/raw").string();
  for (int level = 0; level < 2; ++level) {
    DatasetSpec spec;
    spec.shape = Shape3::cube(8);
    create_dataset(level_address(address, level), spec);
  }
  EXPECT_EQ(open_multiscale(address).levels.size(), 2u);
  EXPECT_EQ(open_multiscale("n5://" + address + "/").levels.size(), 2u);
}

TEST_F(MultiscaleTest, ADatasetIsAPyramidOfOneLevel) {
  make_pyramid("a.n5/raw", Codec::kGzip);
  EXPECT_EQ(open_multiscale((folder_.path() / "a.n5/raw/s1").string()).levels.size(), 1u);
  make_pyramid("a.precomputed", Codec::kRaw);
  EXPECT_EQ(open_multiscale((folder_.path() / "a.precomputed/s1").string()).levels.size(), 1u);
}

TEST_F(MultiscaleTest, NothingThereIsNotFound) {
  try {
    open_multiscale((folder_.path() / "none").string());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  }
  EXPECT_THROW(write_multiscale_metadata((folder_.path() / "none.n5").string()), Error);
}

TEST(LevelAddress, IsTheGroupWithANumberedLevel) {
  EXPECT_EQ(level_address("n5:///data/cell.n5/raw/", 3), "n5:///data/cell.n5/raw/s3");
  EXPECT_EQ(level_address("zarr://a.zarr", 0), "zarr://a.zarr/s0");
}

}  // namespace
}  // namespace organon::storage
