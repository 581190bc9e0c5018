#include "organon/storage/zarr/consolidated_metadata.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/storage/dataset.h"
#include "organon/storage/json_file.h"
#include "organon/storage/multiscale.h"

namespace organon::storage {
namespace {

using organon::testing::TemporaryFolder;

std::vector<ConsolidatedArray> arrays_of(std::string_view text) {
  return consolidated_arrays_of(parse_json(text, "test"), "test");
}

TEST(Consolidated, Version2ListsArraysByTheirFiles) {
  EXPECT_EQ(arrays_of(R"({"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2},
      "raw/s0/.zarray": {"shape": [4, 5, 6], "dtype": "|u1"}, "raw/s0/.zattrs": {}, "a/.zarray": {"dtype": [["f", "<i4"]]}}})"),
            (std::vector<ConsolidatedArray>{{"a", {}, ""}, {"raw/s0", {4, 5, 6}, "|u1"}}));
}

TEST(Consolidated, Version3ListsArraysAmongNodes) {
  EXPECT_EQ(arrays_of(R"({"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"kind": "inline",
      "must_understand": false, "metadata": {"raw": {"node_type": "group"},
      "raw/s0": {"node_type": "array", "shape": [4, 5], "data_type": "uint16"}, "x": 3}}})"),
            (std::vector<ConsolidatedArray>{{"raw/s0", {4, 5}, "uint16"}}));
}

TEST(Consolidated, HostilePathsAreLeftOutAndHostileFormsRefused) {
  EXPECT_EQ(
      arrays_of(R"({"metadata": {"../x/.zarray": {}, "/x/.zarray": {}, "a/../../x/.zarray": {}, ".zarray": {},
      "/.zarray": {}, "\u001b[2J/.zarray": {}, "x.zarray": {}, "ok/.zarray": {"shape": [-1, 3], "dtype": "\u001b"}}})"),
      (std::vector<ConsolidatedArray>{{"ok", {}, ""}}));
  EXPECT_THROW(arrays_of(R"({"metadata": []})"), Error);
  EXPECT_THROW(arrays_of(R"({"consolidated_metadata": 3})"), Error);
  EXPECT_THROW(arrays_of(R"({"consolidated_metadata": {"metadata": "x"}})"), Error);
  EXPECT_TRUE(arrays_of("{}").empty());
  const TemporaryFolder folder;
  const Place group = parse_address((folder.path() / "a.zarr").string()).place();
  const std::string deep = R"({"metadata":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}";
  group.store->write((group / ".zmetadata").key, std::as_bytes(std::span(deep)), Fsync::kNo);
  EXPECT_THROW(read_consolidated_arrays(group), Error);
}

TEST(Consolidated, OfAnotherImplementationIsRead) {
  constexpr const char* kFolder = "interop/neuroglancer/testdata/datasource/zarr";
  ORGANON_REQUIRE_DATA(kFolder);
  const auto root = organon::testing::data_folder() / kFolder;
  const auto place = [&](const char* name) { return parse_address((root / name).string()).place(); };
  const auto old = read_consolidated_arrays(place("zarr_v2/from_zarr-python/data.zarr"));
  EXPECT_NE(std::ranges::find(old, ConsolidatedArray{"1d.chunked.i2", {4}, "<i2"}), old.end());
  const auto nested = read_consolidated_arrays(place("ome_zarr/simple_0.5"));
  ASSERT_EQ(nested.size(), 3U);
  EXPECT_EQ(nested[1], (ConsolidatedArray{"scale1/image", {5, 5}, "uint16"}));
}

DatasetSpec small_spec() {
  DatasetSpec spec;
  spec.shape = {4, 4, 4};
  spec.chunk_shape = {4, 4, 4};
  return spec;
}

// Every way in which organon changes metadata below a group.
TEST(Consolidated, StaleCopiesGoAwayWithEachChange) {
  for (const char* prefix : {"zarr://", "zarr3://"}) {
    SCOPED_TRACE(prefix);
    const TemporaryFolder folder;
    const std::string root = (folder.path() / "a.zarr").string();
    const auto make = [&](const std::string& path) {
      return create_dataset(prefix + root + "/" + path, small_spec());
    };
    const auto first = make("raw/s0");
    const std::vector<std::string> groups = {root, root + "/raw"};
    const bool is_v3 = std::string(prefix) == "zarr3://";
    const auto consolidate = [&] {
      for (const std::string& group : groups) {
        const Place place = parse_address(group).place();
        if (!is_v3) {
          write_json(place / ".zmetadata", {{"metadata", Json::object()}});
          continue;
        }
        Json node = *read_json_object(place / "zarr.json");
        node[kConsolidatedKey] = {{"metadata", Json::object()}};
        write_json(place / "zarr.json", node);
      }
    };
    const auto has_copy = [&](const std::string& group) {
      const Place place = parse_address(group).place();
      if (!is_v3) return (place / ".zmetadata").exists();
      return read_json_object(place / "zarr.json")->contains(kConsolidatedKey);
    };
    consolidate();
    make("raw/s1");
    EXPECT_FALSE(has_copy(groups[0]) || has_copy(groups[1]));
    consolidate();
    first->set_attributes({{"role", "raw"}});
    EXPECT_FALSE(has_copy(groups[0]) || has_copy(groups[1]));
    consolidate();
    write_multiscale_metadata(root + "/raw");
    EXPECT_FALSE(has_copy(groups[0]) || has_copy(groups[1]));
    consolidate();
    make("other");
    EXPECT_FALSE(has_copy(groups[0]));
    EXPECT_TRUE(has_copy(groups[1]));  // it does not speak of what changed
    // Reading and opening what is there change nothing.
    consolidate();
    make("raw/s0");
    open_multiscale(root + "/raw");
    EXPECT_TRUE(has_copy(groups[0]) && has_copy(groups[1]));
  }
}

}  // namespace
}  // namespace organon::storage
