#include "organon/stages/refinement/edit_labels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "organon/base/files.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/refinement/label_edits.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{16, 18, 40};
const VoxelGrid kGrid{{8, 4, 4}, {}};

// Four bars along x, of ids 5, 900, 7 and 8, with background between.
Array<std::uint16_t> make_labels() {
  Array<std::uint16_t> labels(kShape);
  const std::vector<std::uint16_t> ids = {5, 900, 7, 8};
  for (std::int64_t z = 1; z < 15; ++z)
    for (std::int64_t y = 0; y < 16; ++y)
      for (std::int64_t x = 2; x < 38; ++x)
        if (y % 4 != 3) labels(z, y, x) = ids[static_cast<std::size_t>(y / 4)];
  return labels;
}

std::string store_labels(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint16;
  spec.grid = kGrid;
  std::string address = "n5://" + (folder / "l.n5" / "labels").string();
  storage::create_dataset(address, spec)
      ->write<std::uint16_t>(spec.domain(), make_labels().view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription description_of(const std::filesystem::path& in, const std::filesystem::path& out,
                                           const std::string& edits, const std::string& options = "{}",
                                           const Shape3& block_shape = {8, 8, 16}) {
  blockwise::StageDescription description;
  description.verb = "edit";
  description.options_json = options;
  description.inputs = {"n5://" + (in / "l.n5" / "labels").string()};
  if (!edits.empty()) {
    write_text_atomically(in / "edits.json", edits, Fsync::kNo);
    description.inputs.push_back((in / "edits.json").string());
  }
  description.outputs = {"n5://" + (out / "out.n5" / "labels").string()};
  description.block_shape = block_shape;
  return description;
}

Array<std::uint64_t> edited(const TemporaryFolder& folder, const std::string& edits,
                            const std::string& options = "{}") {
  store_labels(folder.path());
  const auto description = description_of(folder.path(), folder.path(), edits, options);
  const auto result = blockwise::testing::run_in({make_edit_stage, {}, {}}, description, 2);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  return storage::open_dataset(description.outputs[0])->read_as<std::uint64_t>(Box::of_shape(kShape));
}

// Ids along x through the middle of each bar.
std::map<std::uint64_t, std::int64_t> row_of(const Array<std::uint64_t>& labels, std::int64_t bar) {
  std::map<std::uint64_t, std::int64_t> voxels;
  for (std::int64_t x = 2; x < 38; ++x) ++voxels[labels(8, 4 * bar + 1, x)];
  return voxels;
}
using Row = std::map<std::uint64_t, std::int64_t>;

TEST(EditLabels, WithoutEditsIdsAreMadeConsecutive) {
  const TemporaryFolder folder;
  const auto labels = edited(folder, "");
  for (std::int64_t bar = 0; bar < 4; ++bar)
    EXPECT_EQ(row_of(labels, bar), (Row{{static_cast<std::uint64_t>(bar) + 1, 36}}));
}

TEST(EditLabels, DropsByIdAndByPoint) {
  const TemporaryFolder folder;
  const auto labels = edited(
      folder, R"([{"action": "drop", "ids": [900]}, {"action": "drop", "points_nm": [[64, 52, 100]]}])");
  EXPECT_EQ(row_of(labels, 0), (Row{{1, 36}}));
  EXPECT_EQ(row_of(labels, 1), (Row{{0, 36}}));
  EXPECT_EQ(row_of(labels, 2), (Row{{2, 36}}));
  EXPECT_EQ(row_of(labels, 3), (Row{{0, 36}}));
}

TEST(EditLabels, WhatIsKeptAloneStays) {
  const TemporaryFolder folder;
  const auto labels = edited(folder, R"([{"action": "keep", "ids": [7]}])");
  EXPECT_EQ(row_of(labels, 0), (Row{{0, 36}}));
  EXPECT_EQ(row_of(labels, 2), (Row{{1, 36}}));
}

TEST(EditLabels, MergesObjects) {
  const TemporaryFolder folder;
  const auto labels = edited(folder, R"([{"action": "merge", "ids": [8], "points_nm": [[64, 4, 20]]}])");
  EXPECT_EQ(row_of(labels, 0), (Row{{1, 36}}));
  EXPECT_EQ(row_of(labels, 1), (Row{{2, 36}}));
  EXPECT_EQ(row_of(labels, 3), (Row{{1, 36}}));
}

// A point of the volume's, in an object of which the box has no voxel, once meant the next object of the box.
TEST(EditLabels, APointInAnObjectOutsideTheBoxIsRefused) {
  const TemporaryFolder folder;
  store_labels(folder.path());
  // Bars 7 and 8 lie in the box, 5 outside.
  auto description =
      description_of(folder.path(), folder.path(), R"([{"action": "drop", "points_nm": [[64, 4, 100]]}])");
  description.box_nm = "0,32,0,120,68,156";
  const auto result = blockwise::testing::run_in({make_edit_stage, {}, {}}, description, 1);
  ASSERT_EQ(result.failures.size(), 1);
  EXPECT_NE(result.failures.front().message.find("no object 5 at 64,4,100 nm in the chosen box"),
            std::string::npos)
      << result.failures.front().message;
}

// Points at x of voxels 6 and 15: those up to 10 are nearer to the first.
TEST(EditLabels, SplitsInThePlaneHalfWayBetweenTwoPoints) {
  const TemporaryFolder folder;
  const auto labels = edited(folder, R"([{"action": "split", "points_nm": [[64, 4, 24], [64, 4, 60]]}])");
  EXPECT_EQ(row_of(labels, 0), (Row{{1, 9}, {2, 27}}));
  EXPECT_EQ(labels(8, 1, 10), 1U);
  EXPECT_EQ(labels(8, 1, 11), 2U);
  EXPECT_EQ(row_of(labels, 1), (Row{{3, 36}}));
}

TEST(EditLabels, APartIsDroppedByAPointAndMergedWithAnother) {
  const TemporaryFolder folder;
  const auto labels = edited(folder, R"([
      {"action": "drop", "points_nm": [[64, 4, 20]]},
      {"action": "merge", "points_nm": [[64, 4, 100], [64, 20, 100]]},
      {"action": "split", "points_nm": [[64, 4, 24], [64, 4, 60]], "note": "two mitochondria"}])");
  EXPECT_EQ(row_of(labels, 0), (Row{{0, 9}, {1, 27}}));
  EXPECT_EQ(row_of(labels, 1), (Row{{1, 36}}));
}

TEST(EditLabels, SmallObjectsGoAfterTheEdits) {
  const TemporaryFolder folder;
  // A bar has 14 * 3 * 36 voxels of 128 nm^3, the first part of the split a quarter of it.
  const auto labels = edited(folder, R"([{"action": "split", "points_nm": [[64, 4, 24], [64, 4, 60]]}])",
                             fmt::format(R"({{"min_volume_nm3": {}}})", 14 * 3 * 20 * 128));
  EXPECT_EQ(row_of(labels, 0), (Row{{0, 9}, {1, 27}}));
}

TEST(EditLabels, EditsOfWhatIsNotThereAreRefused) {
  const TemporaryFolder folder;
  store_labels(folder.path());
  for (const auto& [edits, word] :
       {std::pair{R"([{"action": "drop", "ids": [6]}])", "no object 6"},
        {R"([{"action": "drop", "points_nm": [[64, 12, 24]]}])", "no object at"},
        {R"([{"action": "drop", "points_nm": [[1e11, 12, 24]]}])", "no object at"},
        {R"([{"action": "split", "points_nm": [[64, 4, 24], [64, 20, 24]]}])", "not in one"}}) {
    std::string message;
    try {
      const auto result = blockwise::testing::run_in({make_edit_stage, {}, {}},
                                                     description_of(folder.path(), folder.path(), edits), 1);
      if (!result.failures.empty()) message = result.failures.front().message;
    } catch (const Error& error) {
      message = error.message();
    }
    EXPECT_NE(message.find(word), std::string::npos) << edits << ": " << message;
  }
}

TEST(EditLabels, ObeysTheStageContract) {
  const TemporaryFolder folder;
  store_labels(folder.path());
  blockwise::testing::expect_stage_contract(
      {make_edit_stage,
       [&](const std::filesystem::path& out, const Shape3& shape) {
         return description_of(
             folder.path(), out,
             R"([{"action": "split", "points_nm": [[64, 4, 24], [24, 4, 60], [100, 0, 130]]},
                                   {"action": "merge", "ids": [900, 8]}])",
             "{}", shape);
       },
       {{8, 8, 8}, {16, 8, 24}, {64, 64, 64}}});
}

TEST(LabelEdits, HostileFilesAreRefused) {
  for (const char* text :
       {"{}", "[1]", R"([{"action": "cut", "ids": [1]}])", R"([{"action": "drop"}])",
        R"([{"action": "drop", "ids": [0]}])", R"([{"action": "drop", "ids": [-1]}])",
        R"([{"action": "drop", "ids": [1.5]}])", R"([{"action": "drop", "ids": 3}])",
        R"([{"action": "merge", "ids": [1]}])", R"([{"action": "split", "ids": [1, 2]}])",
        R"([{"action": "split", "points_nm": [[1, 2, 3]]}])",
        R"([{"action": "drop", "points_nm": [[1, 2]]}])",
        R"([{"action": "drop", "points_nm": [[1, 2, 1e13]]}])", R"([{"action": "drop", "id": [1]}])",
        R"([{"action": "drop", "ids": [1], "note": 3}])"}) {
    EXPECT_THROW(parse_label_edits(text, "edits.json"), Error) << text;
  }
  try {
    parse_label_edits(R"([{"action": "drop", "idz": [1]}])", "edits.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("edits.json[0]: unknown key 'idz'; did you mean 'ids'?"),
              std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace organon::stages
