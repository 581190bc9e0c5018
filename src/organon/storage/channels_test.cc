#include "organon/storage/channels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/codecs/crc32c.h"
#include "organon/storage/dataset.h"
#include "organon/storage/multiscale.h"

namespace organon::storage {
namespace {

using organon::testing::TemporaryFolder;
using Extents = std::vector<std::int64_t>;

// Calls use(position) for all places in an array of `shape`, the last axis fastest.
void for_each_place(const Extents& shape, const std::function<void(const Extents&)>& use) {
  Extents position(shape.size(), 0);
  for (;;) {
    use(position);
    std::size_t axis = shape.size();
    while (axis > 0 && ++position[axis - 1] == shape[axis - 1]) position[--axis] = 0;
    if (axis == 0) return;
  }
}

std::uint16_t value_at(const Extents& place) {
  std::uint64_t hash = 1469598103934665603U;
  for (const std::int64_t i : place) hash = (hash ^ static_cast<std::uint64_t>(i + 7)) * 1099511628211U;
  return static_cast<std::uint16_t>(hash >> 20 | 1);
}

// An array of more than three axes, its chunks made voxel by voxel as the formats' specifications say.
struct ForeignArray {
  Extents shape;
  Extents chunk;

  std::size_t num_axes() const { return shape.size(); }
  Extents num_chunks() const {
    Extents counts;
    for (std::size_t axis = 0; axis < num_axes(); ++axis)
      counts.push_back((shape[axis] + chunk[axis] - 1) / chunk[axis]);
    return counts;
  }
  // Bytes of a box: of voxels outside the array zeros, which leave their place.
  std::vector<std::byte> bytes_of(const Extents& begin, const Extents& extents, bool is_fortran_order,
                                  bool is_big_endian) const {
    std::vector<std::byte> bytes;
    Extents order = extents;
    if (is_fortran_order) std::reverse(order.begin(), order.end());
    for_each_place(order, [&](Extents place) {
      if (is_fortran_order) std::reverse(place.begin(), place.end());
      bool is_inside = true;
      for (std::size_t axis = 0; axis < num_axes(); ++axis) {
        place[axis] += begin[axis];
        is_inside = is_inside && place[axis] < shape[axis];
      }
      const std::uint16_t value = is_inside ? value_at(place) : 0;
      const auto low = static_cast<std::byte>(value & 0xff);
      const auto high = static_cast<std::byte>(value >> 8);
      bytes.push_back(is_big_endian ? high : low);
      bytes.push_back(is_big_endian ? low : high);
    });
    return bytes;
  }
  Extents begin_of(const Extents& chunk_position) const {
    Extents begin = chunk_position;
    for (std::size_t axis = 0; axis < num_axes(); ++axis) begin[axis] *= chunk[axis];
    return begin;
  }
  void expect_channels_in(const std::string& address) const {
    const Extents channels(shape.begin(), shape.end() - 3);
    std::int64_t number = 0;
    for_each_place(channels, [&](const Extents& channel) {
      const auto dataset = open_dataset(fmt::format("{}#{}", address, number++));
      ASSERT_EQ(dataset->spec().shape, (Shape3{*(shape.end() - 3), *(shape.end() - 2), shape.back()}));
      const auto check = [&](const Box& box) {
        const Array<std::uint16_t> voxels = dataset->read_as<std::uint16_t>(box);
        for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
          for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
            for (std::int64_t x = box.begin.x; x < box.end.x; ++x) {
              Extents place = channel;
              place.insert(place.end(), {z, y, x});
              ASSERT_EQ(voxels.view()(z - box.begin.z, y - box.begin.y, x - box.begin.x), value_at(place))
                  << address << " channel " << number - 1 << " at " << z << "," << y << "," << x;
            }
          }
        }
      };
      check(dataset->spec().domain());
      check({{1, 2, 3}, {2, 4, 5}});
      for (std::int64_t id = 0; id < dataset->chunk_grid().count(); ++id)
        check(dataset->chunk_grid().box_of(id));
    });
  }
};

const ForeignArray kFourAxes{{5, 6, 7, 8}, {2, 4, 3, 8}};
const ForeignArray kFiveAxes{{2, 3, 5, 6, 7}, {1, 2, 4, 4, 5}};
const ForeignArray kOneInChunk{{3, 5, 6, 7}, {1, 4, 4, 5}};

void write_bytes(const std::filesystem::path& file, const std::vector<std::byte>& bytes) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, bytes, Fsync::kNo);
}

std::string joined(const Extents& numbers, std::string_view separator) {
  return fmt::format("{}", fmt::join(numbers, separator));
}

TEST(Channels, OfZarr2InBothOrders) {
  for (const ForeignArray& array : {kFourAxes, kFiveAxes, kOneInChunk}) {
    for (const bool is_fortran_order : {false, true}) {
      const TemporaryFolder folder;
      const auto path = folder.path() / "a.zarr/raw";
      write_text_atomically(
          path / ".zarray",
          fmt::format(R"({{"zarr_format":2,"shape":[{}],"chunks":[{}],"dtype":">u2","compressor":null,
                               "fill_value":0,"filters":null,"order":"{}","dimension_separator":"."}})",
                      joined(array.shape, ","), joined(array.chunk, ","), is_fortran_order ? "F" : "C"));
      for_each_place(array.num_chunks(), [&](const Extents& position) {
        write_bytes(path / joined(position, "."),
                    array.bytes_of(array.begin_of(position), array.chunk, is_fortran_order, true));
      });
      array.expect_channels_in(path.string());
    }
  }
}

TEST(Channels, OfN5WithTruncatedBlocks) {
  for (const ForeignArray& array : {kFourAxes, kFiveAxes, kOneInChunk}) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "a.n5/raw";
    Extents shape(array.shape.rbegin(), array.shape.rend());
    Extents chunk(array.chunk.rbegin(), array.chunk.rend());
    write_text_atomically(
        path / "attributes.json",
        fmt::format(
            R"({{"dimensions":[{}],"blockSize":[{}],"dataType":"uint16","compression":{{"type":"raw"}}}})",
            joined(shape, ","), joined(chunk, ",")));
    for_each_place(array.num_chunks(), [&](const Extents& position) {
      const Extents begin = array.begin_of(position);
      Extents extents = array.chunk;
      for (std::size_t axis = 0; axis < extents.size(); ++axis)
        extents[axis] = std::min(extents[axis], array.shape[axis] - begin[axis]);
      std::vector<std::byte> bytes{std::byte{0}, std::byte{0}, std::byte{0},
                                   static_cast<std::byte>(extents.size())};
      for (auto extent = extents.rbegin(); extent != extents.rend(); ++extent)
        bytes.insert(bytes.end(),
                     {std::byte{0}, std::byte{0}, std::byte{0}, static_cast<std::byte>(*extent)});
      const auto voxels = array.bytes_of(begin, extents, false, true);
      bytes.insert(bytes.end(), voxels.begin(), voxels.end());
      write_bytes(path / joined({position.rbegin(), position.rend()}, "/"), bytes);
    });
    array.expect_channels_in(path.string());
  }
}

TEST(Channels, OfZarr3InShards) {
  const ForeignArray array{{4, 7, 8, 10}, {4, 4, 8, 5}};
  for (const Extents& inner :
       {Extents{1, 2, 4, 5}, Extents{2, 2, 8, 5}, Extents{4, 4, 4, 1}, Extents{4, 4, 8, 5}}) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "a.zarr/raw";
    write_text_atomically(
        path / "zarr.json",
        fmt::format(R"({{"zarr_format":3,"node_type":"array","shape":[{}],"data_type":"uint16","fill_value":0,
          "chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":[{}]}}}},
          "chunk_key_encoding":{{"name":"default"}},"codecs":[{{"name":"sharding_indexed","configuration":{{
          "chunk_shape":[{}],"codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}}],
          "index_codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}},{{"name":"crc32c"}}]}}}}]}})",
                    joined(array.shape, ","), joined(array.chunk, ","), joined(inner, ",")));
    const Extents inner_counts = ForeignArray{array.chunk, inner}.num_chunks();
    for_each_place(array.num_chunks(), [&](const Extents& position) {
      std::vector<std::byte> shard;
      std::vector<std::uint64_t> index;
      for_each_place(inner_counts, [&](const Extents& at) {
        Extents begin = array.begin_of(position);
        for (std::size_t axis = 0; axis < begin.size(); ++axis) begin[axis] += at[axis] * inner[axis];
        const auto bytes = array.bytes_of(begin, inner, false, false);
        index.insert(index.end(), {shard.size(), bytes.size()});
        shard.insert(shard.end(), bytes.begin(), bytes.end());
      });
      const auto numbers = std::as_bytes(std::span(index));
      std::vector<std::byte> tail(numbers.begin(), numbers.end());
      append_crc32c(tail, 0);
      shard.insert(shard.end(), tail.begin(), tail.end());
      write_bytes(path / "c" / joined(position, "/"), shard);
    });
    array.expect_channels_in(path.string());
    // All channels of a shard at once, as verify looks at them.
    const auto all = open_dataset(path.string());
    const auto stack = all->read_chunk({0, 0, 0});
    ASSERT_EQ(stack->shape(), (Shape3{4 * 4, 8, 5}));
    for_each_place({4, 4, 8, 5}, [&](const Extents& place) {
      ASSERT_EQ(stack->view<std::uint16_t>()(place[0] * 4 + place[1], place[2], place[3]), value_at(place));
    });
  }
}

TEST(Channels, OfZarr3ThatAreTransposed) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.zarr/raw";
  const auto json = [](const ForeignArray& array) {
    return fmt::format(
        R"({{"zarr_format":3,"node_type":"array","shape":[{}],"data_type":"uint16","fill_value":0,
        "chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":[{}]}}}},"chunk_key_encoding":{{"name":"v2"}},
        "codecs":[{{"name":"transpose","configuration":{{"order":[3,2,1,0]}}}},
        {{"name":"bytes","configuration":{{"endian":"big"}}}}]}})",
        joined(array.shape, ","), joined(array.chunk, ","));
  };
  write_text_atomically(path / "zarr.json", json(kOneInChunk));
  for_each_place(kOneInChunk.num_chunks(), [&](const Extents& position) {
    write_bytes(path / joined(position, "."),
                kOneInChunk.bytes_of(kOneInChunk.begin_of(position), kOneInChunk.chunk, true, true));
  });
  kOneInChunk.expect_channels_in(path.string());
  // Several in one chunk would need another order of channels: refused by name.
  write_text_atomically(path / "zarr.json", json(kFourAxes));
  try {
    open_dataset(path.string() + "#0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_NE(error.message().find("moves the channels"), std::string::npos) << error.message();
  }
}

// Each order counts the axes as the one before left them: these two undo each other.
TEST(Channels, OfZarr3ThatAreTransposedTwice) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.zarr/raw";
  write_text_atomically(
      path / "zarr.json",
      fmt::format(R"({{"zarr_format":3,"node_type":"array","shape":[{}],"data_type":"uint16","fill_value":0,
        "chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":[{}]}}}},"chunk_key_encoding":{{"name":"v2"}},
        "codecs":[{{"name":"transpose","configuration":{{"order":[1,2,3,0]}}}},
        {{"name":"transpose","configuration":{{"order":[3,0,1,2]}}}},
        {{"name":"bytes","configuration":{{"endian":"big"}}}}]}})",
                  joined(kOneInChunk.shape, ","), joined(kOneInChunk.chunk, ",")));
  for_each_place(kOneInChunk.num_chunks(), [&](const Extents& position) {
    write_bytes(path / joined(position, "."),
                kOneInChunk.bytes_of(kOneInChunk.begin_of(position), kOneInChunk.chunk, false, true));
  });
  kOneInChunk.expect_channels_in(path.string());
}

TEST(Channels, AxesInAnotherOrderAreRefused) {
  const TemporaryFolder folder;
  const auto open = [&](const std::string& names) {
    write_text_atomically(
        folder.path() / "a.zarr/.zarray",
        R"({"zarr_format":2,"shape":[4,5,6,7],"chunks":[4,5,6,7],"dtype":"|u1","compressor":null,
                             "fill_value":0,"filters":null,"order":"C"})");
    write_text_atomically(folder.path() / "a.zarr/.zattrs", R"({"_ARRAY_DIMENSIONS":[)" + names + "]}");
    open_dataset((folder.path() / "a.zarr").string() + "#0");
  };
  for (const char* names :
       {R"("c","z","y","x")", R"("a","b","c","d")", R"("c","t","y","x")", R"(null,null,null,"x")"})
    EXPECT_NO_THROW(open(names)) << names;
  for (const char* names :
       {R"("z","y","x","c")", R"("z","c","y","x")", R"("c","x","y","z")", R"("x","","","")"})
    EXPECT_THROW(open(names), Error) << names;
}

TEST(Channels, AFolderOfThatNameIsNoChannel) {
  const TemporaryFolder folder;
  DatasetSpec spec;
  spec.shape = spec.chunk_shape = {4, 4, 4};
  std::filesystem::create_directories(folder.path() / "run#3");
  const std::string address = "n5://" + (folder.path() / "run#3").string();
  create_dataset(address, spec);
  EXPECT_EQ(open_dataset(address)->spec().shape, spec.shape);
  EXPECT_EQ(address_below(address, "s0"), address + "/s0");
}

TEST(Channels, AreWrittenTogetherAndReadAlone) {
  const TemporaryFolder folder;
  DatasetSpec spec;
  spec.shape = {9, 10, 11};
  spec.chunk_shape = {4, 8, 8};
  spec.grid = {{30, 4, 4}, {15, 0, -8}};
  for (const auto& [location, codec, type] :
       {std::tuple{"a.n5/raw", Codec::kGzip, DataType::kUint16},
        std::tuple{"a.zarr/raw", Codec::kBlosc, DataType::kFloat32},
        std::tuple{"zarr3:b.zarr/raw", Codec::kZstd, DataType::kInt16},
        std::tuple{"a.precomputed/s0", Codec::kRaw, DataType::kUint8},
        std::tuple{"l.precomputed/s0", Codec::kCompressedSegmentation, DataType::kUint64}}) {
    spec.codec = codec;
    spec.data_type = type;
    spec.channels.shape = spec.channels.chunk = {3};
    const bool is_zarr3 = std::string_view(location).starts_with("zarr3:");
    const std::string address =
        (is_zarr3 ? "zarr3://" : "") + (folder.path() / (is_zarr3 ? location + 6 : location)).string();
    const auto all = create_dataset(address, spec);
    AnyArray stack(type, stack_of(spec.shape, 3));
    dispatch(type, [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t i = 0; i < stack.view<T>().size(); ++i)
        stack.view<T>().data()[i] = static_cast<T>(i % 120 / 7 + 1);
    });
    all->write(spec.domain(), stack);
    EXPECT_EQ(create_dataset(address, spec)->spec().channels, all->spec().channels);
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      const auto one = open_dataset(fmt::format("{}#{}", address, channel));
      EXPECT_EQ(one->spec().grid, spec.grid);
      const AnyArray voxels = one->read(spec.domain());
      const auto expected = stack.bytes().subspan(static_cast<std::size_t>(channel) * voxels.bytes().size(),
                                                  voxels.bytes().size());
      EXPECT_TRUE(std::ranges::equal(voxels.bytes(), expected)) << address << "#" << channel;
      EXPECT_THROW(one->write(spec.domain(), voxels), Error);
    }
    for (const auto& [bad, word] :
         {std::pair{address, "choose one by #0 to #2"}, {address + "#3", "channels #0 to #2"}}) {
      try {
        open_dataset(bad)->read(spec.domain());
        ADD_FAILURE() << bad;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
        EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
      }
    }
  }
}

TEST(Channels, OfOneAloneNeedNoNumber) {
  const TemporaryFolder folder;
  DatasetSpec spec;
  spec.shape = {4, 5, 6};
  spec.chunk_shape = {4, 4, 4};
  spec.channels.shape = spec.channels.chunk = {1, 1};
  const std::string address = (folder.path() / "a.zarr/raw/s0").string();
  const auto dataset = create_dataset(address, spec);
  AnyArray voxels(DataType::kUint8, spec.shape);
  std::ranges::fill(voxels.bytes(), std::byte{7});
  dataset->write(spec.domain(), voxels);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "a.zarr/raw/s0/0/0/0/1/1"));
  const std::string group = (folder.path() / "a.zarr/raw").string();
  write_multiscale_metadata(group);
  for (const std::string& name : {group, group + "#0"}) {
    const Multiscale pyramid = open_multiscale(name);
    ASSERT_EQ(pyramid.levels.size(), 1U);
    EXPECT_TRUE(std::ranges::equal(pyramid.levels[0]->read(spec.domain()).bytes(), voxels.bytes()));
  }
  EXPECT_NE(read_text(folder.path() / "a.zarr/raw/.zattrs").find(R"("time")"), std::string::npos);
}

TEST(Channels, SuffixOfAddresses) {
  EXPECT_EQ(parse_address("zarr3://s3://b/a.zarr/raw#12").channel, 12);
  EXPECT_EQ(parse_address("zarr3://s3://b/a.zarr/raw#12").path, "a.zarr/raw");
  for (const char* name : {"a#", "a#b", "a#1b", "#1", "a#12345678"}) EXPECT_EQ(without_channel(name), name);
  EXPECT_EQ(address_below("n5://a.n5/raw/#1", "s0"), "n5://a.n5/raw/s0#1");
  EXPECT_EQ(address_below("a", "s0"), "a/s0");
  EXPECT_EQ(address_in("/x", "b#2"), "/x/b#2");
  EXPECT_EQ(absolute_place("b#2"), absolute_place("b"));
}

TEST(Channels, ProblemsAreNamed) {
  EXPECT_EQ(find_channels_problem({}), "");
  EXPECT_EQ(find_channels_problem({{3}, {2}, 2}), "");
  EXPECT_NE(find_channels_problem({{3}, {}, {}}), "");
  EXPECT_NE(find_channels_problem({{0}, {1}, {}}), "");
  EXPECT_NE(find_channels_problem({{3}, {-1}, {}}), "");
  EXPECT_NE(find_channels_problem({{1 << 15, 1 << 15}, {1, 1}, {}}), "");
  EXPECT_NE(find_channels_problem({{3}, {1}, 3}), "");
  EXPECT_NE(find_channels_problem({{1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}, {}}), "");
}

}  // namespace
}  // namespace organon::storage
