#include "organon/storage/precomputed/skeleton_format.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"

namespace organon::storage {
namespace {

// A reader made from the format's description alone.
struct Reader {
  std::span<const std::byte> bytes;
  std::size_t at = 0;

  template <class T>
  T take() {
    T value;
    if (at + sizeof(T) > bytes.size()) throw std::runtime_error("ends early");
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    at += sizeof(T);
    return value;
  }
};

Skeleton decode(std::span<const std::byte> bytes, const std::vector<SkeletonAttribute>& attributes) {
  Reader reader{bytes};
  Skeleton skeleton;
  skeleton.vertices.resize(reader.take<std::uint32_t>());
  skeleton.edges.resize(reader.take<std::uint32_t>());
  for (PointNm& vertex : skeleton.vertices) {
    vertex.x = static_cast<double>(reader.take<float>());
    vertex.y = static_cast<double>(reader.take<float>());
    vertex.z = static_cast<double>(reader.take<float>());
  }
  for (auto& edge : skeleton.edges)
    for (std::uint32_t& vertex : edge) vertex = reader.take<std::uint32_t>();
  for (const SkeletonAttribute& attribute : attributes) {
    std::vector<double>& values = skeleton.attributes.emplace_back();
    for (std::size_t i = 0; i < skeleton.vertices.size() * static_cast<std::size_t>(attribute.num_components);
         ++i)
      dispatch(attribute.data_type,
               [&](auto zero) { values.push_back(static_cast<double>(reader.take<decltype(zero)>())); });
  }
  EXPECT_EQ(reader.at, bytes.size());
  return skeleton;
}

void expect_equal(const Skeleton& a, const Skeleton& b) {
  EXPECT_EQ(a.vertices, b.vertices);
  EXPECT_EQ(a.edges, b.edges);
  EXPECT_EQ(a.attributes, b.attributes);
}

const std::vector<SkeletonAttribute> kAttributes = {
    {"radius", DataType::kFloat32, 1}, {"kind", DataType::kUint8, 1}, {"shift", DataType::kInt16, 3}};

Skeleton random_skeleton(Random& random) {
  Skeleton skeleton;
  const std::uint64_t count = random.below(20);
  const auto number = [&] { return static_cast<double>(random.below(1 << 20)) / 16; };
  for (std::uint64_t i = 0; i < count; ++i) skeleton.vertices.push_back({number(), number(), number()});
  for (std::uint64_t i = 1; i < count; ++i)
    skeleton.edges.push_back({static_cast<std::uint32_t>(random.below(i)), static_cast<std::uint32_t>(i)});
  skeleton.attributes.resize(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    skeleton.attributes[0].push_back(number());
    skeleton.attributes[1].push_back(static_cast<double>(random.below(256)));
    for (int c = 0; c < 3; ++c)
      skeleton.attributes[2].push_back(static_cast<double>(random.below(65536)) - 32768);
  }
  return skeleton;
}

TEST(SkeletonFormat, BytesDecodeToWhatWasEncoded) {
  Random random(8);
  for (int round = 0; round < 50; ++round) {
    const Skeleton skeleton = random_skeleton(random);
    expect_equal(decode(encode_skeleton(skeleton, kAttributes), kAttributes), skeleton);
  }
}

// testdata/make_skeleton.py.
TEST(SkeletonFormat, BytesAreThoseOfCloudVolume) {
  Skeleton skeleton;
  for (int i = 0; i < 6; ++i) skeleton.vertices.push_back({1.0 * i * i, 3.0 - i, 10 * i + 0.5});
  skeleton.edges = {{0, 1}, {1, 2}, {2, 3}, {1, 4}, {4, 5}};
  skeleton.attributes = {{0, 0.25, 0.5, 0.75, 1, 1.25}, {1, 2, 3, 2, 1, 255}};
  const std::vector<SkeletonAttribute> attributes = {{"radius", DataType::kFloat32, 1},
                                                     {"vertex_types", DataType::kUint8, 1}};
  const auto expected = read_file_if_exists(std::filesystem::path(ORGANON_SOURCE_FOLDER) /
                                            "src/organon/storage/precomputed/testdata/skeleton");
  EXPECT_EQ(encode_skeleton(skeleton, attributes), expected);
}

TEST(SkeletonFormat, InfoSaysWhatIsStored) {
  SkeletonsInfo info;
  info.attributes = kAttributes;
  info.segment_properties = "../segment_properties";
  info.sharding = sharding_of_ids(5000, 1 << 20);
  const Json json = skeletons_info_of(info);
  EXPECT_EQ(json["@type"], "neuroglancer_skeletons");
  EXPECT_EQ(json["transform"], (Json{1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0}));
  EXPECT_EQ(json["vertex_attributes"][2],
            (Json{{"id", "shift"}, {"data_type", "int16"}, {"num_components", 3}}));
  EXPECT_EQ(json["segment_properties"], "../segment_properties");
  EXPECT_EQ(parse_volume_sharding(json["sharding"], "info"), *info.sharding);
  EXPECT_FALSE(skeletons_info_of({}).contains("sharding"));
}

TEST(SkeletonFormat, FilesHoldEverySegmentWithShardsAndWithout) {
  Random random(9);
  std::map<std::uint64_t, Skeleton> skeletons;
  while (skeletons.size() < 300)
    skeletons[1 + random.below(std::uint64_t{1} << 50)] = random_skeleton(random);
  SkeletonsInfo info;
  info.attributes = kAttributes;
  const FilesByName plain = files_of_skeletons(info, skeletons);
  EXPECT_EQ(plain.size(), 301U);
  info.sharding = VolumeSharding{.preshift_bits = 1,
                                 .hashes_ids = true,
                                 .minishard_bits = 2,
                                 .shard_bits = 3,
                                 .has_gzip_index = true,
                                 .has_gzip_data = true};
  const FilesByName sharded = files_of_skeletons(info, skeletons);
  EXPECT_EQ(sharded.size(), 9U);
  for (const auto& [segment, skeleton] : skeletons) {
    expect_equal(decode(plain.at(std::to_string(segment)), kAttributes), skeleton);
    const auto& shard =
        sharded.at(shard_name(*info.sharding, place_in_shards(*info.sharding, segment).shard));
    VolumeShardReader reader(*info.sharding, shard);
    const auto stored = reader.find(segment);
    ASSERT_TRUE(stored);
    const auto bytes = decode_shard_value(*info.sharding, {stored->begin(), stored->end()}, 1 << 20);
    expect_equal(decode(bytes, kAttributes), skeleton);
  }
}

TEST(SkeletonFormat, ShardsSuitTheNumberOfValues) {
  EXPECT_EQ(sharding_of_ids(0, 0).shard_bits, 0);
  EXPECT_EQ(sharding_of_ids(1000, 1000).minishard_bits, 0);
  EXPECT_EQ(sharding_of_ids(4000, 1000).minishard_bits, 2);
  EXPECT_EQ(sharding_of_ids(4000, std::uint64_t{3} << 30).shard_bits, 2);
  const VolumeSharding many = sharding_of_ids(std::uint64_t{1} << 22, 1);
  EXPECT_EQ(many.minishard_bits, 9);
  EXPECT_EQ(many.shard_bits, 3);
}

template <class Call>
void expect_refused(Call call, const std::string& word) {
  try {
    call();
    ADD_FAILURE() << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
  }
}

TEST(SkeletonFormat, WhatItCannotHoldIsRefused) {
  const std::vector<SkeletonAttribute> one = {{"kind", DataType::kUint8, 1}};
  const Skeleton good{{{1, 2, 3}, {4, 5, 6}}, {{0, 1}}, {{7, 8}}};
  EXPECT_NO_THROW(encode_skeleton(good, one));
  Skeleton bad = good;
  bad.edges[0][1] = 2;
  expect_refused([&] { encode_skeleton(bad, one); }, "vertex 2");
  for (const double number :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e39}) {
    bad = good;
    bad.vertices[1].y = number;
    expect_refused([&] { encode_skeleton(bad, one); }, "float32");
  }
  for (const double number : {256.0, -1.0, 0.5}) {
    bad = good;
    bad.attributes[0][1] = number;
    expect_refused([&] { encode_skeleton(bad, one); }, "uint8");
  }
  bad = good;
  bad.attributes[0].pop_back();
  expect_refused([&] { encode_skeleton(bad, one); }, "1 values");
  expect_refused([&] { encode_skeleton(good, {}); }, "attributes");
  expect_refused([&] { files_of_skeletons({.attributes = one}, {{0, good}}); }, "background");
  expect_refused([&] { files_of_skeletons({.attributes = one}, {{4, bad}}); }, "segment 4");
  for (const SkeletonAttribute& attribute :
       {SkeletonAttribute{"", DataType::kUint8, 1}, SkeletonAttribute{"a b", DataType::kUint8, 1},
        SkeletonAttribute{"a", DataType::kUint64, 1}, SkeletonAttribute{"a", DataType::kUint8, 0}})
    expect_refused([&] { skeletons_info_of({.attributes = {attribute}}); }, "attribute");
  expect_refused([&] { skeletons_info_of({.attributes = {one[0], one[0]}}); }, "twice");
}

// A neuron of the hemibrain with thousands of nodes.
TEST(SkeletonFormat, ARealNeuron) {
  ORGANON_REQUIRE_DATA("meshes-skeletons/hemibrain-neuron/722817260.swc");
  const auto bytes = read_file_if_exists(organon::testing::data_folder() /
                                         "meshes-skeletons/hemibrain-neuron/722817260.swc");
  std::istringstream text(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  Skeleton skeleton;
  skeleton.attributes.resize(1);
  std::map<std::int64_t, std::uint32_t> number_of;
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    std::int64_t id = 0, kind = 0, parent = 0;
    double x = 0, y = 0, z = 0, radius = 0;
    fields >> id >> kind >> x >> y >> z >> radius >> parent;
    ASSERT_TRUE(fields) << line;
    const auto number = static_cast<std::uint32_t>(skeleton.vertices.size());
    number_of[id] = number;
    const auto as_float = [](double value) { return static_cast<double>(static_cast<float>(value)); };
    skeleton.vertices.push_back({as_float(8 * z), as_float(8 * y), as_float(8 * x)});
    skeleton.attributes[0].push_back(as_float(8 * radius));
    if (parent >= 0) skeleton.edges.push_back({number_of.at(parent), number});
  }
  EXPECT_GT(skeleton.vertices.size(), 1000U);
  const std::vector<SkeletonAttribute> radius = {{"radius", DataType::kFloat32, 1}};
  expect_equal(decode(encode_skeleton(skeleton, radius), radius), skeleton);
}

}  // namespace
}  // namespace organon::storage
