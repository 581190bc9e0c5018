#include "organon/storage/precomputed/annotation_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/codecs/gzip.h"

namespace organon::storage {
namespace {

using Bytes = std::vector<std::byte>;

Json json_in(const FilesByName& files, const std::string& name) {
  const Bytes& bytes = files.at(name);
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
}

// A reader made from the format's description alone; numbers as they come.
class Decoder {
 public:
  explicit Decoder(const Json& info) : info_(info) {
    std::string kind = info["annotation_type"];
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](char c) { return static_cast<char>(std::tolower(c)); });
    num_coordinates_ = kind == "point" ? 3 : 6;
    if (kind == "polyline") throw std::runtime_error(kind);
  }

  struct Decoded {
    std::vector<double> coordinates;
    std::map<std::string, std::vector<double>> properties;
    std::vector<std::vector<std::uint64_t>> related;
    friend bool operator==(const Decoded&, const Decoded&) = default;
  };

  Decoded single(const Bytes& bytes) {
    start(bytes);
    Decoded result = common();
    for (std::size_t i = 0; i < info_["relationships"].size(); ++i) {
      auto& segments = result.related.emplace_back(take<std::uint32_t>());
      for (std::uint64_t& segment : segments) segment = take<std::uint64_t>();
    }
    EXPECT_EQ(at_, bytes.size());
    return result;
  }

  std::vector<std::pair<std::uint64_t, Decoded>> list(const Bytes& bytes) {
    start(bytes);
    std::vector<std::pair<std::uint64_t, Decoded>> result(take<std::uint64_t>());
    for (auto& [id, decoded] : result) decoded = common();
    for (auto& [id, decoded] : result) id = take<std::uint64_t>();
    EXPECT_EQ(at_, bytes.size());
    return result;
  }

 private:
  void start(const Bytes& bytes) {
    bytes_ = &bytes;
    at_ = 0;
  }
  template <class T>
  T take() {
    T value;
    if (at_ + sizeof(T) > bytes_->size()) throw std::runtime_error("ends early");
    std::memcpy(&value, bytes_->data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  Decoded common() {
    Decoded result;
    const std::size_t begin = at_;
    for (int i = 0; i < num_coordinates_; ++i)
      result.coordinates.push_back(static_cast<double>(take<float>()));
    const auto of_bytes = [&](const std::set<std::string>& types) {
      for (const Json& property : info_["properties"]) {
        const std::string type = property["type"];
        if (!types.contains(type)) continue;
        auto& values = result.properties[property["id"]];
        const int count = type == "rgb" ? 3 : type == "rgba" ? 4 : 1;
        for (int c = 0; c < count; ++c) {
          if (type == "uint32") values.push_back(take<std::uint32_t>());
          if (type == "int32") values.push_back(take<std::int32_t>());
          if (type == "float32") values.push_back(static_cast<double>(take<float>()));
          if (type == "uint16") values.push_back(take<std::uint16_t>());
          if (type == "int16") values.push_back(take<std::int16_t>());
          if (type == "int8") values.push_back(take<std::int8_t>());
          if (type == "uint8" || type == "rgb" || type == "rgba") values.push_back(take<std::uint8_t>());
        }
      }
    };
    of_bytes({"uint32", "int32", "float32"});
    of_bytes({"uint16", "int16"});
    of_bytes({"uint8", "int8", "rgb", "rgba"});
    while ((at_ - begin) % 4 != 0) EXPECT_EQ(take<std::uint8_t>(), 0);
    return result;
  }

  Json info_;
  int num_coordinates_ = 0;
  const Bytes* bytes_ = nullptr;
  std::size_t at_ = 0;
};

// All values of an index by id, whether in shards or not.
std::map<std::uint64_t, Bytes> values_of(const FilesByName& files, const Json& entry) {
  const std::string prefix = std::string(entry["key"]) + "/";
  std::map<std::uint64_t, Bytes> values;
  for (const auto& [name, bytes] : files) {
    if (!name.starts_with(prefix)) continue;
    if (!entry.contains("sharding")) {
      values[std::stoull(name.substr(prefix.size()))] = bytes;
      continue;
    }
    const VolumeSharding sharding = parse_volume_sharding(entry["sharding"], name);
    for (std::uint64_t minishard = 0; minishard < std::uint64_t{1} << sharding.minishard_bits; ++minishard) {
      const auto range = minishard_index_range(sharding, std::span(bytes).subspan(16 * minishard, 16));
      if (!range) continue;
      const auto index = std::span(bytes).subspan(range->begin, range->end - range->begin);
      for (const auto& [id, value] : decode_minishard_index(sharding, index)) {
        EXPECT_EQ(prefix + shard_name(sharding, place_in_shards(sharding, id).shard), name);
        EXPECT_EQ(place_in_shards(sharding, id).minishard, minishard);
        const auto stored = std::span(bytes).subspan(value.begin, value.end - value.begin);
        values[id] = decode_shard_value(sharding, {stored.begin(), stored.end()}, 1 << 24);
      }
    }
  }
  return values;
}

const std::vector<AnnotationProperty> kProperties = {
    {"colour", AnnotationPropertyType::kRgb, "", {}, {}},
    {"kind", AnnotationPropertyType::kUint8, "", {1, 2}, {"contact", "pore"}},
    {"shift", AnnotationPropertyType::kInt16, "", {}, {}},
    {"area_nm2", AnnotationPropertyType::kFloat32, "", {}, {}},
    {"count", AnnotationPropertyType::kInt32, "", {}, {}},
    {"glow", AnnotationPropertyType::kRgba, "", {}, {}}};

// The numbers of testdata/make_annotations.py.
AnnotationCollection known_collection(AnnotationShape shape) {
  AnnotationCollection collection;
  collection.shape = shape;
  collection.properties = kProperties;
  collection.relationships = {"er", "mito"};
  for (int i = 0; i < 4; ++i) {
    Annotation annotation;
    annotation.id = static_cast<std::uint64_t>(i) * 1000003 + 7;
    annotation.first = {7, 200.25 * i, 100.5 + i};
    annotation.second = {1000.0 - i, 40.0 + i, 3};
    annotation.values = {1.0 * i, 200, 255, 1.0 + i % 2, -300.0 * i, 0.1 * i, i - 2e9, 1, 2, 3, 1.0 * i};
    annotation.related = {{11, 12 + static_cast<std::uint64_t>(i)}, {}};
    if (i % 2 == 1) annotation.related[1] = {99};
    collection.annotations.push_back(annotation);
  }
  return collection;
}

const std::pair<AnnotationShape, const char*> kKnown[] = {
    {AnnotationShape::kPoint, "point"},
    {AnnotationShape::kLine, "line"},
    {AnnotationShape::kBox, "axis_aligned_bounding_box"},
    {AnnotationShape::kEllipsoid, "ellipsoid"}};

TEST(AnnotationFormat, BytesAreThoseOfNeuroglancersWriter) {
  for (const auto& [shape, name] : kKnown) {
    const auto folder = std::filesystem::path(ORGANON_SOURCE_FOLDER) /
                        "src/organon/storage/precomputed/testdata/annotations" / name;
    const FilesByName files = files_of_annotations(known_collection(shape), {.is_sharded = false});
    FilesByName theirs;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::string relative = entry.path().lexically_relative(folder).generic_string();
      if (relative.starts_with("rel_")) relative = relative.substr(4);
      theirs[relative] = *read_file_if_exists(entry.path());
    }
    ASSERT_EQ(files.size(), theirs.size());
    const Json info = json_in(files, "info");
    const Json their_info = json_in(theirs, "info");
    for (const auto& [file, bytes] : theirs) {
      if (file == "info") continue;
      if (file != "spatial0/0_0_0") {
        EXPECT_EQ(files.at(file), bytes) << name << " " << file;
        continue;
      }
      // There the order is random.
      auto ours = Decoder(info).list(files.at(file));
      auto listed = Decoder(their_info).list(bytes);
      const auto by_id = [](const auto& a, const auto& b) { return a.first < b.first; };
      std::sort(ours.begin(), ours.end(), by_id);
      std::sort(listed.begin(), listed.end(), by_id);
      EXPECT_EQ(ours, listed);
    }
    EXPECT_EQ(info["properties"], their_info["properties"]);
    EXPECT_EQ(info["dimensions"], their_info["dimensions"]);
    EXPECT_EQ(info["by_id"], their_info["by_id"]);
    EXPECT_EQ(info["spatial"][0]["grid_shape"], their_info["spatial"][0]["grid_shape"]);
    for (const Json& json : {info, their_info}) EXPECT_EQ(json["relationships"][1]["id"], "mito");
  }
}

AnnotationCollection random_collection(AnnotationShape shape, int count, Random& random) {
  AnnotationCollection collection = known_collection(shape);
  collection.properties.push_back({"size", AnnotationPropertyType::kUint32, "", {}, {}});
  collection.annotations.clear();
  std::set<std::uint64_t> ids;
  const auto number = [&](std::uint64_t below) { return static_cast<double>(random.below(below)); };
  while (static_cast<int>(collection.annotations.size()) < count) {
    Annotation annotation;
    annotation.id = random.next();
    if (!ids.insert(annotation.id).second) continue;
    annotation.first = {number(500), number(20000) / 4, number(9000)};
    annotation.second =
        shape == AnnotationShape::kPoint ? PointNm{} : PointNm{number(40), number(300), number(100)};
    annotation.values = {number(256),
                         number(256),
                         number(256),
                         number(256),
                         number(65536) - 32768,
                         number(1000) / 8,
                         number(std::uint64_t{1} << 32) - 2147483648,
                         number(256),
                         number(256),
                         number(256),
                         number(256)};
    annotation.values.push_back(number(std::uint64_t{1} << 32));
    annotation.related.resize(2);
    for (auto& segments : annotation.related)
      for (std::uint64_t i = random.below(3); i > 0; --i) segments.push_back(i * 7 + random.below(6));
    collection.annotations.push_back(annotation);
  }
  return collection;
}

// Every index holds what it should, by a reader that knows the format alone.
TEST(AnnotationFormat, EveryIndexHoldsWhatWasGiven) {
  Random random(12);
  for (const auto& [shape, name] : kKnown) {
    for (const bool is_sharded : {false, true}) {
      const AnnotationCollection collection = random_collection(shape, 300, random);
      const FilesByName files =
          files_of_annotations(collection, {.most_per_cell = 20, .is_sharded = is_sharded});
      const Json info = json_in(files, "info");
      Decoder decoder(info);
      std::map<std::uint64_t, Decoder::Decoded> expected;
      for (const Annotation& a : collection.annotations) {
        Decoder::Decoded& e = expected[a.id];
        e.coordinates = {a.first.x, a.first.y, a.first.z};
        if (shape != AnnotationShape::kPoint)
          e.coordinates.insert(e.coordinates.end(), {a.second.x, a.second.y, a.second.z});
        e.properties = {{"colour", {a.values[0], a.values[1], a.values[2]}},
                        {"kind", {a.values[3]}},
                        {"shift", {a.values[4]}},
                        {"area_nm2", {a.values[5]}},
                        {"count", {a.values[6]}},
                        {"glow", {a.values[7], a.values[8], a.values[9], a.values[10]}},
                        {"size", {a.values[11]}}};
        e.related = a.related;
      }
      const auto by_id = values_of(files, info["by_id"]);
      ASSERT_EQ(by_id.size(), expected.size());
      for (const auto& [id, bytes] : by_id) EXPECT_EQ(decoder.single(bytes), expected.at(id));

      for (std::size_t i = 0; i < 2; ++i) {
        std::map<std::uint64_t, std::set<std::uint64_t>> found, wanted;
        for (const auto& [segment, bytes] : values_of(files, info["relationships"][i])) {
          for (const auto& [id, decoded] : decoder.list(bytes)) {
            EXPECT_EQ(decoded.coordinates, expected.at(id).coordinates);
            EXPECT_EQ(decoded.properties, expected.at(id).properties);
            found[segment].insert(id);
          }
        }
        for (const Annotation& a : collection.annotations)
          for (const std::uint64_t segment : a.related[i]) wanted[segment].insert(a.id);
        EXPECT_EQ(found, wanted);
      }

      std::set<std::uint64_t> seen;
      EXPECT_GT(info["spatial"].size(), 2U);
      for (const Json& level : info["spatial"]) {
        std::map<std::string, Bytes> cells;
        if (is_sharded) {
          for (const auto& [code, bytes] : values_of(files, level)) cells[std::to_string(code)] = bytes;
        } else {
          for (const auto& [file, bytes] : files)
            if (file.starts_with(std::string(level["key"]) + "/")) cells[file] = bytes;
        }
        std::set<std::uint64_t> here;
        for (const auto& [cell, bytes] : cells) {
          const auto list = decoder.list(bytes);
          EXPECT_LE(list.size(), level["limit"].get<std::size_t>());
          for (const auto& [id, decoded] : list) {
            EXPECT_EQ(decoded.coordinates, expected.at(id).coordinates);
            EXPECT_EQ(decoded.properties, expected.at(id).properties);
            EXPECT_FALSE(seen.contains(id));
            here.insert(id);
          }
        }
        seen.insert(here.begin(), here.end());
      }
      EXPECT_EQ(seen.size(), expected.size());
    }
  }
}

TEST(AnnotationFormat, CellsAreNamedByTheirPlace) {
  AnnotationCollection collection;
  for (std::uint64_t i = 0; i < 64; ++i) {
    const auto along = [&](std::uint64_t step) { return static_cast<double>(i / step % 4) + 0.5; };
    collection.annotations.push_back({i, {along(16), along(4), along(1)}, {}, {}, {}});
  }
  const FilesByName files = files_of_annotations(collection, {.most_per_cell = 1, .is_sharded = false});
  const Json info = json_in(files, "info");
  EXPECT_EQ(info["lower_bound"], (Json{0.0, 0.0, 0.0}));
  EXPECT_EQ(info["upper_bound"], (Json{4.0, 4.0, 4.0}));
  const Json& level = info["spatial"][2];
  EXPECT_EQ(level["grid_shape"], (Json{4, 4, 4}));
  EXPECT_EQ(level["chunk_size"], (Json{1.0, 1.0, 1.0}));
  for (const auto& [id, decoded] : Decoder(info).list(files.at("spatial2/3_1_2")))
    EXPECT_EQ(decoded.coordinates, (std::vector<double>{3.5, 1.5, 2.5}));
}

TEST(AnnotationFormat, TheSameCollectionMakesTheSameFiles) {
  Random random(3);
  const AnnotationCollection collection = random_collection(AnnotationShape::kLine, 50, random);
  EXPECT_EQ(files_of_annotations(collection), files_of_annotations(collection));
  EXPECT_EQ(json_in(files_of_annotations({}), "info")["spatial"].size(), 1U);
}

TEST(AnnotationFormat, WhatItCannotHoldIsRefused) {
  using Collection = AnnotationCollection;
  const std::vector<std::pair<std::function<void(Collection&)>, std::string>> changes = {
      {[](Collection& c) { c.annotations[1].id = 7; }, "annotation 7: annotations: its id is there twice"},
      {[](Collection& c) { c.annotations[1].first.y = std::numeric_limits<double>::quiet_NaN(); }, "1000010"},
      {[](Collection& c) { c.annotations[1].first.y = 1e13; }, "2^40"},
      {[](Collection& c) { c.annotations[1].second.z = -1; }, "radius"},
      {[](Collection& c) { c.annotations[1].values.pop_back(); }, "10 values"},
      {[](Collection& c) { c.annotations[1].values[0] = 256; }, "colour"},
      {[](Collection& c) { c.annotations[1].values[4] = 0.5; }, "shift"},
      {[](Collection& c) { c.annotations[1].related.pop_back(); }, "related"},
      {[](Collection& c) { c.annotations[1].related[0] = {0}; }, "background"},
      {[](Collection& c) {
         c.annotations[1].related[0] = {4, 4};
       },
       "twice"},
      {[](Collection& c) { c.properties[1].id = "Kind"; }, "small letter"},
      {[](Collection& c) { c.properties[1].id = "shift"; }, "twice"},
      {[](Collection& c) { c.properties[1].enum_labels.pop_back(); }, "labels"},
      {[](Collection& c) { c.properties[1].enum_values[0] = 300; }, "kind"},
      {[](Collection& c) {
         c.properties[0] = {"colour", AnnotationPropertyType::kRgb, "", {1}, {"a"}};
       },
       "colour"},
      {[](Collection& c) { c.relationships[0] = "../er"; }, "folder"},
      {[](Collection& c) { c.relationships[0] = "spatial0"; }, "folder"},
      {[](Collection& c) { c.relationships[0] = "by_id"; }, "twice"}};
  for (const auto& [change, word] : changes) {
    Collection collection = known_collection(AnnotationShape::kEllipsoid);
    change(collection);
    try {
      files_of_annotations(collection);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.message().find(word), std::string::npos) << error.message();
    }
  }
  EXPECT_THROW(files_of_annotations({}, {.most_per_cell = 0}), Error);
}

// The twin of this test reads a collection of a whole cortex (H01), so that it is no twin of our writer
// alone.
TEST(AnnotationFormat, TheDecoderReadsACollectionOfOthers) {
  ORGANON_REQUIRE_DATA("interop/cloud-volume/test/test_precomputed_annotation");
  const auto folder =
      organon::testing::data_folder() / "interop/cloud-volume/test/test_precomputed_annotation";
  const auto unpacked = [&](const std::string& name) {
    return decode_gzip_of_unknown_size(*read_file_if_exists(folder / name), 1 << 24);
  };
  const FilesByName files = {{"info", *read_file_if_exists(folder / "info")}};
  Decoder decoder(json_in(files, "info"));
  const auto single = decoder.single(unpacked("by_id/3867588737.gz"));
  const auto cell = decoder.list(unpacked("spatial0/0_0_0.gz"));
  EXPECT_GT(cell.size(), 5000U);
  ASSERT_EQ(single.related.size(), 1U);
  EXPECT_EQ(single.related[0], std::vector<std::uint64_t>{4781447896});
  EXPECT_EQ(single.coordinates, (std::vector<double>{1937760, 1318752, 96921}));
  const auto of_segment = decoder.list(unpacked("skeleton_id/243895108.gz"));
  EXPECT_EQ(of_segment.size(), 4U);
  const Json info = json_in(files, "info");
  for (const auto& list : {cell, of_segment}) {
    for (const auto& [id, decoded] : list) {
      for (std::size_t axis = 0; axis < 3; ++axis) {
        EXPECT_GE(decoded.coordinates[axis], info["lower_bound"][axis].get<double>());
        EXPECT_LE(decoded.coordinates[axis], info["upper_bound"][axis].get<double>());
      }
      const Json& kinds = info["properties"][0]["enum_values"];
      EXPECT_NE(std::find(kinds.begin(), kinds.end(), Json(decoded.properties.at("class_label")[0])),
                kinds.end());
    }
  }
}

}  // namespace
}  // namespace organon::storage
