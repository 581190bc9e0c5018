#include "organon/stages/evaluation/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <future>
#include <optional>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/stages/evaluation/score_records.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr Shape3 kShape{20, 32, 40};
const VoxelGrid kGrid{{8, 4, 4}, {100, 200, 300}};

template <class T, class Value>
Array<T> make_array(const Shape3& shape, Value value) {
  Array<T> voxels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z)
    for (std::int64_t y = 0; y < shape.y; ++y)
      for (std::int64_t x = 0; x < shape.x; ++x) voxels(z, y, x) = static_cast<T>(value(z, y, x));
  return voxels;
}

template <class T>
std::string store(const std::filesystem::path& folder, const std::string& name, const Array<T>& voxels,
                  const VoxelGrid& grid, const Json& attributes = Json::object()) {
  storage::DatasetSpec spec;
  spec.shape = voxels.shape();
  spec.chunk_shape = {8, 8, 8};
  spec.data_type = data_type_of<T>();
  spec.grid = grid;
  const std::string address = "n5://" + (folder / "in.n5" / name).string();
  const auto dataset = storage::create_dataset(address, spec);
  dataset->template write<T>(spec.domain(), voxels.view(), Fsync::kNo);
  if (!attributes.empty()) dataset->set_attributes(attributes);
  return address;
}

std::int64_t squared(std::int64_t value) { return value * value; }

// A is a ball of grey values, B labels of another ball at half the voxel size in y and x, raw a slope; the
// mask is coarse and has the upper half of z.
struct World {
  TemporaryFolder folder;
  Array<std::uint8_t> a_voxels = make_array<std::uint8_t>(kShape, [](auto z, auto y, auto x) {
    return std::max<std::int64_t>(0, 255 - squared(2 * (z - 14)) - squared(y - 16) - squared(x - 20));
  });
  Array<std::uint32_t> b_voxels = make_array<std::uint32_t>({20, 64, 80}, [](auto z, auto y, auto x) {
    return 4 * squared(2 * (z - 13)) + squared(y - 30) + squared(x - 44) < 900 ? 7 : 0;
  });
  Array<std::uint8_t> raw_voxels =
      make_array<std::uint8_t>(kShape, [](auto z, auto y, auto x) { return 40 + 2 * z + 3 * y + x; });
  Array<std::uint8_t> mask_voxels =
      make_array<std::uint8_t>({5, 8, 10}, [](auto z, auto, auto) { return z >= 2 ? 1 : 0; });
  std::string a = store(folder.path(), "a", a_voxels, kGrid);
  std::string b = store(folder.path(), "b", b_voxels, kGrid.refined({1, 2, 2}));
  std::string raw = store(folder.path(), "raw", raw_voxels, kGrid);
  std::string mask = store(folder.path(), "mask", mask_voxels, kGrid.downsampled({4, 4, 4}));
  ComparedAddresses addresses{a, b, raw, mask};
  ComparisonOptions options;
  std::filesystem::path output = folder.path() / "out";

  World() {
    options.edge_voxels = 8;
    options.trials = 12;
    options.name_a = "setup03@650000";
    options.name_b = "setup01";
    options.label = "mito";
    options.kind_a = "prediction";
  }
  Json kept() const { return Json::parse(read_text(output / "comparison.json")); }
};

bool is_in_b(const World& world, std::int64_t z, std::int64_t y, std::int64_t x) {
  int inside = 0;
  for (int dy = 0; dy < 2; ++dy)
    for (int dx = 0; dx < 2; ++dx) inside += static_cast<int>(world.b_voxels(z, 2 * y + dy, 2 * x + dx) != 0);
  return inside >= 2;
}

ErrorKind kind_of(const std::function<void()>& act, std::string* message = nullptr) {
  try {
    act();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.message();
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(ComparedVolumes, AreReadVoxelByVoxelOnTheCoarsestGrid) {
  const World world;
  const ComparedVolumes volumes(world.addresses, world.options);
  EXPECT_EQ(volumes.grid(), kGrid);
  EXPECT_EQ(volumes.domain(), Box::of_shape(kShape));
  EXPECT_TRUE(volumes.candidate(Contender::kA).is_prediction);
  EXPECT_FALSE(volumes.candidate(Contender::kB).is_prediction);
  const Box box{{9, 11, 13}, {17, 25, 31}};
  const TrialVoxels voxels = volumes.read(box);
  std::int64_t num_a = 0;
  std::int64_t num_b = 0;
  for (std::int64_t z = 0; z < box.shape().z; ++z)
    for (std::int64_t y = 0; y < box.shape().y; ++y)
      for (std::int64_t x = 0; x < box.shape().x; ++x) {
        const Index3 at = box.begin + Index3{z, y, x};
        EXPECT_EQ(voxels.raw(z, y, x), world.raw_voxels(at));
        EXPECT_EQ(voxels.a(z, y, x), world.a_voxels(at) >= 127 ? 1 : 0);
        EXPECT_EQ(voxels.b(z, y, x), is_in_b(world, at.z, at.y, at.x) ? 1 : 0);
        num_a += voxels.a(z, y, x);
        num_b += voxels.b(z, y, x);
      }
  EXPECT_GT(num_a, 100);
  EXPECT_GT(num_b, 100);
  EXPECT_TRUE(volumes.has_foreground(box));
  EXPECT_FALSE(volumes.has_foreground({{0, 0, 0}, {3, 3, 3}}));
  EXPECT_EQ(volumes.mask_share({{0, 0, 0}, {8, 4, 4}}), 0);
  EXPECT_EQ(volumes.mask_share({{6, 1, 1}, {10, 4, 4}}), 0.5);
  EXPECT_EQ(volumes.mask_share({{8, 0, 0}, {20, 32, 40}}), 1);
}

TEST(ComparedVolumes, RawIsStretchedBetweenItsLimitsAndAveraged) {
  World world;
  const Array<std::uint16_t> fine = make_array<std::uint16_t>(
      {40, 64, 80}, [](auto z, auto y, auto x) { return 1000 + 100 * (z % 2) + 10 * y + x; });
  world.addresses.raw = store(world.folder.path(), "fine", fine, kGrid.refined({2, 2, 2}),
                              {{storage::kContrastLimitsKey, {1100, 1610}}});
  const ComparedVolumes volumes(world.addresses, world.options);
  EXPECT_EQ(volumes.grid(), kGrid);
  const TrialVoxels voxels = volumes.read({{3, 5, 7}, {4, 30, 8}});
  for (std::int64_t y = 5; y < 30; ++y) {
    const double mean = 1050 + 10 * (2 * static_cast<double>(y) + 0.5) + 14.5;
    EXPECT_EQ(voxels.raw(0, y - 5, 0), std::lround(std::clamp(255 * (mean - 1100) / 510, 0.0, 255.0))) << y;
  }
  // Without limits the box is stretched.
  world.addresses.raw = store(world.folder.path(), "bare", fine, kGrid.refined({2, 2, 2}));
  const TrialVoxels bare = ComparedVolumes(world.addresses, world.options).read({{3, 5, 7}, {4, 30, 8}});
  EXPECT_EQ(bare.raw(0, 0, 0), 0);
  EXPECT_EQ(bare.raw(0, 24, 0), 255);
}

TEST(ComparedVolumes, KindsAreToldByOptionAttributesOrType) {
  const World world;
  ComparedAddresses addresses = world.addresses;
  const auto is_prediction = [&](const std::string& kind, std::string* message = nullptr) {
    ComparisonOptions options = world.options;
    options.kind_b = kind;
    std::optional<bool> found;
    kind_of([&] { found = ComparedVolumes(addresses, options).candidate(Contender::kB).is_prediction; },
            message);
    return found;
  };
  EXPECT_EQ(is_prediction("auto"), false) << "uint32";
  EXPECT_EQ(is_prediction("prediction"), std::nullopt) << "uint32";
  const auto add = [&](const char* name, const Json& attributes) {
    addresses.b = store(world.folder.path(), name, world.a_voxels, kGrid, attributes);
  };
  add("bare", Json::object());
  std::string message;
  EXPECT_EQ(is_prediction("auto", &message), std::nullopt);
  EXPECT_NE(message.find("say with --kind-b whether it is labels or a prediction"), std::string::npos)
      << message;
  EXPECT_EQ(is_prediction("labels"), false);
  EXPECT_EQ(is_prediction("prediction"), true);
  add("labels", {{"role", "labels"}});
  EXPECT_EQ(is_prediction("auto"), false);
  add("predicted", {{"organon", {{"verb", "predict"}}}});
  EXPECT_EQ(is_prediction("auto"), true);
}

TEST(ComparedVolumes, WhatDoesNotFitIsRefused) {
  const World world;
  const auto refuses = [&](const char* name, const VoxelGrid& grid) {
    ComparedAddresses addresses = world.addresses;
    addresses.b = store(world.folder.path(), name, world.a_voxels, grid);
    ComparisonOptions options = world.options;
    options.kind_b = "prediction";
    return kind_of([&] { const ComparedVolumes volumes(addresses, options); });
  };
  EXPECT_EQ(refuses("askew", {{8, 4, 4}, {100, 201.5, 300}}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refuses("other", {{8, 5, 4}, {100, 200, 300}}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refuses("far", {{8, 4, 4}, {100, 200, 300 + 4 * 100}}), ErrorKind::kInvalidArgument);
  ComparedAddresses floating = world.addresses;
  floating.a = store(world.folder.path(), "floating", Array<float>(kShape), kGrid);
  EXPECT_EQ(kind_of([&] { const ComparedVolumes volumes(floating, world.options); }),
            ErrorKind::kInvalidArgument);
}

TEST(Comparison, BoxesKeepTheirRulesAndSidesTheirSecret) {
  const World world;
  Comparison comparison(world.addresses, world.options, world.output);
  const ComparedVolumes volumes(world.addresses, world.options);
  EXPECT_EQ(comparison.box_shape(), (Shape3{4, 8, 8}));
  for (std::uint64_t trial = 0; trial < 12; ++trial) {
    const TrialPictures pictures = comparison.pictures(trial);
    comparison.answer(trial, Verdict::kBothBad, 1);
    const Box box = comparison.record().answered.back().box;
    EXPECT_GE(volumes.mask_share(box), 0.2);
    EXPECT_TRUE(volumes.has_foreground(box));
    const TrialVoxels voxels = volumes.read(box);
    const bool is_a_left = world.options.chance().left_of(trial) == Contender::kA;
    const auto equal = [](const Array<std::uint8_t>& found, const Array<std::uint8_t>& expected) {
      return std::equal(found.data(), found.data() + found.size(), expected.data());
    };
    EXPECT_TRUE(equal(pictures.raw, voxels.raw));
    EXPECT_TRUE(equal(pictures.left, is_a_left ? voxels.a : voxels.b));
    EXPECT_TRUE(equal(pictures.right, is_a_left ? voxels.b : voxels.a));
  }
  EXPECT_TRUE(comparison.record().is_ended);
}

// Prefers A in 9 trials, B in one, none in two: the counts are told by hand.
void answer_as(Comparison& comparison, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t trial = begin; trial < end; ++trial) {
    comparison.pictures(trial);
    const bool is_a_left = comparison.record().options.chance().left_of(trial) == Contender::kA;
    if (trial == 3) {
      comparison.answer(trial, Verdict::kBothGood, 2.5);
    } else if (trial == 7) {
      comparison.answer(trial, Verdict::kBothBad, 2.5);
    } else {
      comparison.answer(trial, is_a_left == (trial != 5) ? Verdict::kLeft : Verdict::kRight, 2.5);
    }
  }
}

TEST(Comparison, TellsTheResultAtTheEnd) {
  const World world;
  {
    Comparison comparison(world.addresses, world.options, world.output);
    answer_as(comparison, 0, 12);
  }
  const BlindedTrials chance = world.options.chance();
  const std::int64_t dealt_a =
      static_cast<std::int64_t>(chance.counted_for(3, Verdict::kBothGood) == Contender::kA) +
      static_cast<std::int64_t>(chance.counted_for(7, Verdict::kBothBad) == Contender::kA);
  const Json json = world.kept();
  EXPECT_EQ(json["result"]["a"]["preferred"], 9);
  EXPECT_EQ(json["result"]["b"]["preferred"], 1);
  EXPECT_EQ(json["result"]["both_good"], 1);
  EXPECT_EQ(json["result"]["both_bad"], 1);
  EXPECT_EQ(json["result"]["a"]["counted"], 9 + dealt_a);
  EXPECT_EQ(json["result"]["b"]["counted"], 3 - dealt_a);
  EXPECT_EQ(json["result"]["better"], "a");
  EXPECT_EQ(json["result"]["probability"], two_sided_binomial(9 + dealt_a, 3 - dealt_a));
  EXPECT_EQ(json["trials"].back()["probability"], json["result"]["probability"]);

  const ObjectTable table = tables::read_csv(world.output / "comparison.csv");
  EXPECT_EQ(table.ids().size(), 12U);
  EXPECT_EQ(tables::to_csv(table), read_text(world.output / "comparison.csv"));

  // What choose reads.
  const GatheredScores scores = gather_scores({world.output.string()});
  ASSERT_EQ(scores.rows.size(), 2U);
  const std::size_t metric = metric_index("manual_preference");
  EXPECT_EQ(scores.rows[0].setup, "setup03");
  EXPECT_EQ(scores.rows[0].iteration, 650000);
  EXPECT_EQ(scores.rows[0].label, "mito");
  EXPECT_EQ(scores.rows[0].threshold, 127);
  EXPECT_DOUBLE_EQ(scores.rows[0].value(metric), static_cast<double>(9 + dealt_a) / 12);
  EXPECT_EQ(scores.rows[1].setup, "setup01");
  EXPECT_TRUE(std::isnan(scores.rows[1].threshold)) << "labels";
  EXPECT_DOUBLE_EQ(scores.rows[0].value(metric) + scores.rows[1].value(metric), 1);
}

TEST(Comparison, GoesOnAsIfItHadNeverStopped) {
  const World world;
  {
    Comparison comparison(world.addresses, world.options, world.output);
    answer_as(comparison, 0, 12);
  }
  const std::string whole = read_text(world.output / "comparison.json");
  const std::filesystem::path other = world.folder.path() / "other";
  for (const std::uint64_t begin : {0, 1, 5, 11}) {
    Comparison comparison(world.addresses, world.options, other);
    ASSERT_EQ(comparison.record().answered.size(), begin);
    const std::uint64_t end = begin == 0 ? 1 : begin == 1 ? 5 : begin == 5 ? 11 : 12;
    answer_as(comparison, begin, end);
  }
  EXPECT_EQ(read_text(other / "comparison.json"), whole);
  const Comparison ended(world.addresses, world.options, other);
  EXPECT_TRUE(ended.record().is_ended);
}

TEST(Comparison, TakesTheLastAnswerBack) {
  const World world;
  Comparison comparison(world.addresses, world.options, world.output);
  answer_as(comparison, 0, 2);
  const std::string before = read_text(world.output / "comparison.json");
  comparison.pictures(2);
  comparison.answer(2, Verdict::kLeft, 1);
  EXPECT_EQ(kind_of([&] { comparison.undo(1); }), ErrorKind::kInvalidArgument) << "not the last";
  comparison.undo(2);
  EXPECT_EQ(read_text(world.output / "comparison.json"), before);
  EXPECT_EQ(kind_of([&] { comparison.answer(1, Verdict::kLeft, 1); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { comparison.answer(2, Verdict::kLeft, -1); }), ErrorKind::kInvalidArgument);
  comparison.undo(1);
  comparison.undo(0);
  EXPECT_EQ(kind_of([&] { comparison.end(); }), ErrorKind::kInvalidArgument) << "nothing to tell";
}

TEST(Comparison, WhatTheProbabilityCountsCannotBeTakenBack) {
  const World world;
  Comparison comparison(world.addresses, world.options, world.output);
  for (std::uint64_t trial = 0; trial < 12; ++trial) {
    EXPECT_EQ(comparison.record().num_told(), trial / 10 * 10) << trial;
    answer_as(comparison, trial, trial + 1);
    if (trial == 8) {
      comparison.undo(8);
      answer_as(comparison, 8, 9);
    }
    if (trial == 9) {
      std::string message;
      EXPECT_EQ(kind_of([&] { comparison.undo(9); }, &message), ErrorKind::kInvalidArgument);
      EXPECT_NE(message.find("of the first 10 answers has been told"), std::string::npos) << message;
    }
    if (trial == 10) {
      comparison.undo(10);
      EXPECT_EQ(kind_of([&] { comparison.undo(9); }), ErrorKind::kInvalidArgument);
      answer_as(comparison, 10, 11);
    }
  }
  EXPECT_EQ(comparison.record().num_told(), 12U) << "at the end all count";
}

TEST(Comparison, SidesAndDealingAreThoseOfNamesAndLabel) {
  const auto sides = [](const ComparisonOptions& options) {
    std::string found;
    for (std::uint64_t trial = 0; trial < 64; ++trial) {
      found += options.chance().left_of(trial) == Contender::kA ? 'a' : 'b';
      found += options.chance().counted_for(trial, Verdict::kBothGood) == Contender::kA ? 'a' : 'b';
    }
    return found;
  };
  ComparisonOptions options;
  options.name_a = "one";
  options.name_b = "two";
  options.label = "mito";
  const std::string whole = sides(options);
  EXPECT_EQ(sides(options), whole);
  for (const auto change : {+[](ComparisonOptions& other) { other.seed = 1; },
                            +[](ComparisonOptions& other) { other.name_a = "three"; },
                            +[](ComparisonOptions& other) { other.name_b = "three"; },
                            +[](ComparisonOptions& other) { std::swap(other.name_a, other.name_b); },
                            +[](ComparisonOptions& other) { other.label = "er"; }}) {
    ComparisonOptions other = options;
    change(other);
    EXPECT_NE(sides(other), whole);
  }
}

TEST(Comparison, EndsBeforeItsEndWhenTold) {
  const World world;
  Comparison comparison(world.addresses, world.options, world.output);
  EXPECT_EQ(kind_of([&] { comparison.pictures(2); }), ErrorKind::kNotFound) << "two ahead";
  answer_as(comparison, 0, 3);
  EXPECT_FALSE(world.kept().contains("result"));
  EXPECT_FALSE(world.kept().contains("scores"));
  comparison.end();
  EXPECT_EQ(world.kept()["result"]["a"]["preferred"], 3);
  EXPECT_EQ(world.kept()["result"]["num_answered"], 3);
  EXPECT_EQ(world.kept()["result"]["num_trials"], 12);
  for (const Json& row : world.kept()["scores"]) {
    EXPECT_EQ(row["num_answered"], 3);
    EXPECT_EQ(row["num_trials"], 12);
  }
  EXPECT_EQ(kind_of([&] { comparison.pictures(3); }), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of([&] { comparison.answer(3, Verdict::kLeft, 1); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of([&] { comparison.undo(2); }), ErrorKind::kInvalidArgument);
}

TEST(Comparison, AnotherComparisonIsNotMixedIn) {
  World world;
  {
    Comparison comparison(world.addresses, world.options, world.output);
    answer_as(comparison, 0, 2);
  }
  const auto refusal = [&](const ComparedAddresses& addresses, const ComparisonOptions& options) {
    std::string message;
    EXPECT_EQ(kind_of([&] { const Comparison again(addresses, options, world.output); }, &message),
              ErrorKind::kInvalidArgument);
    return message;
  };
  ComparisonOptions seeded = world.options;
  seeded.seed = 1;
  EXPECT_NE(refusal(world.addresses, seeded).find("option seed: 0, not 1"), std::string::npos);
  ComparedAddresses swapped = world.addresses;
  swapped.a = swapped.raw;
  EXPECT_NE(refusal(swapped, world.options).find("volume a"), std::string::npos);
  ComparisonOptions named = world.options;
  named.name_b = named.name_a;
  EXPECT_NE(refusal(world.addresses, named).find("both candidates"), std::string::npos);
  ComparisonOptions unlabelled = world.options;
  unlabelled.label.clear();
  EXPECT_NE(refusal(world.addresses, unlabelled).find("option label"), std::string::npos);
  // The same dataset with other voxels.
  Array<std::uint8_t> darker = world.raw_voxels.clone();
  for (std::int64_t i = 0; i < darker.size(); ++i) --darker.data()[i];
  store(world.folder.path(), "raw", darker, kGrid);
  EXPECT_NE(refusal(world.addresses, world.options).find("a volume changed"), std::string::npos);
  store(world.folder.path(), "raw", world.raw_voxels, kGrid);
  const Comparison again(world.addresses, world.options, world.output);
  EXPECT_EQ(again.record().answered.size(), 2U);
  EXPECT_EQ(kind_of([&] { const Comparison second(world.addresses, world.options, world.output); }),
            ErrorKind::kAlreadyExists);
}

TEST(Comparison, WhatCannotBeDrawnIsToldBeforeTheFirstTrial) {
  World world;
  ComparisonOptions large = world.options;
  large.edge_voxels = 33;
  EXPECT_EQ(kind_of([&] { const Comparison comparison(world.addresses, large, world.output); }),
            ErrorKind::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(world.output / "comparison.json"));
  store(world.folder.path(), "mask", Array<std::uint8_t>({5, 8, 10}), kGrid.downsampled({4, 4, 4}));
  std::string message;
  EXPECT_EQ(
      kind_of([&] { const Comparison comparison(world.addresses, world.options, world.output); }, &message),
      ErrorKind::kInvalidArgument);
  EXPECT_NE(message.find("mask"), std::string::npos) << message;
}

TEST(Comparison, AnswersWhileTheNextTrialIsDrawn) {
  const World world;
  Comparison comparison(world.addresses, world.options, world.output);
  for (std::uint64_t trial = 0; trial < 11; ++trial) {
    auto next = std::async(std::launch::async, [&] { return comparison.pictures(trial + 1).raw.size(); });
    comparison.pictures(trial);
    next.get();
    comparison.answer(trial, Verdict::kRight, 0);
  }
  EXPECT_EQ(comparison.record().answered.size(), 11U);
}

TEST(ComparisonRecord, ReadsWhatItWroteAndRefusesElse) {
  const World world;
  {
    Comparison comparison(world.addresses, world.options, world.output);
    answer_as(comparison, 0, 8);
    comparison.end();
  }
  const std::string text = read_text(world.output / "comparison.json");
  EXPECT_EQ(to_text(ComparisonRecord::parse(text, "x").to_json()), text);
  const auto accepts = [&](const std::function<void(Json&)>& change) {
    Json json = Json::parse(text);
    change(json);
    std::string message;
    const ErrorKind kind = kind_of([&] { ComparisonRecord::parse(json.dump(), "file.json"); }, &message);
    if (kind == ErrorKind::kInternal) return true;
    EXPECT_EQ(kind, ErrorKind::kCorruptData) << message;
    EXPECT_NE(message.find("file.json"), std::string::npos) << message;
    return false;
  };
  EXPECT_TRUE(accepts([](Json&) {}));
  EXPECT_FALSE(accepts([](Json& json) { json = 3; }));
  EXPECT_FALSE(accepts([](Json& json) { json["format"] = "organon-comparison/1"; }));
  EXPECT_FALSE(accepts([](Json& json) { json["options"]["seed"] = "x"; }));
  EXPECT_FALSE(accepts([](Json& json) { json["options"]["trials"] = 7; })) << "fewer than answered";
  EXPECT_FALSE(accepts([](Json& json) { json["inputs"].erase("raw"); }));
  EXPECT_FALSE(accepts([](Json& json) { json["voxel_size_nm"] = {1, 2}; }));
  EXPECT_FALSE(accepts([](Json& json) { json["voxel_size_nm"] = {1, 0, 2}; }));
  EXPECT_FALSE(accepts([](Json& json) { json["is_ended"] = 1; }));
  EXPECT_FALSE(accepts([](Json& json) { json["trials"][2]["answer"] = "left"; }));
  EXPECT_FALSE(accepts([](Json& json) { json["trials"][2]["box_voxels"] = {0, 0, 0, 4, 0, 4}; }));
  EXPECT_FALSE(accepts([](Json& json) { json["trials"][2]["box_voxels"][4] = 1e18; }));
  EXPECT_FALSE(accepts([](Json& json) { json["trials"][2]["seconds"] = -1; }));
  EXPECT_FALSE(accepts([](Json& json) { json["trials"][2].erase("shown"); }));
  EXPECT_FALSE(accepts([](Json& json) { json["options"]["label"] = ""; }));
  for (const char* key : {"left", "counted_for"}) {
    EXPECT_FALSE(accepts([&](Json& json) { json["trials"][2].erase(key); })) << key;
    EXPECT_FALSE(accepts([&](Json& json) {
      Json& stored = json["trials"][2][key];
      stored = stored == "a" ? "b" : "a";
    })) << key;
  }
  EXPECT_FALSE(accepts([](Json& json) { json["trials"].clear(); })) << "ended without an answer";
}

TEST(ComparisonRecord, TheSeedOfItsFuzzTargetIsOne) {
  const std::filesystem::path file =
      std::filesystem::path(ORGANON_SOURCE_FOLDER) / "tests/fuzz/corpus/scores/comparison.json";
  EXPECT_EQ(ComparisonRecord::parse(read_text(file), file.string()).answered.size(), 2U);
}

TEST(CandidateName, HasSetupAndIteration) {
  EXPECT_EQ(candidate_name("setup03@650000").setup, "setup03");
  EXPECT_EQ(candidate_name("setup03@650000").iteration, 650000);
  EXPECT_EQ(candidate_name("a@b@7").setup, "a@b");
  for (const char* plain : {"setup03", "setup03@", "setup03@6k", "setup03@-1", "s3@99999999999999999999"}) {
    EXPECT_EQ(candidate_name(plain).setup, plain);
    EXPECT_EQ(candidate_name(plain).iteration, -1);
  }
}

}  // namespace
}  // namespace organon::stages
