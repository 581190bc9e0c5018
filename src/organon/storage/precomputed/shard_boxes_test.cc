#include "organon/storage/precomputed/shard_boxes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/geometry/block_grid.h"
#include "organon/storage/dataset.h"

namespace organon::storage {
namespace {

const std::vector<Shape3> kGrids = {{1, 1, 1},  {13, 6, 7}, {1, 9, 2}, {4, 4, 4},
                                    {3, 17, 1}, {2, 1, 33}, {5, 5, 9}};

template <class Use>
void for_each_chunk(const Shape3& grid, Use use) {
  for (std::int64_t z = 0; z < grid.z; ++z)
    for (std::int64_t y = 0; y < grid.y; ++y)
      for (std::int64_t x = 0; x < grid.x; ++x) use(Index3{z, y, x});
}

std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> positions_in(const Box& box) {
  std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> positions;
  for_each_chunk(box.shape(), [&](const Index3& p) {
    positions.insert({box.begin.z + p.z, box.begin.y + p.y, box.begin.x + p.x});
  });
  return positions;
}

// The chunks of all ids, grouped by what is left of an id: each group is one clipped cell.
TEST(ShardBoxes, EveryShardIsACellOfTheGridOfBoxes) {
  for (const Shape3& grid : kGrids) {
    for (int num_bits = 0; num_bits <= morton_bits(grid); ++num_bits) {
      std::map<std::uint64_t, std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>>> groups;
      for_each_chunk(grid, [&](const Index3& p) {
        groups[compressed_morton_code(p, grid) >> num_bits].insert({p.z, p.y, p.x});
      });
      const BlockGrid cells(Box::of_shape(grid), chunks_of_low_bits(num_bits, grid));
      ASSERT_EQ(static_cast<std::int64_t>(groups.size()), cells.count());
      std::set<std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>>> found, expected;
      for (const auto& [shard, chunks] : groups) found.insert(chunks);
      for (std::int64_t id = 0; id < cells.count(); ++id) expected.insert(positions_in(cells.box_of(id)));
      EXPECT_EQ(found, expected) << to_string(grid) << " " << num_bits;
    }
  }
}

TEST(ShardBoxes, PositionsOfCodesAreTheirInverse) {
  for (const Shape3& grid : kGrids)
    for_each_chunk(grid, [&](const Index3& p) {
      EXPECT_EQ(position_of_code(compressed_morton_code(p, grid), grid), p);
    });
}

DatasetSpec spec_of(const Shape3& shape, const Shape3& chunk, const Shape3& shard) {
  DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = chunk;
  spec.shard_shape = shard;
  spec.codec = Codec::kRaw;
  return spec;
}

TEST(ShardBoxes, ShapesThatAreBoxesAreFoundAndNoOthers) {
  const Shape3 shape{100, 60, 130};  // chunks of 10: 10 x 6 x 13, of 4, 3 and 4 bits
  const Shape3 chunk{10, 10, 10};
  std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> boxes;
  for (std::int64_t z = 1; z <= 16; ++z)
    for (std::int64_t y = 1; y <= 16; ++y)
      for (std::int64_t x = 1; x <= 16; ++x) {
        const DatasetSpec spec = spec_of(shape, chunk, {10 * z, 10 * y, 10 * x});
        const auto shard = find_precomputed_shards(spec);
        if (!shard) continue;
        boxes.insert({shard->z, shard->y, shard->x});
        // Clipped at the volume's end, it is what was asked for.
        EXPECT_EQ(std::min(shard->z, shape.z), std::min(10 * z, shape.z));
        EXPECT_EQ(std::min(shard->y, shape.y), std::min(10 * y, shape.y));
        EXPECT_EQ(std::min(shard->x, shape.x), std::min(10 * x, shape.x));
        // As opening finds it.
        DatasetSpec made = spec;
        made.shard_shape = *shard;
        const VolumeSharding sharding = precomputed_sharding_of(made);
        EXPECT_EQ(shards_that_are_boxes(sharding, made), shard);
        EXPECT_EQ(sharding.preshift_bits + sharding.minishard_bits + sharding.shard_bits, 11);
        EXPECT_LE(sharding.preshift_bits, 9);
      }
  EXPECT_EQ(boxes.size(), 12U);  // of 0 to 11 bits
  EXPECT_TRUE(boxes.contains({20, 20, 40}));
  EXPECT_TRUE(boxes.contains({160, 80, 160}));
  EXPECT_FALSE(boxes.contains({40, 20, 20}));
}

TEST(ShardBoxes, CubesAreBoxesWhateverTheVolume) {
  for (const Shape3& grid : kGrids)
    for (const std::int64_t edge : {1, 2, 4, 8, 16, 32})
      EXPECT_TRUE(find_precomputed_shards(spec_of(grid, {1, 1, 1}, Shape3::cube(edge)))) << to_string(grid);
}

TEST(ShardBoxes, OthersAreRefusedNamingTheNearest) {
  try {
    precomputed_shards_of(spec_of({1000, 1000, 1000}, Shape3::cube(64), {128, 64, 64}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(error.message().find("the nearest are 64,64,64 and"), std::string::npos) << error.message();
  }
  // 4096^3 bytes.
  EXPECT_FALSE(find_precomputed_shards(spec_of(Shape3::cube(8192), Shape3::cube(64), Shape3::cube(4096))));
  EXPECT_TRUE(find_precomputed_shards(spec_of(Shape3::cube(8192), Shape3::cube(64), Shape3::cube(1024))));
}

TEST(ShardBoxes, HashedIdsAndShardsOfSeveralBoxesAreNone) {
  const DatasetSpec spec = spec_of({32, 32, 32}, Shape3::cube(4), {});  // 9 bits
  VolumeSharding sharding;
  sharding.preshift_bits = 1;
  sharding.minishard_bits = 2;
  sharding.shard_bits = 6;
  EXPECT_EQ(shards_that_are_boxes(sharding, spec), (Shape3{8, 8, 8}));
  sharding.shard_bits = 60;  // more than there are
  EXPECT_EQ(shards_that_are_boxes(sharding, spec), (Shape3{8, 8, 8}));
  sharding.shard_bits = 5;
  EXPECT_FALSE(shards_that_are_boxes(sharding, spec));
  sharding.shard_bits = 6;
  sharding.hashes_ids = true;
  EXPECT_FALSE(shards_that_are_boxes(sharding, spec));
  sharding = {};
  sharding.preshift_bits = 64;
  EXPECT_EQ(shards_that_are_boxes(sharding, spec), (Shape3{32, 32, 32}));
}

Array<std::uint8_t> make_voxels(const Shape3& shape, Random& random) {
  Array<std::uint8_t> voxels(shape);
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    voxels.data()[i] = static_cast<std::uint8_t>(random.below(3) == 0 ? random.below(256) : 0);
  return voxels;
}

// A shard has the chunks with voxels alone; each can be read without the rest, and after another was written.
TEST(ShardBoxes, ChunksAreReadAlone) {
  const testing::TemporaryFolder folder;
  DatasetSpec spec = spec_of({30, 41, 50}, {8, 5, 7}, {});
  spec.shard_shape = {16, 20, 28};
  const auto dataset = create_dataset((folder.path() / "a.precomputed/s0").string(), spec);
  ASSERT_EQ(dataset->spec().shard_shape, spec.shard_shape);
  Random random(5);
  for (int round = 0; round < 3; ++round) {
    const Array<std::uint8_t> voxels = make_voxels(spec.shape, random);
    dataset->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
    const auto again = open_dataset(dataset->address());
    const BlockGrid chunks(spec.domain(), spec.chunk_shape);
    for (std::int64_t id = 0; id < chunks.count(); ++id) {
      const Box box = chunks.box_of(id);
      for (const auto& reader : {dataset, again}) {
        const Array<std::uint8_t> chunk = reader->read_as<std::uint8_t>(box);
        for_each_chunk(box.shape(), [&](const Index3& p) {
          ASSERT_EQ(chunk(p.z, p.y, p.x), voxels(box.begin.z + p.z, box.begin.y + p.y, box.begin.x + p.x));
        });
      }
    }
  }
}

TEST(ShardBoxes, EmptyChunksAreNotInTheShard) {
  const testing::TemporaryFolder folder;
  const DatasetSpec spec = spec_of({16, 16, 16}, Shape3::cube(4), Shape3::cube(8));
  const auto dataset = create_dataset((folder.path() / "a.precomputed/s0").string(), spec);
  Array<std::uint8_t> voxels(spec.shape);
  fill_voxels<std::uint8_t>(voxels.view(), 0);
  voxels(9, 1, 6) = 7;  // chunk (2, 0, 1): of shard (1, 0, 0), number 0b100; 0b001 in it
  dataset->write<std::uint8_t>(spec.domain(), std::as_const(voxels).view(), Fsync::kNo);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "a.precomputed/s0"))
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  EXPECT_EQ(names, std::vector<std::string>{"4.shard"});
  const auto bytes = dataset->read_chunk_file({1, 0, 0});
  VolumeShardReader reader(precomputed_sharding_of(spec), *bytes);
  for (std::uint64_t low = 0; low < 8; ++low) EXPECT_EQ(reader.find(0b100000 + low).has_value(), low == 1);
}

// Whichever way a volume is asked for, a rerun opens it.
TEST(ShardBoxes, ShardsThatReachBeyondTheVolumeAreTheSameWhenMadeAgain) {
  const testing::TemporaryFolder folder;
  const std::string address = (folder.path() / "a.precomputed/s0").string();
  const DatasetSpec spec = spec_of({5, 17, 40}, Shape3::cube(4), Shape3::cube(16));
  EXPECT_EQ(create_dataset(address, spec)->spec().shard_shape, (Shape3{8, 16, 16}));
  EXPECT_EQ(create_dataset(address, spec)->spec().shard_shape, (Shape3{8, 16, 16}));
  DatasetSpec without = spec;
  without.shard_shape = {};
  EXPECT_THROW(create_dataset(address, without), Error);
}

// Written by tensorstore: tests/data/README.md.
TEST(ShardBoxes, AVolumeOfOthersCanBeWritten) {
  const testing::TemporaryFolder folder;
  std::filesystem::copy(std::string(ORGANON_SOURCE_FOLDER) + "/tests/data/boxes.precomputed",
                        folder.path() / "v", std::filesystem::copy_options::recursive);
  const auto dataset = open_dataset((folder.path() / "v/8_8_10").string());
  const DatasetSpec& spec = dataset->spec();
  ASSERT_EQ(spec.shard_shape, (Shape3{16, 32, 64}));
  EXPECT_EQ(dataset->chunk_grid().num_cells(), (Shape3{2, 2, 1}));
  const auto expected = [](const Index3& p) { return (p.z + p.y + p.x) / 7 * 13 % 251; };
  const Array<std::uint8_t> voxels = dataset->read_as<std::uint8_t>(spec.domain());
  for_each_chunk(spec.shape, [&](const Index3& p) { ASSERT_EQ(voxels(p.z, p.y, p.x), expected(p)); });
  const Box part{{7, 15, 20}, {18, 33, 49}};
  const Array<std::uint8_t> some = dataset->read_as<std::uint8_t>(part);
  for_each_chunk(part.shape(),
                 [&](const Index3& p) { ASSERT_EQ(some(p.z, p.y, p.x), expected(p + part.begin)); });

  const Box shard = dataset->chunk_grid().box_of(Index3{1, 0, 0});
  Array<std::uint8_t> other(shard.shape());
  fill_voxels<std::uint8_t>(other.view(), 9);
  dataset->write<std::uint8_t>(shard, std::as_const(other).view(), Fsync::kNo);
  const Array<std::uint8_t> after = open_dataset(dataset->address())->read_as<std::uint8_t>(spec.domain());
  for_each_chunk(spec.shape, [&](const Index3& p) {
    ASSERT_EQ(after(p.z, p.y, p.x), shard.contains(p) ? 9 : expected(p));
  });
}

TEST(ShardBoxes, AShardInAnothersPlaceIsNoticed) {
  const testing::TemporaryFolder folder;
  const DatasetSpec spec = spec_of({16, 16, 16}, Shape3::cube(4), Shape3::cube(8));
  const auto dataset = create_dataset((folder.path() / "a.precomputed/s0").string(), spec);
  Random random(1);
  const Array<std::uint8_t> voxels = make_voxels(spec.shape, random);
  dataset->write<std::uint8_t>(spec.domain(), voxels.view(), Fsync::kNo);
  std::filesystem::rename(folder.path() / "a.precomputed/s0/0.shard",
                          folder.path() / "a.precomputed/s0/1.shard");
  const Box shard{{0, 0, 8}, {8, 8, 16}};
  for (const Box& box : {shard, Box{{1, 1, 9}, {2, 2, 10}}}) {
    try {
      dataset->read(box);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
      EXPECT_NE(error.message().find("it belongs to"), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace organon::storage
