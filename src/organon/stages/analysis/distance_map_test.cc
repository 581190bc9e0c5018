#include "organon/stages/analysis/distance_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{19, 26, 30};
const VoxelGrid kGrid{{8, 4, 4.5}, {1000, -200, 30}};

template <class Function>
void for_each(const Shape3& shape, Function&& function) {
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) function(Index3{z, y, x});
    }
  }
}

// Balls that touch and cut each other and the faces.
Array<std::uint16_t> make_labels() {
  Array<std::uint16_t> labels(kShape);
  Random random(6);
  for (int i = 0; i < 12; ++i) {
    const Index3 centre{static_cast<std::int64_t>(random.below(19)),
                        static_cast<std::int64_t>(random.below(26)),
                        static_cast<std::int64_t>(random.below(30))};
    const auto radius2 = static_cast<std::int64_t>(8 + random.below(40));
    const auto id = static_cast<std::uint16_t>(i % 4 == 3 ? 60000 : i % 4 + 1);
    for_each(kShape, [&](const Index3& at) {
      const Index3 d = at - centre;
      if (d.z * d.z + d.y * d.y + d.x * d.x <= radius2) labels(at) = id;
    });
  }
  return labels;
}

std::string store_labels(const std::filesystem::path& folder) {
  storage::DatasetSpec spec;
  spec.shape = kShape;
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = DataType::kUint16;
  spec.grid = kGrid;
  const std::string address = "n5://" + (folder / "in.n5" / "labels").string();
  const Array<std::uint16_t> labels = make_labels();
  storage::create_dataset(address, spec)->write<std::uint16_t>(spec.domain(), labels.view(), Fsync::kNo);
  return address;
}

blockwise::StageDescription describe(const std::string& labels, const std::filesystem::path& folder,
                                     const Shape3& block_shape, const std::string& options = "{}",
                                     const std::string& box_nm = "") {
  blockwise::StageDescription description;
  description.verb = "distance";
  description.options_json = options;
  description.inputs = {labels};
  description.outputs = {"n5://" + (folder / "out.n5" / "distance").string()};
  description.block_shape = block_shape;
  description.box_nm = box_nm;
  return description;
}

Array<float> run(const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make_distance_stage, {}, {}}, description, 2);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  const auto dataset = storage::open_dataset(description.outputs[0]);
  EXPECT_EQ(dataset->spec().data_type, DataType::kFloat32);
  return dataset->read_as<float>(dataset->spec().domain());
}

// To the nearest voxel that `is_far(from, at)`.
template <class IsFar>
double nearest_nm(const Index3& from, IsFar is_far) {
  double nearest = std::numeric_limits<double>::infinity();
  for_each(kShape, [&](const Index3& at) {
    if (!is_far(at)) return;
    const double z = static_cast<double>(from.z - at.z) * kGrid.voxel_size_nm.z;
    const double y = static_cast<double>(from.y - at.y) * kGrid.voxel_size_nm.y;
    const double x = static_cast<double>(from.x - at.x) * kGrid.voxel_size_nm.x;
    nearest = std::min(nearest, std::sqrt(z * z + y * y + x * x));
  });
  return nearest;
}

// By search from the definition.
Array<float> by_search(const Array<std::uint16_t>& labels, const DistanceMapOptions& options,
                       const std::set<std::uint16_t>& ids) {
  const auto object = [&](const Index3& at) {
    return ids.empty() || ids.contains(labels(at)) ? labels(at) : std::uint16_t{0};
  };
  const auto is_inside = [&](const Index3& at) {
    bool all = true;
    for_each({3, 3, 3}, [&](const Index3& step) {
      const Index3 near = at + step - Index3{1, 1, 1};
      if (Box::of_shape(kShape).contains(near) && object(near) == 0) all = false;
    });
    return all;
  };
  Array<std::uint8_t> inside(kShape);
  for_each(kShape, [&](const Index3& at) { inside(at) = is_inside(at); });
  Array<float> result(kShape);
  for_each(kShape, [&](const Index3& at) {
    const std::uint16_t own = object(at);
    double distance_nm = 0;
    if (!options.is_signed) {
      if (own != 0) distance_nm = nearest_nm(at, [&](const Index3& other) { return object(other) != own; });
    } else if (own == 0) {
      distance_nm = nearest_nm(at, [&](const Index3& other) { return object(other) != 0; });
    } else {
      distance_nm = nearest_nm(at, [&](const Index3& other) { return inside(other) == 0; });
    }
    if (options.bound_nm > 0 && distance_nm > options.bound_nm * (1 + 1e-6))
      distance_nm = std::numeric_limits<double>::infinity();
    result(at) = static_cast<float>(options.is_signed && own == 0 ? -distance_nm : distance_nm);
  });
  return result;
}

void expect_near(const Array<float>& found, const Array<float>& expected, const Box& box,
                 const std::string& what) {
  for_each(box.shape(), [&](const Index3& step) {
    const Index3 at = box.begin + step;
    if (std::isinf(expected(at))) {
      ASSERT_EQ(found(at), expected(at)) << what;
    } else {
      ASSERT_NEAR(found(at), expected(at), 1e-6 * std::abs(expected(at))) << what;
    }
  });
}

const std::vector<std::string> kOptions = {"{}",
                                           R"({"bound_nm": 12})",
                                           R"({"signed": true})",
                                           R"({"signed": true, "bound_nm": 12})",
                                           R"({"ids": "1+60000"})",
                                           R"({"signed": true, "ids": "2,60000"})",
                                           R"({"bound_nm": 40})"};

TEST(DistanceMap, EqualsSearchFromTheDefinition) {
  const TemporaryFolder folder;
  const std::string input = store_labels(folder.path());
  const Array<std::uint16_t> labels = make_labels();
  for (const std::string& text : kOptions) {
    const auto options = options_from_json<DistanceMapOptions>(text);
    std::set<std::uint16_t> ids;
    if (options.ids == "1+60000") ids = {1, 60000};
    if (options.ids == "2,60000") ids = {2, 60000};
    const Array<float> expected = by_search(labels, options, ids);
    const TemporaryFolder out;
    expect_near(run(describe(input, out.path(), {8, 8, 8}, text)), expected, Box::of_shape(kShape), text);
  }
}

TEST(DistanceMap, PartOfTheVolumeHasTheVoxelsOfTheWhole) {
  const TemporaryFolder folder;
  const std::string input = store_labels(folder.path());
  // Voxels 8..15 of z, 0..15 of y, 16..23 of x.
  const std::string box_nm = "1064,-200,102,1120,-140,130";
  const Box box{{8, 0, 16}, {16, 16, 24}};
  for (const std::string& text : kOptions) {
    const TemporaryFolder out;
    const Array<float> whole = run(describe(input, out.path() / "whole", {8, 8, 8}, text));
    const Array<float> part = run(describe(input, out.path() / "part", {8, 8, 8}, text, box_nm));
    for_each(kShape,
             [&](const Index3& at) { ASSERT_EQ(part(at), box.contains(at) ? whole(at) : 0.0F) << text; });
  }
}

TEST(DistanceMap, ObeysTheStageContract) {
  const TemporaryFolder folder;
  const std::string input = store_labels(folder.path());
  for (const std::string& text : {kOptions[1], kOptions[5]}) {
    blockwise::testing::expect_stage_contract({make_distance_stage,
                                               [&](const std::filesystem::path& out, const Shape3& shape) {
                                                 return describe(input, out, shape, text);
                                               },
                                               {{8, 8, 8}, {16, 8, 24}, {64, 64, 64}}});
  }
}

TEST(DistanceMap, MemoryFollowsFromTheLinesNotFromTheVolume) {
  const TemporaryFolder folder;
  storage::DatasetSpec spec;
  spec.shape = {8000, 10000, 12000};
  spec.chunk_shape = {64, 64, 64};
  spec.data_type = DataType::kUint64;
  const std::string address = "n5://" + (folder.path() / "in.n5" / "labels").string();
  storage::create_dataset(address, spec);
  for (const std::string& text : kOptions) {
    for (const auto& plan : make_distance_stage(describe(address, folder.path(), {}, text))->plans()) {
      EXPECT_GT(plan.bytes_per_worker, std::int64_t{1} << 20);
      EXPECT_LT(plan.bytes_per_worker, std::int64_t{5} << 28) << text;
    }
  }
}

TEST(DistanceMap, OptionsAndInputsThatDoNotFitAreRefused) {
  const TemporaryFolder folder;
  const std::string input = store_labels(folder.path());
  EXPECT_THROW(make_distance_stage(describe(input, folder.path(), {}, R"({"ids": "3+x"})")), Error);
  EXPECT_THROW(make_distance_stage(describe(input, folder.path(), {}, R"({"bound_nm": -1})")), Error);
  EXPECT_THROW(make_distance_stage(describe(input, folder.path(), {5, 8, 8})), Error);
  const auto distances = describe(input, folder.path(), {8, 8, 8});
  run(distances);
  EXPECT_THROW(make_distance_stage(describe(distances.outputs[0], folder.path(), {})), Error) << "no labels";
}

}  // namespace
}  // namespace organon::stages
