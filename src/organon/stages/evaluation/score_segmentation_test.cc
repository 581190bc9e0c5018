#include "organon/stages/evaluation/score_segmentation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "organon/base/json.h"
#include "organon/base/random.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/evaluation/score_report.h"
#include "organon/storage/images/png_codec.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{21, 34, 40};
const VoxelGrid kGrid{{8, 4, 4}, {100, 200, 300}};
// Truth at half the voxel size, beginning 3, 2, 0 voxels of the segmentation later.
constexpr Shape3 kTruthShape{36, 64, 80};
const VoxelGrid kTruthGrid{{4, 2, 2}, {100 + 24 - 2, 200 + 8 - 1, 300 - 1}};

double wave(double z, double y, double x) {
  return std::sin(0.11 * z + 0.3) * std::sin(0.13 * y) * std::cos(0.12 * x) + 0.4 * std::sin(0.05 * (x + y));
}

template <class T>
std::string store(const std::filesystem::path& folder, const std::string& name, const Array<T>& voxels,
                  const VoxelGrid& grid) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = data_type_of<T>();
  spec.grid = grid;
  const std::string address = "n5://" + (folder / "in.n5" / name).string();
  storage::create_dataset(address, spec)->template write<T>(spec.domain(), voxels.view(), Fsync::kNo);
  return address;
}

template <class Value>
auto make_array(const Shape3& shape, Value value) {
  Array<decltype(value(0, 0, 0))> voxels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x) voxels(z, y, x) = value(z, y, x);
  return voxels;
}

// A prediction, labels by eighths of the volume, truth of two classes, a mask with holes, raw.
struct World {
  TemporaryFolder folder;
  Array<std::uint8_t> prediction_voxels = make_array(kShape, [](auto z, auto y, auto x) {
    return static_cast<std::uint8_t>(std::clamp(
        127 + 90 * wave(static_cast<double>(2 * z), static_cast<double>(y), static_cast<double>(x)), 0.0,
        255.0));
  });
  Array<std::uint32_t> label_voxels = make_array(kShape, [&](auto z, auto y, auto x) -> std::uint32_t {
    if (prediction_voxels(z, y, x) < 127) return 0;
    return static_cast<std::uint32_t>(1 + z / 11 * 4 + y / 17 * 2 + x / 20);
  });
  Array<std::uint16_t> truth_voxels = make_array(kTruthShape, [](auto z, auto y, auto x) -> std::uint16_t {
    const double value =
        wave(static_cast<double>(z) + 5, static_cast<double>(y) / 2 + 3, static_cast<double>(x) / 2 + 1);
    if (value < -0.05) return value < -0.5 ? 9 : 0;
    return static_cast<std::uint16_t>(3 + z / 18 + 2 * (y / 32));
  });
  Array<std::uint8_t> mask_voxels = make_array(kShape, [](auto z, auto y, auto x) {
    return static_cast<std::uint8_t>((z * 7 + y * 5 + x * 3) % 11 == 0 ? 0 : 200);
  });
  std::string prediction = store(folder.path(), "prediction", prediction_voxels, kGrid);
  std::string labels = store(folder.path(), "labels", label_voxels, kGrid);
  std::string truth = store(folder.path(), "truth", truth_voxels, kTruthGrid);
  std::string mask = store(folder.path(), "mask", mask_voxels, kGrid);
};

constexpr const char* kIncludeBox = "116,204,302,260,330,452";
constexpr const char* kExcludeBox = "[150, 250, 300, 170, 280, 340]";

std::string options_text(const std::string& more) {
  return std::string(R"({"class_name": "mito", "ids": "3+4", "clip_distance_nm": 26, "tolerance_nm": 8, )") +
         "\"exclude_box_nm\": " + kExcludeBox + (more.empty() ? "" : ", " + more) + "}";
}

blockwise::StageDescription describe(std::vector<std::string> inputs, const std::filesystem::path& folder,
                                     const Shape3& block_shape, const std::string& options,
                                     const std::string& box_nm) {
  blockwise::StageDescription description;
  description.verb = "evaluate";
  description.options_json = options;
  description.inputs = std::move(inputs);
  description.outputs = {(folder / "scores" / "mito.json").string()};
  description.block_shape = block_shape;
  description.box_nm = box_nm;
  return description;
}

Json run(const blockwise::StageDescription& description) {
  const auto result = blockwise::testing::run_in({make_evaluate_stage, {}, {}}, description, 2);
  EXPECT_TRUE(result.failures.empty()) << result.failures.front().message;
  return parse_json(read_text(description.outputs[0]), description.outputs[0]);
}

struct Point {
  PointNm nm;
  bool predicted;
  bool truth;
};

// Every voxel that counts, from the definitions alone: places in nm, cells by their centres.
std::vector<Point> brute_force_points(const World& world, const std::string& box_nm) {
  std::vector<Point> points;
  const auto inside = [](const PointNm& p, const std::array<double, 6>& box) {
    return p.z >= box[0] && p.y >= box[1] && p.x >= box[2] && p.z <= box[3] && p.y <= box[4] && p.x <= box[5];
  };
  for (std::int64_t z = 0; z < kShape.z; ++z) {
    for (std::int64_t y = 0; y < kShape.y; ++y) {
      for (std::int64_t x = 0; x < kShape.x; ++x) {
        const PointNm centre = kGrid.to_nm({z, y, x});
        if (!box_nm.empty() && !inside(centre, {116, 204, 302, 260, 330, 452})) continue;
        if (inside(centre, {150, 250, 300, 170, 280, 340})) continue;
        if (world.mask_voxels(z, y, x) == 0) continue;
        // The cell's eight truth voxels lie a quarter of a voxel from its centre.
        int wanted = 0;
        int known = 0;
        for (const double dz : {-2.0, 2.0}) {
          for (const double dy : {-1.0, 1.0}) {
            for (const double dx : {-1.0, 1.0}) {
              const Index3 place = kTruthGrid.voxel_containing({centre.z + dz, centre.y + dy, centre.x + dx});
              if (!Box::of_shape(kTruthShape).contains(place)) continue;
              ++known;
              const int id = world.truth_voxels(place);
              wanted += id == 3 || id == 4;
            }
          }
        }
        if (known < 8) continue;
        points.push_back({centre, world.prediction_voxels(z, y, x) >= 127, wanted >= 4});
      }
    }
  }
  return points;
}

double mean_distance(const std::vector<Point>& points, bool Point::*from, bool Point::*to, double clip,
                     double& largest) {
  double sum = 0;
  double count = 0;
  for (const Point& a : points) {
    if (!(a.*from)) continue;
    double nearest = 1e300;
    for (const Point& b : points) {
      if (!(b.*to)) continue;
      const PointNm d = a.nm - b.nm;
      nearest = std::min(nearest, d.z * d.z + d.y * d.y + d.x * d.x);
    }
    sum += std::min(std::sqrt(nearest), clip);
    largest = std::max(largest, std::sqrt(nearest));
    ++count;
  }
  return sum / count;
}

TEST(ScoreSegmentation, EqualsTheDefinitionsVoxelByVoxel) {
  const World world;
  const TemporaryFolder out;
  const Json row = run(describe({world.prediction, world.truth, world.mask}, out.path(), {8, 16, 8},
                                options_text(R"("kind": "prediction")"), kIncludeBox))["scores"][0];
  const std::vector<Point> points = brute_force_points(world, kIncludeBox);
  std::uint64_t tp = 0, fp = 0, fn = 0, tn = 0;
  for (const Point& point : points) {
    tp += point.predicted && point.truth;
    fp += point.predicted && !point.truth;
    fn += !point.predicted && point.truth;
    tn += !point.predicted && !point.truth;
  }
  ASSERT_GT(std::min({tp, fp, fn, tn}), 100U);
  EXPECT_EQ(row["true_positive_voxels"], tp);
  EXPECT_EQ(row["false_positive_voxels"], fp);
  EXPECT_EQ(row["false_negative_voxels"], fn);
  EXPECT_EQ(row["true_negative_voxels"], tn);
  EXPECT_EQ(row["class"], "mito");
  EXPECT_EQ(row["region"], "all");
  EXPECT_EQ(row["kind"], "prediction");
  EXPECT_EQ(row["threshold"], 127);
  const auto f1 = 2 * static_cast<double>(tp) / static_cast<double>(2 * tp + fp + fn);
  EXPECT_NEAR(row["f1"].get<double>(), f1, 1e-6);
  double largest = 0;
  double unused = 0;
  const double to_truth = mean_distance(points, &Point::predicted, &Point::truth, 1e300, largest);
  const double to_predicted = mean_distance(points, &Point::truth, &Point::predicted, 1e300, largest);
  const double clipped = mean_distance(points, &Point::predicted, &Point::truth, 26, unused);
  EXPECT_NEAR(row["mean_false_positive_distance_nm"].get<double>(), to_truth, 1e-3);
  EXPECT_NEAR(row["mean_false_negative_distance_nm"].get<double>(), to_predicted, 1e-3);
  EXPECT_NEAR(row["mean_false_distance_nm"].get<double>(), (to_truth + to_predicted) / 2, 1e-3);
  EXPECT_NEAR(row["mean_false_positive_distance_clipped_nm"].get<double>(), clipped, 1e-3);
  EXPECT_NEAR(row["hausdorff_nm"].get<double>(), largest, 1e-3);
  EXPECT_GT(largest, 26) << "the clip must matter";
}

TEST(ScoreSegmentation, LabelsScoreAsThePredictionTheyComeFrom) {
  const World world;
  const TemporaryFolder out;
  Json from_prediction = run(describe({world.prediction, world.truth, world.mask}, out.path() / "a", {},
                                      options_text(R"("kind": "prediction")"), ""))["scores"][0];
  Json from_labels = run(describe({world.labels, world.truth, world.mask}, out.path() / "b", {},
                                  options_text(R"("instances": true)"), ""))["scores"][0];
  EXPECT_EQ(from_labels["kind"], "labels");
  EXPECT_TRUE(from_labels["threshold"].is_null());
  EXPECT_GT(
      from_labels["objects_true_positives"].get<int>() + from_labels["objects_false_positives"].get<int>(),
      3);
  for (const char* name : {"f1", "jaccard", "mean_false_distance_clipped_nm", "hausdorff_nm", "f1_tolerant"})
    EXPECT_EQ(from_labels[name], from_prediction[name]) << name;
}

TEST(ScoreSegmentation, ObjectsOfEqualVolumesAllMatch) {
  const World world;
  const TemporaryFolder out;
  const Json row = run(describe({world.labels, world.labels}, out.path(), {8, 8, 8}, R"({"instances": true})",
                                ""))["scores"][0];
  EXPECT_EQ(row["f1"], 1);
  EXPECT_EQ(row["objects_f1"], 1);
  EXPECT_EQ(row["objects_true_positives"], 8);
  EXPECT_EQ(row["mean_false_distance_nm"], 0);
  EXPECT_EQ(row["variation_of_information_bits"], 0);
}

// Boxes of true objects; of the segmented ones some are the same, shifted, cut in two, missing, invented.
struct ObjectWorld {
  static constexpr Shape3 kSize{12, 30, 40};
  TemporaryFolder folder;
  Array<std::uint64_t> truth_voxels{kSize};
  Array<std::uint64_t> label_voxels{kSize};
  std::string truth;
  std::string labels;

  ObjectWorld() {
    const auto fill = [](Array<std::uint64_t>& voxels, const Box& box, std::uint64_t id) {
      fill_voxels<std::uint64_t>(voxels.view().part(box), id);
    };
    fill(truth_voxels, {{1, 1, 1}, {6, 9, 11}}, 11);
    fill(truth_voxels, {{1, 1, 15}, {6, 9, 25}}, 12);
    fill(truth_voxels, {{2, 14, 2}, {9, 24, 12}}, 13);
    fill(truth_voxels, {{4, 14, 20}, {10, 28, 34}}, 14);
    fill(label_voxels, {{1, 1, 1}, {6, 9, 11}}, 7);
    fill(label_voxels, {{2, 1, 16}, {6, 10, 26}}, 8);
    fill(label_voxels, {{2, 14, 2}, {9, 19, 12}}, 9);
    fill(label_voxels, {{2, 19, 2}, {9, 24, 12}}, 3);
    fill(label_voxels, {{4, 13, 22}, {11, 26, 36}}, 2);
    fill(label_voxels, {{0, 0, 30}, {2, 4, 34}}, 1);
    truth = store(folder.path(), "truth", truth_voxels, kGrid);
    labels = store(folder.path(), "labels", label_voxels, kGrid);
  }

  double hausdorff(std::uint64_t segmented, std::uint64_t true_id) const {
    std::vector<PointNm> a;
    std::vector<PointNm> b;
    for (std::int64_t z = 0; z < kSize.z; ++z) {
      for (std::int64_t y = 0; y < kSize.y; ++y) {
        for (std::int64_t x = 0; x < kSize.x; ++x) {
          if (label_voxels(z, y, x) == segmented) a.push_back(kGrid.to_nm({z, y, x}));
          if (truth_voxels(z, y, x) == true_id) b.push_back(kGrid.to_nm({z, y, x}));
        }
      }
    }
    const auto directed = [](const std::vector<PointNm>& from, const std::vector<PointNm>& to) {
      double largest = 0;
      for (const PointNm& p : from) {
        double nearest = 1e300;
        for (const PointNm& q : to) {
          const PointNm d = p - q;
          nearest = std::min(nearest, d.z * d.z + d.y * d.y + d.x * d.x);
        }
        largest = std::max(largest, std::sqrt(nearest));
      }
      return largest;
    };
    return std::max(directed(a, b), directed(b, a));
  }
};

TEST(ScoreSegmentation, ObjectScoresEqualTheirDefinitions) {
  const ObjectWorld world;
  const TemporaryFolder out;
  int i = 0;
  for (const Shape3& block : {Shape3{8, 8, 8}, Shape3{16, 16, 8}, Shape3{256, 256, 256}}) {
    const Json row = run(describe({world.labels, world.truth}, out.path() / std::to_string(i++), block,
                                  R"({"instances": true})", ""))["scores"][0];
    EXPECT_EQ(row["objects_true_positives"], 3);
    EXPECT_EQ(row["objects_false_positives"], 3);
    EXPECT_EQ(row["objects_false_negatives"], 1);
    const std::vector<double> distances{world.hausdorff(7, 11), world.hausdorff(8, 12),
                                        world.hausdorff(2, 14)};
    EXPECT_EQ(distances[0], 0);
    EXPECT_GT(distances[1], 0);
    // The shortest edge of the region: 12 voxels of 8 nm.
    double score = 4 * std::pow(1.01, -48 / std::sqrt(96.0));
    for (const double distance : distances) score += std::pow(1.01, -distance / std::sqrt(96.0));
    score /= 7;
    EXPECT_NEAR(row["objects_hausdorff_score"].get<double>(), score, 1e-6);
    EXPECT_NEAR(row["objects_mean_hausdorff_nm"].get<double>(),
                (distances[0] + distances[1] + distances[2]) / 3, 1e-3);
    EXPECT_NEAR(row["objects_combined_score"].get<double>(), std::sqrt(6.0 / 10 * score), 1e-6);
    EXPECT_GT(row["objects_split_bits"].get<double>(), 0);
    EXPECT_NEAR(row["objects_variation_of_information_bits"].get<double>(),
                row["objects_split_bits"].get<double>() + row["objects_merge_bits"].get<double>(), 2e-6);
  }
}

TEST(ScoreSegmentation, ObeysTheStageContract) {
  const World world;
  blockwise::testing::expect_stage_contract({make_evaluate_stage,
                                             [&](const std::filesystem::path& out, const Shape3& shape) {
                                               return describe({world.labels, world.truth, world.mask}, out,
                                                               shape, options_text(R"("instances": true)"),
                                                               kIncludeBox);
                                             },
                                             {{8, 8, 8}, {16, 24, 8}, {256, 256, 256}}});
}

TEST(ScoreSegmentation, WritesTheSameRowAsTableAndTextAndPicture) {
  const World world;
  const TemporaryFolder out;
  const auto raw = store(out.path(), "raw", world.prediction_voxels, kGrid);
  const auto description =
      describe({world.prediction, world.truth}, out.path(), {},
               options_text(R"("kind": "prediction", "region": "a, \"b\"", "raw": ")" + raw + "\""), "");
  const Json row = run(description)["scores"][0];
  EXPECT_EQ(row["region"], "a, \"b\"");
  std::filesystem::path path = description.outputs[0];
  const std::string csv = read_text(path.replace_extension(".csv"));
  EXPECT_NE(csv.find("mito,\"a, \"\"b\"\"\"," + row["f1"].dump()), std::string::npos) << csv;
  EXPECT_NE(read_text(path.replace_extension(".txt")).find("jaccard "), std::string::npos);
  const auto bytes = read_file_if_exists(path.replace_extension(".png"));
  ASSERT_TRUE(bytes);
  const storage::ImageInfo info = storage::png_info(*bytes, "picture");
  // The slice of the region (32 x 40 voxels: the truth's extent), enlarged eight times.
  EXPECT_EQ(info.shape, (Shape3{1, 256, 320}));
}

TEST(ScoreSegmentation, EmptySetsGiveNulls) {
  const World world;
  const TemporaryFolder out;
  const Json row =
      run(describe({world.labels, world.truth}, out.path(), {}, R"({"ids": "1000"})", ""))["scores"][0];
  EXPECT_EQ(row["f1"], 0);
  EXPECT_TRUE(row["recall"].is_null());
  EXPECT_TRUE(row["mean_false_distance_nm"].is_null());
  EXPECT_TRUE(row["mean_false_distance_clipped_nm"].is_null());
  const Json nothing = run(describe({world.labels, world.truth}, out.path() / "b", {},
                                    R"({"exclude_box_nm": [0, 0, 0, 1e5, 1e5, 1e5]})", ""));
  EXPECT_TRUE(nothing["scores"][0]["f1"].is_null());
  EXPECT_NE(nothing["notes"][0].get<std::string>().find("no voxel counts"), std::string::npos);
}

TEST(ScoreSegmentation, KeysAreStoredAndChangeNothingElse) {
  const World world;
  const TemporaryFolder out;
  const auto run_with = [&](const char* folder, const std::string& options) {
    return run(describe({world.labels, world.truth}, out.path() / folder, {}, options, ""))["scores"][0];
  };
  const Json plain = run_with("a", R"({"class_name": "mito"})");
  Json row = run_with("b", R"({"class_name": "mito", "dataset": "hela-2", "crop": "113", "setup": "setup03",
      "family": "many", "iteration": 0, "path": "p.n5", "raw_dataset": "volumes/raw/s0",
      "raw_voxel_size_nm": 4, "refined": true})");
  const Json keys = {{"dataset", "hela-2"},
                     {"crop", "113"},
                     {"setup", "setup03"},
                     {"family", "many"},
                     {"iteration", 0},
                     {"path", "p.n5"},
                     {"raw_dataset", "volumes/raw/s0"},
                     {"raw_voxel_size_nm", 4.0},
                     {"refined", 1}};
  for (const auto& [name, value] : keys.items()) {
    EXPECT_FALSE(plain.contains(name)) << name;
    EXPECT_EQ(row[name], value) << name;
    row.erase(name);
  }
  EXPECT_EQ(row, plain);
}

// True is, on the truth's own grid, what lies within the distance of a voxel of the class: the signed
// distance of paper and training targets (inside at least 0, outside minus the distance to the class) plus
// the constant is at least 0. Then cells count as without expansion.
TEST(ScoreSegmentation, ExpandedTruthEqualsItsDefinition) {
  const World world;
  const TemporaryFolder out;
  constexpr double kExpandNm = 4.5;  // beyond an edge (4 nm along z) and the diagonal of a slice
  Array<std::uint8_t> expanded(kTruthShape);
  const auto wanted = [&](const Index3& at) {
    return world.truth_voxels(at) == 3 || world.truth_voxels(at) == 4;
  };
  std::int64_t added = 0;
  for (std::int64_t z = 0; z < kTruthShape.z; ++z) {
    for (std::int64_t y = 0; y < kTruthShape.y; ++y) {
      for (std::int64_t x = 0; x < kTruthShape.x; ++x) {
        double signed_nm = wanted({z, y, x}) ? 0 : -1e300;
        for (std::int64_t dz = -2; dz <= 2; ++dz) {
          for (std::int64_t dy = -3; dy <= 3; ++dy) {
            for (std::int64_t dx = -3; dx <= 3; ++dx) {
              const Index3 at{z + dz, y + dy, x + dx};
              if (!Box::of_shape(kTruthShape).contains(at) || !wanted(at)) continue;
              const PointNm d = kTruthGrid.to_nm(at) - kTruthGrid.to_nm({z, y, x});
              signed_nm = std::max(signed_nm, -std::sqrt(d.z * d.z + d.y * d.y + d.x * d.x));
            }
          }
        }
        expanded(z, y, x) = signed_nm + kExpandNm >= 0;
        added += expanded(z, y, x) - wanted({z, y, x});
      }
    }
  }
  ASSERT_GT(added, 100);
  const auto truth = store(out.path(), "expanded", expanded, kTruthGrid);
  const Json expected = run(
      describe({world.labels, truth, world.mask}, out.path() / "twin", {}, "{}", kIncludeBox))["scores"][0];
  int i = 0;
  for (const Shape3& block : {Shape3{8, 8, 8}, Shape3{16, 24, 8}, Shape3{256, 256, 256}}) {
    Json row = run(describe({world.labels, world.truth, world.mask}, out.path() / std::to_string(i++), block,
                            R"({"ids": "3+4", "truth_expand_nm": 4.5})", kIncludeBox))["scores"][0];
    EXPECT_EQ(row["truth_expand_nm"], kExpandNm);
    row.erase("truth_expand_nm");
    EXPECT_EQ(row, expected) << to_string(block);
  }
}

std::string refusal(const blockwise::StageDescription& description) {
  try {
    make_evaluate_stage(description);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ScoreSegmentation, WhatCannotBeComparedIsRefused) {
  const World world;
  const TemporaryFolder out;
  const auto with_truth = [&](const VoxelGrid& grid, const std::string& name) {
    const auto truth = store(out.path(), name, world.truth_voxels, grid);
    return refusal(describe({world.labels, truth}, out.path(), {}, "{}", ""));
  };
  const auto expect_says = [](const std::string& message, const std::string& words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  expect_says(with_truth({{4, 2, 2}, {100, 200, 300}}, "askew"), "askew to those of the segmentation by");
  expect_says(with_truth({{16, 4, 4}, {100, 200, 300}}, "coarse"), "its voxels measure 16 nm along z");
  expect_says(with_truth({{8, 4, 3}, {100, 200, 300}}, "fraction"), "3 nm along x");
  expect_says(with_truth({{8, 4, 4}, {9100, 200, 300}}, "elsewhere"), "have no voxel in common");
  const auto with = [&](const std::string& input, const std::string& options, const std::string& box) {
    return refusal(describe({input, world.truth}, out.path(), {}, options, box));
  };
  expect_says(with(world.prediction, "{}", ""), "say with --kind");
  expect_says(with(world.labels, R"({"ids": "3+x"})", ""), "option ids");
  expect_says(with(world.labels, R"({"ids": "3+"})", ""), "option ids");
  expect_says(with(world.labels, R"({"exclude_box_nm": [1, 2, 3]})", ""), "six numbers");
  expect_says(with(world.labels, R"({"kind": "prediction"})", ""), "expected a uint8 prediction");
  expect_says(with(world.prediction, R"({"kind": "prediction", "instances": true})", ""), "without objects");
  expect_says(with(world.labels, R"({"truth_expand_nm": 2, "instances": true})", ""), "not expanded");
  expect_says(with(world.labels, "{}", "0,0,0,1,1,1"), "box-nm");
  auto description = describe({world.labels, world.truth}, out.path(), {}, "{}", "");
  description.outputs = {(out.path() / "scores.csv").string()};
  expect_says(refusal(description), "must end in .json");
}

TEST(ScoreSegmentation, AttributesTellPredictionsFromLabels) {
  const World world;
  const TemporaryFolder out;
  storage::open_dataset(world.prediction)->set_attributes({{"organon", {{"verb", "predict"}}}});
  EXPECT_EQ(
      run(describe({world.prediction, world.truth}, out.path() / "a", {}, "{}", ""))["scores"][0]["kind"],
      "prediction");
  storage::open_dataset(world.prediction)->set_attributes({{"role", "labels"}});
  EXPECT_EQ(
      run(describe({world.prediction, world.truth}, out.path() / "b", {}, "{}", ""))["scores"][0]["kind"],
      "labels");
}

}  // namespace
}  // namespace organon::stages
