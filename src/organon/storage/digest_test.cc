#include "organon/storage/digest.h"

#include <gtest/gtest.h>

#include <thread>

#include "organon/base/testing/test_data.h"

namespace organon::storage {
namespace {

class DigestTest : public ::testing::Test {
 protected:
  template <class T>
  std::shared_ptr<Dataset> make_ramp(const std::string& name, const Shape3& shape, const Shape3& chunk,
                                     Codec codec) {
    DatasetSpec spec;
    spec.shape = shape;
    spec.chunk_shape = chunk;
    spec.data_type = data_type_of<T>();
    spec.codec = codec;
    auto dataset = create_dataset((folder_.path() / name).string(), spec);
    Array<T> voxels(shape);
    for (std::int64_t z = 0; z < shape.z; ++z) {
      for (std::int64_t y = 0; y < shape.y; ++y) {
        for (std::int64_t x = 0; x < shape.x; ++x) voxels(z, y, x) = static_cast<T>(z * 7 + y * 3 + x);
      }
    }
    dataset->write<T>(spec.domain(), voxels.view(), Fsync::kNo);
    return dataset;
  }
  organon::testing::TemporaryFolder folder_;
};

// The expected values were computed by the Python twin of docs/formats/digest.md.
TEST_F(DigestTest, EqualsItsPythonTwin) {
  const auto ramp = make_ramp<std::uint16_t>("a.n5/ramp", {70, 65, 130}, {64, 64, 64}, Codec::kGzip);
  EXPECT_EQ(to_hex(digest_dataset(*ramp)), "c2200f96892a12c4db7eabed52ddd239");
  const auto floats = make_ramp<float>("a.n5/floats", {70, 65, 130}, {64, 64, 64}, Codec::kRaw);
  EXPECT_EQ(to_hex(digest_dataset(*floats)), "f3ea9462c52ac5571ba9c5e07902236a");
  DatasetSpec spec;
  spec.shape = {3, 4, 5};
  EXPECT_EQ(to_hex(digest_dataset(*create_dataset((folder_.path() / "a.n5/zeros").string(), spec))),
            "fc5a0d6fcfb0f6dee52b005080149725");
}

TEST_F(DigestTest, DoesNotDependOnFormatChunksOrCodec) {
  const Shape3 shape{70, 65, 130};
  const std::string expected = "c2200f96892a12c4db7eabed52ddd239";
  const auto digest = [&](const std::string& name, const Shape3& chunk, Codec codec) {
    return to_hex(digest_dataset(*make_ramp<std::uint16_t>(name, shape, chunk, codec)));
  };
  EXPECT_EQ(digest("a.n5/b", {70, 1, 130}, Codec::kZstd), expected);
  EXPECT_EQ(digest("a.zarr/b", {17, 100, 33}, Codec::kBlosc), expected);
  EXPECT_EQ(digest("a.precomputed/b", {128, 128, 128}, Codec::kRaw), expected);
}

TEST_F(DigestTest, RegionsMayBeComputedApart) {
  const auto dataset = make_ramp<std::uint16_t>("a.n5/b", {70, 65, 130}, {32, 32, 32}, Codec::kRaw);
  const BlockGrid regions = digest_regions(dataset->spec());
  ASSERT_GT(regions.count(), 1);
  std::vector<Hash128> leaves(static_cast<std::size_t>(digest_tiles(dataset->spec()).count()));
  std::vector<std::jthread> threads;
  for (std::int64_t id = regions.count() - 1; id >= 0; --id) {
    threads.emplace_back([&, id] { compute_digest_leaves(*dataset, regions.box_of(id), leaves); });
  }
  threads.clear();
  EXPECT_EQ(digest_root(dataset->spec(), leaves), digest_dataset(*dataset));
}

TEST_F(DigestTest, RegionsOfHugeChunksStayBounded) {
  DatasetSpec spec;
  spec.shape = Shape3::cube(5000);
  spec.chunk_shape = {100, 2000, 2000};
  spec.data_type = DataType::kUint32;
  const Shape3 region = digest_regions(spec).cell_shape();
  EXPECT_LE(region.product() * 4, std::int64_t{256} << 20);
  EXPECT_EQ(region.z % 64 + region.y % 64 + region.x % 64, 0);
}

}  // namespace
}  // namespace organon::storage
