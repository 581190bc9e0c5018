#include "organon/stages/refinement/restrict_labels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{20, 26, 30};
const VoxelGrid kGrid{{8, 4, 5}, {}};

template <class T>
std::string store(const std::filesystem::path& folder, const std::string& name, const Array<T>& voxels,
                  const VoxelGrid& grid = kGrid) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = data_type_of<T>();
  spec.grid = grid;
  std::string address = "n5://" + (folder / "in.n5" / name).string();
  storage::create_dataset(address, spec)->write<T>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

// Slabs of ids, and a few specks of another class.
Array<std::uint16_t> make_labels() {
  Array<std::uint16_t> labels(kShape);
  for (std::int64_t z = 0; z < kShape.z; ++z)
    for (std::int64_t y = 0; y < kShape.y; ++y)
      for (std::int64_t x = 0; x < kShape.x; ++x)
        if (y % 6 != 0) labels(z, y, x) = static_cast<std::uint16_t>(1 + x / 7 + 300 * (z / 11));
  return labels;
}

template <class T>
Array<T> make_specks(std::uint64_t seed, int count, T low, T high) {
  Random random(seed);
  Array<T> specks(kShape);
  for (int i = 0; i < count; ++i) {
    specks(static_cast<std::int64_t>(random.below(20)), static_cast<std::int64_t>(random.below(26)),
           static_cast<std::int64_t>(random.below(30))) = static_cast<T>(low + random.below(high - low + 1u));
  }
  return specks;
}

// Every pair of voxels.
template <class T>
Array<std::uint8_t> expanded(const Array<T>& other, double threshold, double expand_nm) {
  Array<std::uint8_t> region(kShape);
  const BlockGrid voxels(Box::of_shape(kShape), {1, 1, 1});
  for (std::int64_t i = 0; i < other.size(); ++i) {
    if (!(threshold > 0 ? other.data()[i] >= threshold : other.data()[i] != 0)) continue;
    const PointNm from = kGrid.to_nm(voxels.position_of(i));
    for (std::int64_t k = 0; k < region.size(); ++k) {
      const PointNm to = kGrid.to_nm(voxels.position_of(k));
      if (std::hypot(to.z - from.z, to.y - from.y, to.x - from.x) <= expand_nm * (1 + 1e-9))
        region.data()[k] = 1;
    }
  }
  return region;
}

blockwise::StageDescription description_of(const std::vector<std::string>& inputs,
                                           const std::filesystem::path& folder, const std::string& options,
                                           const Shape3& block_shape = {8, 8, 16}) {
  blockwise::StageDescription description;
  description.verb = "restrict";
  description.options_json = options;
  description.inputs = inputs;
  description.outputs = {"n5://" + (folder / "out.n5" / "labels").string()};
  description.block_shape = block_shape;
  return description;
}

Array<std::uint64_t> result_of(const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make_restrict_stage, {}, {}}, description, 2);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  return storage::open_dataset(description.outputs[0])->read_as<std::uint64_t>(Box::of_shape(kShape));
}

TEST(RestrictLabels, DatasetsThatLieElsewhereAreRefused) {
  const TemporaryFolder folder;
  const std::string labels = store(folder.path(), "labels", make_labels());
  const auto specks = make_specks<std::uint32_t>(3, 12, 5, 70000);
  int number = 0;
  const auto make = [&](const PointNm& offset_nm, double size_x_nm) {
    return description_of({labels, store(folder.path(), fmt::format("specks{}", ++number), specks,
                                         {{8, 4, size_x_nm}, offset_nm})},
                          folder.path(), "{}");
  };
  EXPECT_THROW(make_restrict_stage(make({0, 800, 0}, 5)), Error);
  EXPECT_THROW(make_restrict_stage(make({0, 0, 0}, 5.01)), Error) << "0.29 nm apart at the last voxel";
  EXPECT_NO_THROW(make_restrict_stage(make({0, 1e-9, 0}, 5 + 1e-9)));
}

TEST(RestrictLabels, AnExpansionBeyondTheVolumeCostsNoMoreThanTheVolume) {
  const TemporaryFolder folder;
  const std::string labels = store(folder.path(), "labels", make_labels());
  const auto stage =
      make_restrict_stage(description_of({labels, labels}, folder.path(), R"({"expand_nm": [1e5]})"));
  for (const blockwise::StepPlan& plan : stage->plans()) {
    EXPECT_GE(plan.bytes_read, 0);
    EXPECT_LE(plan.bytes_per_worker, 100 * kShape.product());
  }
}

TEST(RestrictLabels, EqualsTheDefinition) {
  const TemporaryFolder folder;
  const auto labels = make_labels();
  const auto specks = make_specks<std::uint32_t>(3, 12, 5, 70000);
  const auto prediction = make_specks<std::uint8_t>(4, 60, 90, 200);
  const std::vector<std::string> inputs = {store(folder.path(), "labels", labels),
                                           store(folder.path(), "specks", specks),
                                           store(folder.path(), "prediction", prediction)};
  const auto result = result_of(description_of(
      inputs, folder.path(),
      R"({"keep": ["outside", "inside"], "expand_nm": [15, 24], "other_thresholds": [0, 150]})"));
  const auto hole = expanded(specks, 0, 15);
  const auto part = expanded(prediction, 150, 24);
  std::int64_t num_kept = 0;
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const bool is_kept = hole.data()[i] == 0 && part.data()[i] != 0;
    ASSERT_EQ(result.data()[i], is_kept ? labels.data()[i] : 0) << i;
    num_kept += is_kept ? 1 : 0;
  }
  EXPECT_GT(num_kept, 500);
}

TEST(RestrictLabels, MembranesTakeTheIdsOfTheirOrganelles) {
  const TemporaryFolder folder;
  const auto membrane = make_specks<std::uint8_t>(5, 900, 100, 150);
  const auto parents = make_labels();
  const auto result =
      result_of(description_of({store(folder.path(), "mem", membrane), store(folder.path(), "p", parents)},
                               folder.path(), R"({"threshold": 127, "keep": ["inside"], "take_ids": true})"));
  for (std::int64_t i = 0; i < result.size(); ++i)
    ASSERT_EQ(result.data()[i], membrane.data()[i] >= 127 ? parents.data()[i] : 0) << i;
}

TEST(RestrictLabels, ObjectsOfWhichLittleStaysAreDropped) {
  const TemporaryFolder folder;
  const auto labels = make_labels();
  Array<std::uint8_t> other(kShape, 1);
  for (std::int64_t z = 0; z < 20; ++z)
    for (std::int64_t y = 0; y < 26; ++y)
      for (std::int64_t x = 4; x < 10; ++x) other(z, y, x) = 0;
  const std::vector<std::string> inputs = {store(folder.path(), "labels", labels),
                                           store(folder.path(), "o", other)};
  const auto all = result_of(description_of(inputs, folder.path(), R"({"keep": ["outside"]})"));
  std::map<std::uint64_t, double> volumes;
  for (std::int64_t i = 0; i < all.size(); ++i) volumes[all.data()[i]] += 8 * 4 * 5;
  volumes.erase(0);
  ASSERT_EQ(volumes.size(), 4U);
  const double limit = (volumes[1] + volumes[301]) / 2;
  const auto result = result_of(description_of(
      inputs, folder.path(), R"({"keep": ["outside"], "min_volume_nm3": )" + std::to_string(limit) + "}"));
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const bool is_large = all.data()[i] != 0 && volumes[all.data()[i]] >= limit;
    ASSERT_EQ(result.data()[i], is_large ? all.data()[i] : 0) << i;
  }
}

TEST(RestrictLabels, WhatDoesNotFitIsRefused) {
  const TemporaryFolder folder;
  const auto labels = store(folder.path(), "labels", make_labels());
  const auto coarse = store(folder.path(), "coarse", make_labels(), VoxelGrid{{8, 8, 8}, {}});
  const auto real = store(folder.path(), "real", Array<float>(kShape));
  for (const auto& inputs :
       {std::vector{labels, coarse}, std::vector{labels, real}, std::vector{real, labels}})
    EXPECT_THROW(make_restrict_stage(description_of(inputs, folder.path(), "{}")), Error);
  EXPECT_THROW(make_restrict_stage(
                   description_of({labels, labels}, folder.path(), R"({"keep": ["inside", "outside"]})")),
               Error);
}

TEST(RestrictLabels, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::vector<std::string> inputs = {
      store(folder.path(), "labels", make_labels()),
      store(folder.path(), "specks", make_specks<std::uint8_t>(3, 12, 5, 7))};
  blockwise::testing::expect_stage_contract(
      {make_restrict_stage,
       [&](const std::filesystem::path& out, const Shape3& shape) {
         return description_of(
             inputs, out, R"({"keep": ["outside"], "expand_nm": [17], "min_volume_nm3": 100000})", shape);
       },
       {{8, 8, 8}, {16, 8, 24}, {64, 64, 64}}});
}

}  // namespace
}  // namespace organon::stages
