// Arrays of Zarr 3 written by other implementations, read where they lie (shared data, folder interop). Those
// of one or two axes are read as three, of which the first ones have one voxel: their bytes are the same.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "organon/array/copy.h"
#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/fill_value.h"
#include "organon/storage/zarr/zarr3_chunk.h"

namespace organon::storage {
namespace {

std::filesystem::path interop(const std::string& path) {
  return organon::testing::data_folder() / "interop" / path;
}

// Sets ones before each shape in the metadata; gives the number of axes.
std::size_t lift(Json& json) {
  const std::size_t rank = json.at("shape").size();
  const auto lift_shape = [&](Json& shape) { shape.insert(shape.begin(), 3 - rank, Json(1)); };
  lift_shape(json["shape"]);
  lift_shape(json["chunk_grid"]["configuration"]["chunk_shape"]);
  for (Json& codec : json["codecs"]) {
    if (codec["name"] == "sharding_indexed") lift_shape(codec["configuration"]["chunk_shape"]);
  }
  json.erase("dimension_names");
  return rank;
}

// The file of a stored unit, with the numbers of the axes that were there.
std::filesystem::path file_of(const std::filesystem::path& root, const Zarr3Array& array,
                              const Index3& position, std::size_t rank) {
  std::string key = zarr3_key(array, position);
  const std::string front = std::string("c") + array.separator;
  EXPECT_TRUE(key.starts_with(front));
  key.erase(front.size(), 2 * (3 - rank));  // "0/" each
  return root / key;
}

template <class Use>
void for_each_cell(const Box& domain, const Shape3& shape, Use use) {
  const BlockGrid grid(domain, shape);
  for (std::int64_t id = 0; id < grid.count(); ++id) use(grid.position_of(id), grid.box_of(id));
}

void paste(const AnyArray& part, const Box& box, AnyArray& voxels, const Box& domain) {
  dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    copy_overlap<T>(part.view<T>(), box, voxels.view<T>(), domain);
  });
}

AnyArray all_fill(const DatasetSpec& spec) {
  AnyArray voxels(spec.data_type, spec.shape);
  dispatch(spec.data_type, [&](auto zero) {
    using T = decltype(zero);
    fill_voxels<T>(voxels.view<T>(), fill_voxel<T>(spec.fill_value));
  });
  return voxels;
}

// The voxels of one shard by its index and one range per inner chunk.
void paste_in_parts(const std::vector<std::byte>& bytes, const Zarr3Array& array, const Box& shard,
                    AnyArray& voxels) {
  const ShardLayout& layout = array.chain.shards.at(0);
  const std::size_t index_bytes = shard_index_bytes(layout, chunks_per_shard(array));
  const auto whole = std::span(bytes);
  const ShardIndex index = decode_zarr3_index(
      layout.is_index_at_start ? whole.first(index_bytes) : whole.last(index_bytes), array);
  for_each_cell(Box::of_shape(shard.shape()), array.spec.chunk_shape,
                [&](const Index3& position, const Box& box) {
                  const auto chunk = read_inner_chunk(
                      array, index, position, box.shape(), [&](std::uint64_t begin, std::size_t num_bytes) {
                        const auto part = whole.subspan(begin, num_bytes);
                        return std::vector<std::byte>(part.begin(), part.end());
                      });
                  if (chunk) paste(*chunk, box.translate(shard.begin), voxels, array.spec.domain());
                });
}

// All voxels; shards are read whole and in parts, which must agree.
AnyArray read_array(const std::filesystem::path& root) {
  Json json = parse_json(read_text(root / "zarr.json"), root.string());
  const std::size_t rank = lift(json);
  const Zarr3Array array = zarr3_array_from(json, root.string());
  AnyArray whole = all_fill(array.spec);
  AnyArray in_parts = all_fill(array.spec);
  for_each_cell(array.spec.domain(), stored_shape(array.spec), [&](const Index3& position, const Box& box) {
    const auto bytes = read_file_if_exists(file_of(root, array, position, rank));
    if (!bytes) return;
    paste(decode_zarr3_unit(*bytes, array, box.shape()), box, whole, array.spec.domain());
    if (has_shards(array.spec)) paste_in_parts(*bytes, array, box, in_parts);
  });
  if (has_shards(array.spec)) {
    EXPECT_EQ(std::memcmp(whole.bytes().data(), in_parts.bytes().data(), whole.bytes().size()), 0) << root;
  }
  return whole;
}

std::vector<double> values_of(const AnyArray& voxels) {
  return dispatch(voxels.type(), [&](auto zero) {
    using T = decltype(zero);
    const T* const first = voxels.view<T>().data();
    return std::vector<double>(first, first + voxels.shape().product());
  });
}

std::vector<double> counting(int first, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(first + i);
  return values;
}

TEST(Zarr3Interop, ArraysOfZarrita) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/zarr_v3/from_zarrita/data.zarr");
  const auto values = [&](const std::string& name) { return values_of(read_array(root / name)); };
  for (const char* name : {"1d.chunked.i2", "1d.chunked.compressed.sharded.i2", "1d.contiguous.blosc.i2",
                           "1d.contiguous.gzip.i2", "1d.contiguous.raw.i2", "1d.contiguous.i4",
                           "1d.contiguous.compressed.sharded.i2", "1d.contiguous.compressed.sharded.i4",
                           "2d.chunked.i2", "2d.contiguous.i2", "2d.contiguous.compressed.sharded.i2"}) {
    EXPECT_EQ(values(name), counting(1, 4)) << name;
  }
  EXPECT_EQ(values("1d.chunked.ragged.i2"), counting(1, 5));
  // A whole shard is missing; one inner chunk of one is.
  EXPECT_EQ(values("1d.chunked.filled.compressed.sharded.i2"), (std::vector<double>{1, 2, 0, 0}));
  EXPECT_EQ(values("2d.chunked.compressed.sharded.filled.i2"), counting(0, 16));
  EXPECT_EQ(values("2d.chunked.compressed.sharded.i2"), counting(1, 16));
  for (const char* name : {"2d.chunked.ragged.i2", "2d.chunked.ragged.compressed.sharded.i2"})
    EXPECT_EQ(values(name), counting(1, 9)) << name;
  for (const char* name :
       {"3d.chunked.i2", "3d.contiguous.i2", "3d.chunked.mixed.i2.C", "3d.chunked.mixed.i2.F",
        "3d.contiguous.compressed.sharded.i2", "3d.chunked.mixed.compressed.sharded.i2"}) {
    EXPECT_EQ(values(name), counting(0, 27)) << name;
  }
  EXPECT_EQ(values("3d.chunked.compressed.sharded.i2"), counting(0, 64));
  for (const char* name : {"1d.contiguous.u1", "1d.contiguous.compressed.sharded.u1"})
    EXPECT_EQ(values(name), (std::vector<double>{255, 0, 255, 0})) << name;
  for (const char* name : {"1d.contiguous.b1", "1d.contiguous.compressed.sharded.b1"})
    EXPECT_EQ(values(name), (std::vector<double>{1, 0, 1, 0})) << name;
  for (const char* name :
       {"1d.contiguous.f4.le", "1d.contiguous.f4.be", "1d.contiguous.compressed.sharded.f4"})
    EXPECT_EQ(values(name), (std::vector<double>{-1000.5, 0, 1000.5, 0})) << name;
  for (const char* name : {"1d.contiguous.f8", "1d.contiguous.compressed.sharded.f8"})
    EXPECT_EQ(values(name), (std::vector<double>{1.5, 2.5, 3.5, 4.5})) << name;
}

TEST(Zarr3Interop, EveryArrayOfZarritaWasRead) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr/zarr_v3/from_zarrita/data.zarr");
  int num_arrays = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (!entry.is_directory()) continue;
    ++num_arrays;
    EXPECT_GT(read_array(entry.path()).bytes().size(), 0u) << entry.path();
  }
  EXPECT_EQ(num_arrays, 33);
}

TEST(Zarr3Interop, UncompressedArraysOfRank2) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const auto root = interop("neuroglancer/testdata/datasource/zarr");
  EXPECT_EQ(values_of(read_array(root / "zarr_v3/examples/single_res")), counting(0, 42));
  EXPECT_EQ(values_of(read_array(root / "ome_zarr/simple_0.5/scale0/image")), counting(0, 100));
}

TEST(Zarr3Interop, BigEndianZstdVolume) {
  ORGANON_REQUIRE_DATA("interop/neuroglancer");
  const AnyArray voxels = read_array(interop(
      "neuroglancer/testdata/datasource/zarr/ome_zarr/all_0.6/simple/anisotropic_rotation.zarr/array"));
  ASSERT_EQ(voxels.shape(), (Shape3{27, 226, 186}));
  // Of the output of the program zstd.
  std::uint64_t sum = 0;
  std::uint64_t moment = 0;
  for (std::size_t i = 0; i < voxels.bytes().size(); ++i) {
    sum += std::to_integer<std::uint64_t>(voxels.bytes()[i]);
    moment += i * std::to_integer<std::uint64_t>(voxels.bytes()[i]);
  }
  EXPECT_EQ(sum, 40784917u);
  EXPECT_EQ(moment, 21990028872702u);
}

TEST(Zarr3Interop, ShardOfN5ZarrWithoutAChecksum) {
  ORGANON_REQUIRE_DATA("interop/n5-zarr");
  const AnyArray voxels =
      read_array(interop("n5-zarr/src/test/resources/shardExamples/test.zarr/mid_sharded"));
  ASSERT_EQ(voxels.shape(), (Shape3{1, 4, 6}));
  // Its writer set the first inner chunk, of 2 x 3 voxels, to 123, and let the others count.
  for (std::int64_t y = 0; y < 4; ++y) {
    for (std::int64_t x = 0; x < 6; ++x)
      EXPECT_EQ(voxels.view<std::uint8_t>()(0, y, x), y < 2 && x < 3 ? 123 : 6 * y + x);
  }
}

// Axes c, x, y, z; channels and x are taken as one axis, for they lie behind each other in each chunk.
TEST(Zarr3Interop, WebknossosShardEqualsItsTwinInZarr2) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto root = interop("webknossos/webknossos/testdata");
  Json json = parse_json(read_text(root / "simple_zarr3_dataset/color/1/zarr.json"), "test");
  json["shape"] = {3 * 32, 24, 24};
  json["chunk_grid"]["configuration"]["chunk_shape"] = {3 * 32, 32, 32};
  json["codecs"][0]["configuration"]["chunk_shape"] = {3 * 16, 16, 16};
  json.erase("dimension_names");
  const Zarr3Array array = zarr3_array_from(json, "test");
  const auto bytes = read_file_if_exists(root / "simple_zarr3_dataset/color/1/c/0/0/0/0");
  ASSERT_TRUE(bytes.has_value());
  const AnyArray voxels = decode_zarr3_unit(*bytes, array, {3 * 32, 24, 24});
  AnyArray in_parts = all_fill(array.spec);
  paste_in_parts(*bytes, array, array.spec.domain(), in_parts);
  EXPECT_EQ(std::memcmp(in_parts.bytes().data(), voxels.bytes().data(), voxels.bytes().size()), 0);
  const auto twin = read_file_if_exists(root / "simple_zarr_dataset/color/1-1-1/0.0.0.0");
  ASSERT_TRUE(twin.has_value());
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t x = 0; x < 24; ++x) {
      for (std::int64_t y = 0; y < 24; ++y) {
        for (std::int64_t z = 0; z < 24; ++z) {
          const auto expected = (*twin)[static_cast<std::size_t>(((c * 32 + x) * 32 + y) * 32 + z)];
          ASSERT_EQ(voxels.view<std::uint8_t>()(x / 16 * 48 + c * 16 + x % 16, y, z),
                    std::to_integer<std::uint8_t>(expected));
        }
      }
    }
  }
}

TEST(Zarr3Interop, OtherOrdersOfAxesAreRefusedClearly) {
  ORGANON_REQUIRE_DATA("interop/webknossos");
  const auto file = interop("webknossos/webknossos/testdata/simple_zarr3_dataset/color/1/zarr.json");
  try {
    parse_zarr3_array(read_text(file), file.string());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(error.message().find("axes c, x, y, z"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace organon::storage
