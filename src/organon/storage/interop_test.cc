// Files written by other implementations, read where they lie (shared data, folder interop).

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cstring>
#include <functional>
#include <optional>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/multiscale.h"
#include "organon/storage/n5/n5_block.h"
#include "organon/storage/n5/n5_metadata.h"
#include "organon/storage/precomputed/compressed_segmentation.h"
#include "organon/storage/precomputed/precomputed_info.h"
#include "organon/storage/zarr/zarr_chunk.h"
#include "organon/storage/zarr/zarr_metadata.h"

namespace organon::storage {
namespace {

using organon::testing::data_folder;

std::filesystem::path interop(const std::string& path) { return data_folder() / "interop" / path; }

// Rows, columns, RGB: as the datasets made from it.
Array<std::uint8_t> read_png(const std::filesystem::path& path) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  png_image_begin_read_from_file(&image, path.c_str());
  image.format = PNG_FORMAT_RGB;
  Array<std::uint8_t> pixels(Shape3{image.height, image.width, 3});
  png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr);
  return pixels;
}

void expect_is_reference_image(const std::string& address) {
  const Array<std::uint8_t> expected = read_png(interop("zarr_implementations/reference_image.png"));
  const auto dataset = open_dataset(address);
  ASSERT_EQ(dataset->spec().shape, expected.shape());
  const AnyArray voxels = dataset->read(dataset->spec().domain());
  EXPECT_EQ(std::memcmp(voxels.bytes().data(), expected.data(), voxels.bytes().size()), 0) << address;
}

void expect_error(ErrorKind kind, const std::string& word, const std::function<void()>& call) {
  try {
    call();
    FAIL() << "no error that names " << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(error.message().find(word), std::string::npos) << error.what();
  }
}

std::vector<double> values_of(const AnyArray& voxels) {
  return dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    const T* const first = voxels.view<T>().data();
    return std::vector<double>(first, first + voxels.shape().product());
  });
}

// All voxels of a dataset, chunk by chunk. `decode` gives a chunk of a position and a clipped shape, or
// nothing.
std::vector<double> read_chunks(
    const DatasetSpec& spec,
    const std::function<std::optional<AnyArray>(const Index3& position, const Shape3& shape)>& decode_chunk) {
  const BlockGrid grid(spec.domain(), spec.chunk_shape);
  AnyArray voxels(spec.data_type, spec.shape);
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    fill_voxels<T>(voxels.view<T>(), fill_voxel<T>(spec.fill_value));
    for (std::int64_t id = 0; id < grid.count(); ++id) {
      const Box box = grid.box_of(id);
      const std::optional<AnyArray> chunk = decode_chunk(grid.position_of(id), box.shape());
      if (chunk) copy_overlap<T>(chunk->view<T>(), box, voxels.view<T>(), spec.domain());
    }
  });
  return values_of(voxels);
}

// A Zarr array of one or two axes, read as three of which the first have one voxel.
std::vector<double> read_lifted_zarr(const std::filesystem::path& root) {
  Json zarray = parse_json(read_text(root / ".zarray"), root.string());
  const std::size_t rank = zarray.at("shape").size();
  for (const char* key : {"shape", "chunks"}) zarray[key].insert(zarray[key].begin(), 3 - rank, Json(1));
  const ZarrArray array = parse_zarray(zarray.dump(), root.string());
  return read_chunks(array.spec, [&](const Index3& position, const Shape3& shape) -> std::optional<AnyArray> {
    std::string name = std::to_string(position.x);
    if (rank == 2) name = std::to_string(position.y) + array.separator + name;
    const auto bytes = read_file_if_exists(root / name);
    if (!bytes) return std::nullopt;
    return decode_zarr_chunk(*bytes, array, shape);
  });
}

// An N5 dataset of two axes, read as three of which the last has one voxel.
std::vector<double> read_lifted_n5(const std::filesystem::path& root) {
  Json attributes = parse_json(read_text(root / "attributes.json"), root.string());
  for (const char* key : {"dimensions", "blockSize"}) attributes[key].push_back(1);
  const DatasetSpec spec = n5_spec_of(attributes, root.string());
  return read_chunks(spec, [&](const Index3& position, const Shape3& shape) -> std::optional<AnyArray> {
    auto bytes = read_file_if_exists(root / std::to_string(position.x) / std::to_string(position.y));
    if (!bytes) return std::nullopt;
    EXPECT_EQ(parse_n5_block_header(*bytes, 2).num_bytes, 12u);
    (*bytes)[3] = std::byte{3};
    const std::byte one[] = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
    bytes->insert(bytes->begin() + 12, std::begin(one), std::end(one));
    return decode_n5_block(*bytes, spec, shape);
  });
}

TEST(Interop, N5JavaEqualsItsImage) {
  ORGANON_REQUIRE_DATA("interop/zarr_implementations");
  const auto root = interop("zarr_implementations/n5-java.n5");
  for (const char* name : {"raw", "gzip", "bzip2", "lz4", "xz"})
    expect_is_reference_image((root / name).string());
}

TEST(Interop, ZarrPythonEqualsItsImage) {
  ORGANON_REQUIRE_DATA("interop/zarr_implementations");
  for (const char* name : {"raw", "gzip", "zlib", "blosc"}) {
    expect_is_reference_image((interop("zarr_implementations/zarr.zr") / name).string());
  }
}

TEST(Interop, ZarrFortranOrderEqualsCOrder) {
  ORGANON_REQUIRE_DATA("interop/n5-zarr");
  const auto root = interop("n5-zarr/src/test/resources/examples/dimensionOrder.zarr");
  for (const char* name : {"c-order", "f-order"}) {
    const auto dataset = open_dataset((root / name).string());
    const Array<std::uint8_t> voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
    ASSERT_EQ(voxels.shape(), (Shape3{3, 4, 5}));
    for (std::int64_t i = 0; i < voxels.size(); ++i) EXPECT_EQ(voxels.data()[i], i);
  }
}

TEST(Interop, ZarrPythonArraysOfRank3) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/zarr_v2/from_zarr-python/data.zarr");
  for (const char* name :
       {"3d.contiguous.i2", "3d.chunked.i2", "3d.chunked.mixed.i2.C", "3d.chunked.mixed.i2.F"}) {
    const auto dataset = open_dataset((root / name).string());
    ASSERT_EQ(dataset->spec().shape, Shape3::cube(3));
    const Array<std::int32_t> voxels = dataset->read_as<std::int32_t>(dataset->spec().domain());
    for (std::int64_t i = 0; i < voxels.size(); ++i) EXPECT_EQ(voxels.data()[i], i) << name;
  }
  expect_error(ErrorKind::kUnsupported, "'|O'", [&] { open_dataset((root / "3d.chunked.O").string()); });
  expect_error(ErrorKind::kUnsupported, "2 axes", [&] { open_dataset((root / "2d.chunked.i2").string()); });
}

// Datasets of fewer axes are refused, but their chunks hold what codecs, types and the order of bytes must
// get right. They are read as three axes, of which the first ones have one voxel.
TEST(Interop, ZarrPythonArraysOfFewerAxes) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/zarr_v2/from_zarr-python/data.zarr");
  const auto values = [&](const std::string& name) { return read_lifted_zarr(root / name); };
  const std::vector<double> counting = {1, 2, 3, 4};
  for (const char* name :
       {"1d.contiguous.raw.i2", "1d.contiguous.zlib.i2", "1d.contiguous.zstd.i2", "1d.contiguous.lz4.i2",
        "1d.contiguous.blosc.i2", "1d.contiguous.i4", "1d.chunked.i2", "2d.contiguous.i2", "2d.chunked.i2"}) {
    EXPECT_EQ(values(name), counting) << name;
  }
  EXPECT_EQ(values("1d.chunked.ragged.i2"), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(values("2d.chunked.ragged.i2"), (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(values("1d.contiguous.u1"), (std::vector<double>{255, 0, 255, 0}));
  EXPECT_EQ(values("1d.contiguous.b1"), (std::vector<double>{1, 0, 1, 0}));
  EXPECT_EQ(values("1d.contiguous.f8"), (std::vector<double>{1.5, 2.5, 3.5, 4.5}));
  for (const char* name : {"1d.contiguous.f4.le", "1d.contiguous.f4.be"})
    EXPECT_EQ(values(name), (std::vector<double>{-1000.5, 0, 1000.5, 0})) << name;
  for (const char* name : {"1d.contiguous.S7", "1d.contiguous.U7", "1d.contiguous.U13.be",
                           "1d.contiguous.U13.le", "2d.chunked.U7"}) {
    expect_error(ErrorKind::kUnsupported, "data type", [&] { values(name); });
  }
}

// Fill value null, blosc with lz4 and automatic shuffle. Each level averages the one before: as its writer
// made them, and as the same group in OME-NGFF 0.5 holds them uncompressed.
TEST(Interop, NgffLevelsOfRank2EqualTheirUncompressedTwins) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/ome_zarr");
  for (const char* level : {"scale0/image", "scale1/image", "scale2/image"}) {
    const auto twin = read_file_if_exists(root / "simple_0.5" / level / "c/0/0");
    ASSERT_TRUE(twin.has_value());
    std::vector<std::uint16_t> expected(twin->size() / 2);
    std::memcpy(expected.data(), twin->data(), twin->size());
    EXPECT_EQ(read_lifted_zarr(root / "simple_0.4" / level),
              std::vector<double>(expected.begin(), expected.end()));
  }
}

TEST(Interop, BlocksOfTensorstoreN5) {
  ORGANON_REQUIRE_DATA("interop/tensorstore-n5");
  const auto root = interop("tensorstore-n5/tensorstore/driver/n5/testdata");
  // A step along N5's second axis is a step of one, along its first of four.
  std::vector<double> expected;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 5; ++x) expected.push_back(4 * x + y);
  }
  for (const char* name : {"raw", "gzip", "blosc", "bzip2", "xz"}) {
    EXPECT_EQ(read_lifted_n5(root / name), expected) << name;
    expect_error(ErrorKind::kUnsupported, "2 axes", [&] { open_dataset((root / name).string()); });
  }
}

TEST(Interop, BlocksOfOldN5Versions) {
  ORGANON_REQUIRE_DATA("interop/n5-backward");
  // Every block holds its own number: 0 and 1 along x, 0 and 2 along y.
  std::vector<double> expected;
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 7; ++x) expected.push_back((x < 5 ? 0 : 1) + (y < 4 ? 0 : 2));
  }
  for (const char* version : {"1.5.0", "2.5.1", "3.1.3"}) {
    const auto root =
        interop("n5-backward/src/test/resources/backward") / ("data-" + std::string(version) + ".n5");
    EXPECT_EQ(read_lifted_n5(root / "raw"), expected) << version;
    expect_error(ErrorKind::kUnsupported, "2 axes", [&] { open_dataset((root / "raw").string()); });
  }
  // The key of before 2.0, in a dataset of rank 3.
  const DatasetSpec spec = parse_n5_attributes(
      R"({"dataType":"uint8","compressionType":"raw","blockSize":[5,4,3],"dimensions":[7,5,9]})", "test");
  EXPECT_EQ(spec.codec, Codec::kRaw);
  EXPECT_EQ(spec.shape, (Shape3{9, 5, 7}));
}

// One image of three channels, 24 voxels an edge, in each format. Axes c, x, y, z: c is slowest in Zarr,
// fastest in N5, where each block has one channel.
TEST(Interop, WebknossosImageIsTheSameInN5AndZarr) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto root = interop("webknossos/webknossos/testdata");
  constexpr std::int64_t kEdge = 24;
  // Channels and x as one axis: they lie behind each other in a chunk of all channels.
  Json zarray = parse_json(read_text(root / "simple_zarr_dataset/color/1-1-1/.zarray"), "test");
  ASSERT_EQ(zarray.at("chunks"), Json({3, 32, 32, 32}));
  zarray["chunks"] = {3 * 32, 32, 32};
  zarray["shape"] = {3 * 32, kEdge, kEdge};
  const ZarrArray array = parse_zarray(zarray.dump(), "test");
  const AnyArray zarr = decode_zarr_chunk(
      *read_file_if_exists(root / "simple_zarr_dataset/color/1-1-1/0.0.0.0"), array, {3 * 32, kEdge, kEdge});
  Json attributes = parse_json(read_text(root / "simple_n5_dataset/color/1/attributes.json"), "test");
  for (const char* key : {"dimensions", "blockSize"}) attributes[key].erase(std::size_t{0});
  const DatasetSpec spec = n5_spec_of(attributes, "test");
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    std::vector<std::byte> block =
        *read_file_if_exists(root / "simple_n5_dataset/color/1" / std::to_string(channel) / "0/0/0");
    ASSERT_EQ(parse_n5_block_header(block, 4).extents[0], 1);
    block[3] = std::byte{3};
    block.erase(block.begin() + 4, block.begin() + 8);
    const AnyArray n5 = decode_n5_block(block, spec, Shape3::cube(kEdge));
    for (std::int64_t z = 0; z < kEdge; ++z) {
      for (std::int64_t y = 0; y < kEdge; ++y) {
        for (std::int64_t x = 0; x < kEdge; ++x) {
          ASSERT_EQ(n5.view<std::uint32_t>()(z, y, x), zarr.view<std::uint8_t>()(channel * 32 + x, y, z));
        }
      }
    }
  }
}

TEST(Interop, WebknossosAxesInAnotherOrderAreRefusedClearly) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto root = interop("webknossos/webknossos/testdata");
  expect_error(ErrorKind::kUnsupported, "axis 1 is 'x'",
               [&] { open_dataset((root / "simple_zarr_dataset/color/1-1-1").string()); });
  expect_error(ErrorKind::kUnsupported, "the order of axes c, x, y, z",
               [&] { open_dataset((root / "simple_zarr3_dataset/color/1").string()); });
}

// A png of red, green and blue is a volume of three channels.
TEST(Interop, WebknossosColoursOfPrecomputedAreChannels) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto root = interop("webknossos/webknossos/testdata");
  const auto zarr = read_file_if_exists(root / "simple_zarr_dataset/color/1-1-1/0.0.0.0");
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    const auto voxels =
        open_dataset(fmt::format("{}#{}", (root / "simple_ng_dataset/color").string(), channel))
            ->read_as<std::uint8_t>(Box::of_shape(Shape3::cube(24)));
    for (std::int64_t z = 0; z < 24; ++z) {
      for (std::int64_t y = 0; y < 24; ++y) {
        for (std::int64_t x = 0; x < 24; ++x) {
          ASSERT_EQ(voxels.view()(z, y, x),
                    std::to_integer<std::uint8_t>(
                        (*zarr)[static_cast<std::size_t>(((channel * 32 + x) * 32 + y) * 32 + z)]));
        }
      }
    }
  }
}

TEST(Interop, PrecomputedPngOfWebknossos) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto dataset =
      open_dataset((interop("webknossos/webknossos/testdata") / "simple_ng_dataset2/color").string());
  ASSERT_EQ(dataset->spec().shape, Shape3::cube(24));
  const auto voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
  // Computed with tensorstore 0.1.86.
  std::uint64_t sum = 0;
  std::uint64_t weighted = 0;
  for (std::int64_t i = 0; i < voxels.size(); ++i) {
    sum += voxels.data()[i];
    weighted += voxels.data()[i] * static_cast<std::uint64_t>(i % 9973);
  }
  EXPECT_EQ(sum, 1762560U);
  EXPECT_EQ(weighted, 7304366129U);
}

TEST(Interop, CosemTransformsAreRead) {
  ORGANON_REQUIRE_DATA("interop/n5-metadata");
  const auto root = interop("n5-metadata/src/test/resources/test.n5");
  const DatasetSpec cosem = open_dataset((root / "cosem").string())->spec();
  EXPECT_EQ(cosem.shape, (Shape3{129, 256, 256}));
  EXPECT_EQ(cosem.grid, (VoxelGrid{{64, 64, 64}, {28, 28, 28}}));
  const Multiscale pyramid = open_multiscale((root / "cosem_ms").string());
  ASSERT_EQ(pyramid.levels.size(), 3u);
  EXPECT_EQ(pyramid.levels[2]->spec().grid, (VoxelGrid{{128, 128, 128}, {35, 35, 35}}));
  // Lists in the order that the axes say: x, y, z here, millimetres.
  EXPECT_EQ(open_dataset((root / "c0/s0").string())->spec().grid,
            (VoxelGrid{{13e6, 11e6, 7e6}, {5e6, 3e6, 2e6}}));
}

TEST(Interop, N5ViewerResolutionsAreRead) {
  ORGANON_REQUIRE_DATA("interop/n5-metadata");
  const auto root = interop("n5-metadata/src/test/resources/test.n5");
  const auto grid = [&](const char* name) { return open_dataset((root / name).string())->spec().grid; };
  EXPECT_EQ(grid("n5v_pr"), (VoxelGrid{{1.5e6, 1.5e6, 1.5e6}, {}}));
  EXPECT_EQ(grid("n5v_pr-ds"), (VoxelGrid{{3e6, 3e6, 3e6}, {0.75e6, 0.75e6, 0.75e6}}));
  EXPECT_EQ(grid("n5v_pra"), (VoxelGrid{{1.5, 1.5, 1.5}, {}}));
  EXPECT_EQ(grid("n5v_pra-ds"), (VoxelGrid{{3, 3, 3}, {0.75, 0.75, 0.75}}));
  EXPECT_EQ(grid("others/res"), VoxelGrid{});
}

TEST(Interop, CosemGroupAttributesNameLevelsAndGrids) {
  ORGANON_REQUIRE_DATA("interop/n5-metadata");
  const auto file = interop("n5-metadata/src/test/resources/ngff.n5/ngff_grpAttributes/attributes.json");
  const Json group = parse_json(read_text(file), file.string());
  const std::vector<std::string> paths = cosem_level_paths(group);
  ASSERT_GE(paths.size(), 3u);
  EXPECT_EQ(paths[1], "s1");
  EXPECT_EQ(n5_grid_of_group(group, Json::object(), "s1", "test"), (VoxelGrid{{10.48, 8, 8}, {2.62, 2, 2}}));
}

TEST(Interop, CanonicalN5MetadataOfRank3IsOpened) {
  ORGANON_REQUIRE_DATA("interop/n5-metadata");
  const auto root = interop("n5-metadata/src/test/resources/canonical.n5");
  EXPECT_EQ(open_dataset((root / "affine").string())->spec().shape, (Shape3{260, 512, 512}));
  // Its attributes are nested, so no N5 reader sees a dataset.
  expect_error(ErrorKind::kNotFound, "", [&] { open_dataset((root / "axes/xyz").string()); });
}

TEST(Interop, NgffGroupsOfRank2AreRefusedAndTheirTransformsUnderstoodInRank3) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/ome_zarr/simple_0.4");
  expect_error(ErrorKind::kUnsupported, "2 axes", [&] { open_multiscale(root.string()); });
  Json group = parse_json(read_text(root / ".zattrs"), "test");
  Json& multiscale = group["multiscales"][0];
  multiscale["axes"].insert(multiscale["axes"].begin(),
                            Json{{"name", "z"}, {"type", "space"}, {"unit", "nanometer"}});
  for (Json& dataset : multiscale["datasets"]) {
    for (Json& transform : dataset["coordinateTransformations"]) {
      for (const char* key : {"scale", "translation"}) {
        if (transform.contains(key)) transform[key].insert(transform[key].begin(), 1);
      }
    }
  }
  const std::vector<NgffLevel> levels = ngff_levels_of(group, "test");
  ASSERT_EQ(levels.size(), 3u);
  EXPECT_EQ(levels[2].path, "scale2/image");
  EXPECT_EQ(levels[2].grid, (VoxelGrid{{1, 16, 120}, {1, 6, 45}}));
}

TEST(Interop, N5ViewerGroupsGiveGridsToTheirLevels) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/n5");
  expect_error(ErrorKind::kUnsupported, "2 axes",
               [&] { open_multiscale((root / "n5_viewer_multiscale_modern").string()); });
  const Json modern =
      parse_json(R"({"axes":["x","y","z"],"units":["nm","nm","um"],"resolution":[10,20,1]})", "test");
  const Json level = parse_json(R"({"downsamplingFactors":[4,4,1]})", "test");
  EXPECT_EQ(n5_grid_of_group(modern, level, "s2", "test"), (VoxelGrid{{1000, 80, 40}, {0, 30, 15}}));
  const Json deprecated = parse_json(R"({"resolution":[10,20,30],"scales":[[1,1,1],[2,2,2]]})", "test");
  EXPECT_EQ(n5_grid_of_group(deprecated, Json::object(), "s1", "test"),
            (VoxelGrid{{60, 40, 20}, {15, 10, 5}}));
}

TEST(Interop, CompressedSegmentationOfRealNeuronsRoundTrips) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto bytes = read_file_if_exists(
      interop("neuroglancer/testdata/codec/compressed_segmentation/64x64x64-raw-uint64-segmentation.dat"));
  ASSERT_TRUE(bytes.has_value());
  const Shape3 shape = Shape3::cube(64);
  AnyArray labels(DataType::kUint64, shape);
  ASSERT_EQ(bytes->size(), labels.bytes().size());
  std::ranges::copy(*bytes, labels.bytes().begin());
  AnyArray small(DataType::kUint32, shape);
  for (std::int64_t i = 0; i < shape.product(); ++i) {
    small.view<std::uint32_t>().data()[i] =
        static_cast<std::uint32_t>(labels.view<std::uint64_t>().data()[i]);
  }
  for (const AnyArray* voxels : {&labels, &small}) {
    const std::vector<std::byte> encoded = encode_compressed_segmentation(*voxels, {8, 8, 8});
    EXPECT_LT(encoded.size() * 10, voxels->bytes().size());
    const AnyArray decoded = decode_compressed_segmentation(encoded, voxels->type(), shape, {8, 8, 8});
    EXPECT_EQ(std::memcmp(decoded.bytes().data(), voxels->bytes().data(), voxels->bytes().size()), 0);
  }
}

TEST(Interop, PrecomputedInfosAreRead) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto folder = interop("neuroglancer/testdata/datasource/precomputed");
  const Multiscale pyramid = open_multiscale((folder / "one_channel").string());
  ASSERT_EQ(pyramid.levels.size(), 3u);
  const DatasetSpec& spec = pyramid.levels[1]->spec();
  EXPECT_EQ(spec.shape, (Shape3{15, 10, 5}));
  // Corners at 0: the first centre lies half a voxel further.
  EXPECT_EQ(spec.grid, (VoxelGrid{{10, 8, 6}, {5, 4, 3}}));
  const Multiscale second = open_multiscale((folder / "two_channels").string() + "#1");
  EXPECT_EQ(second.levels.at(2)->spec().channels, (Channels{{2}, {2}, 1}));
}

}  // namespace
}  // namespace organon::storage
