#include "organon/stages/training/train_network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>
#include <sstream>

#include "organon/base/cancellation.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/testing/stage_contract.h"
#include "organon/nn/network.h"
#include "organon/stages/training/curves.h"
#include "organon/stages/training/event_file.h"
#include "organon/stages/training/load_crop.h"

namespace organon::stages {
namespace {

using organon::testing::TemporaryFolder;

constexpr const char* kOptions = R"({"classes": ["a", "b"], "features": [4, 8], "pooling": [2], "steps": 30,
    "batch": 4, "patch": 16, "learning_rate": 0.01, "warmup_steps": 2, "log_every": 5, "checkpoint_every": 10,
    "keep_checkpoints": 2, "validate_every": 10, "validation_patches": 4})";

template <class T>
void store(const std::string& address, const Shape3& shape, const VoxelGrid& grid, const Json& attributes,
           const std::function<T(const Index3&)>& value_of) {
  storage::DatasetSpec spec;
  spec.shape = shape;
  spec.chunk_shape = {16, 16, 16};
  spec.data_type = data_type_of<T>();
  spec.grid = grid;
  Array<T> voxels(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      for (std::int64_t x = 0; x < shape.x; ++x) voxels(z, y, x) = value_of({z, y, x});
    }
  }
  const auto dataset = storage::create_dataset(address, spec);
  dataset->write<T>(spec.domain(), std::as_const(voxels).view(), Fsync::kNo);
  if (!attributes.empty()) dataset->set_attributes(attributes);
}

bool is_bright(const Index3& at) { return (at.z / 5 + at.y / 4 + at.x / 6) % 2 == 0; }

// Raw whose grey value tells the class; `a`: bright, `b`: dark. Returns the inputs of a pair.
std::vector<std::string> store_pair(const std::filesystem::path& folder) {
  const std::string container = "n5://" + (folder / "crop.n5").string();
  const VoxelGrid grid{{8, 8, 8}, {0, 0, 0}};
  const Shape3 shape{24, 28, 32};
  store<std::uint8_t>(
      container + "/raw", shape, grid, {{"contrast_limits", {50, 150}}}, [](const Index3& at) {
        return static_cast<std::uint8_t>((is_bright(at) ? 120 : 80) +
                                         mix64(static_cast<std::uint64_t>(at.z * 1024 + at.y * 32 + at.x)) %
                                             20);
      });
  store<std::uint8_t>(container + "/targets/a", shape, grid, {},
                      [](const Index3& at) { return is_bright(at) ? 220 : 30; });
  store<std::uint8_t>(container + "/targets/b", shape, grid, {},
                      [](const Index3& at) { return is_bright(at) ? 30 : 220; });
  return {container + "/raw", container + "/targets"};
}

blockwise::StageDescription description_of(const std::vector<std::string>& inputs,
                                           const std::filesystem::path& folder,
                                           const std::string& options = kOptions) {
  blockwise::StageDescription description;
  description.verb = "train";
  description.options_json = options;
  description.inputs = inputs;
  description.outputs = {(folder / "network").string()};
  return description;
}

blockwise::RunResult run(const blockwise::StageDescription& description) {
  return blockwise::testing::run_in({make_train_stage, {}, {}}, description, 2);
}

// The curve without its times.
std::string losses_in(const std::filesystem::path& folder) {
  std::istringstream lines(read_text(folder / "network" / "curves.csv"));
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(',');
    result += line.substr(0, first) + line.substr(line.find(',', first + 1)) + "\n";
  }
  return result;
}

// Stops the training in the middle as a killed worker would: an error at the step after which `left` reports
// came.
class Interrupted : public blockwise::Stage {
 public:
  Interrupted(std::unique_ptr<blockwise::Stage> stage, int reports)
      : stage_(std::move(stage)), reports_(reports) {}
  std::vector<std::string> steps() const override { return stage_->steps(); }
  std::vector<blockwise::StepPlan> plans() const override { return stage_->plans(); }
  std::unique_ptr<blockwise::Step> make_step(std::size_t index,
                                             const blockwise::RunFolder& run) const override {
    return std::make_unique<InterruptedStep>(stage_->make_step(index, run), reports_);
  }

 private:
  class Output : public blockwise::BlockOutput {
   public:
    Output(blockwise::BlockOutput& output, int reports) : output_(output), left_(reports) {}
    void write(std::size_t, const Box&, const AnyArray&) override {}
    void emit(std::int64_t key, std::span<const std::byte> bytes) override { output_.emit(key, bytes); }
    void add_file(const std::filesystem::path&, const Hash128&) override {}
    void report(double, const std::string&) override {
      if (--left_ == 0) throw Error(ErrorKind::kResourceExhausted, "interrupted by the test");
    }

   private:
    blockwise::BlockOutput& output_;
    int left_;
  };
  class InterruptedStep : public blockwise::Step {
   public:
    InterruptedStep(std::unique_ptr<blockwise::Step> step, int reports)
        : step_(std::move(step)), reports_(reports) {}
    blockwise::StepPlan plan() const override { return step_->plan(); }
    void process(const blockwise::Block& block, blockwise::BlockOutput& output) const override {
      Output interrupted(output, reports_);
      step_->process(block, interrupted);
    }

   private:
    std::unique_ptr<blockwise::Step> step_;
    int reports_;
  };
  std::unique_ptr<blockwise::Stage> stage_;
  int reports_;
};

// With a learning rate of 0 no score is better than the first: the first network is the best.
TEST(TrainNetwork, StopsWhereScoresGetNoBetter) {
  const TemporaryFolder folder;
  auto inputs = store_pair(folder.path() / "train");
  for (const std::string& input : store_pair(folder.path() / "validate")) inputs.push_back(input);
  const auto description = description_of(inputs, folder.path(), R"({"classes": ["a", "b"],
      "roles": ["train", "validate"], "features": [4, 8], "pooling": [2], "steps": 100, "batch": 2, "patch": 16,
      "learning_rate": 0, "log_every": 5, "checkpoint_every": 5, "validate_every": 5, "validation_patches": 4,
      "patience": 3})");
  const auto result = run(description);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
  const auto network = folder.path() / "network";
  EXPECT_TRUE(std::filesystem::exists(network / "checkpoints" / "step_000020.organon"));
  EXPECT_FALSE(std::filesystem::exists(network / "checkpoints" / "step_000025.organon"));
  EXPECT_EQ(nn::Network::load(network / "network.organon").step(), 5);
}

TEST(TrainNetwork, LearnsAndLeavesNetworkCurvesAndCheckpoints) {
  const TemporaryFolder folder;
  auto inputs = store_pair(folder.path() / "train");
  for (const std::string& input : store_pair(folder.path() / "validate")) inputs.push_back(input);
  const auto description = description_of(inputs, folder.path(), R"({"classes": ["a", "b"],
      "roles": ["train", "validate"], "features": [4, 8], "pooling": [2], "steps": 150, "batch": 4, "patch": 16,
      "learning_rate": 0.02, "warmup_steps": 2, "average": 0.9, "log_every": 25, "checkpoint_every": 50,
      "keep_checkpoints": 2, "validate_every": 50, "validation_patches": 4, "contrast_range": 0.1,
      "brightness_range": 0.1, "gamma_range": 0.1})");
  const auto result = run(description);
  ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
  const auto network = folder.path() / "network";
  EXPECT_EQ(nn::Network::read_info(network / "network.organon").voxel_size_nm, (SizeNm{8, 8, 8}));
  EXPECT_FALSE(std::filesystem::exists(network / "checkpoints" / "step_000050.organon"));
  EXPECT_TRUE(std::filesystem::exists(network / "checkpoints" / "step_000100.organon"));
  EXPECT_TRUE(std::filesystem::exists(network / "checkpoints" / "step_000150.organon"));
  Curves curves({"a", "b"});
  curves.read(network / "curves.csv", 1000);
  ASSERT_EQ(curves.rows().size(), 6U);
  EXPECT_EQ(curves.rows()[0].step, 25);
  EXPECT_TRUE(curves.rows()[0].scores.empty());
  ASSERT_EQ(curves.rows()[5].scores.size(), 2U);
  EXPECT_GT(curves.rows()[5].scores[0], 0.8);
  EXPECT_LT(curves.rows()[5].losses[0], 0.5 * curves.rows()[0].losses[0]);
  EXPECT_NE(read_text(network / "curves.svg").find("<polyline"), std::string::npos);
  const Json steps = parse_json(read_text(network / "samples" / "index.json"), "index.json").at("steps");
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].at("step"), 50);
  EXPECT_EQ(steps[2].at("file"), "step_000150.png");
  const Json told = parse_json(read_text(network / "training.json"), "training.json");
  EXPECT_EQ(told.at("name"), "network");
  EXPECT_GT(told.at("waited_share").get<double>(), 0) << "for the first batch, at least";
  EXPECT_LE(told.at("waited_share").get<double>(), 1);
  EXPECT_TRUE(run(description).was_unchanged);
}

TEST(TrainNetwork, CheckpointsKnowTheBoundaryOfEachClass) {
  const TemporaryFolder folder;
  const auto levels_with = [&](int patches, const std::string& file) {
    const auto at = folder.path() / std::to_string(patches);
    const std::string options = kOptions;
    const auto result = run(description_of(
        store_pair(at), at, fmt::format(R"({{"calibration_patches": {}, {})", patches, options.substr(1))));
    EXPECT_TRUE(result.failures.empty());
    return nn::Network::read_info(at / "network" / file).boundary_levels;
  };
  EXPECT_TRUE(levels_with(0, "network.organon").empty());
  for (const char* file :
       {"network.organon", "checkpoints/step_000020.organon", "checkpoints/step_000030.organon"})
    EXPECT_EQ(levels_with(8, file).size(), 2U) << file;
}

TEST(TrainNetwork, TheLearningRateRisesAndThenFallsByACosine) {
  constexpr double kLargest = 0.008;
  constexpr int kSteps = 20;
  const TemporaryFolder folder;
  const auto rates_of = [&](const std::string& name, int warmup_steps) {
    const auto at = folder.path() / name;
    const auto result = run(description_of(
        store_pair(at), at,
        fmt::format(R"({{"classes": ["a"], "features": [2, 4], "pooling": [2], "steps": {}, "batch": 2,
            "patch": 16, "learning_rate": {}, "warmup_steps": {}, "log_every": 1}})",
                    kSteps, kLargest, warmup_steps)));
    EXPECT_TRUE(result.failures.empty());
    Curves curves({"a"});
    curves.read(at / "network" / "curves.csv", kSteps);
    std::vector<double> rates;
    for (const CurveRow& row : curves.rows()) rates.push_back(row.learning_rate.value_or(-1));
    return rates;
  };
  const std::vector<double> rates = rates_of("warm", 4);
  const std::vector<double> cold = rates_of("cold", 0);
  ASSERT_EQ(rates.size(), std::size_t{kSteps});
  ASSERT_EQ(cold.size(), std::size_t{kSteps});
  for (int step = 0; step < kSteps; ++step) {
    // From 1 to 0.01 over all steps, the first of which take 1/5 ... 4/5 of it.
    const double fall = 0.505 + 0.495 * std::cos(std::numbers::pi * step / kSteps);
    const double rise = step < 4 ? (step + 1) / 5.0 : 1;
    const auto i = static_cast<std::size_t>(step);
    EXPECT_NEAR(cold[i], kLargest * fall, 1e-5 * kLargest) << step;
    EXPECT_NEAR(rates[i], kLargest * fall * rise, 1e-5 * kLargest) << step;
  }
  EXPECT_EQ(cold.front(), kLargest);
  EXPECT_GT(cold.back(), 0.01 * kLargest);
  EXPECT_LT(cold.back(), 0.02 * kLargest);
}

TEST(TrainNetwork, StartsFromANetworkAndTakesItsTopology) {
  const TemporaryFolder folder;
  auto inputs = store_pair(folder.path());
  ASSERT_TRUE(run(description_of(inputs, folder.path() / "first")).failures.empty());
  inputs.push_back((folder.path() / "first" / "network" / "network.organon").string());
  const auto description = description_of(
      inputs, folder.path() / "second",
      R"({"classes": ["a", "b"], "steps": 5, "batch": 2, "patch": 16, "learning_rate": 0, "log_every": 5})");
  const auto result = run(description);
  ASSERT_TRUE(result.failures.empty()) << result.failures[0].message;
  const auto ended = nn::Network::load(folder.path() / "second" / "network" / "network.organon");
  EXPECT_EQ(ended.info().options.features, (std::vector<std::int64_t>{4, 8}));
  EXPECT_EQ(ended.step(), 5);
  // At learning rate 0 only statistics move.
  Curves first({"a", "b"}), second({"a", "b"});
  first.read(folder.path() / "first" / "network" / "curves.csv", 100);
  second.read(folder.path() / "second" / "network" / "curves.csv", 100);
  EXPECT_LT(second.rows().front().losses[0], 0.7 * first.rows().front().losses[0]);
  // Another network to start from is another training.
  write_text_atomically(inputs.back(), read_text(folder.path() / "second" / "network" / "network.organon"));
  EXPECT_FALSE(run(description).was_unchanged);

  // It would be removed before it is read.
  inputs.back() = (folder.path() / "second" / "network" / "network.organon").string();
  EXPECT_THROW(make_train_stage(description_of(inputs, folder.path() / "second")), Error);
  EXPECT_TRUE(std::filesystem::exists(inputs.back()));
  inputs.back() = (folder.path() / "none.organon").string();
  EXPECT_THROW(make_train_stage(description_of(inputs, folder.path() / "third")), Error);
}

TEST(TrainNetwork, KilledAndResumedItFollowsTheSameCurve) {
  const TemporaryFolder whole;
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto expected = run(description_of(inputs, whole.path()));
  ASSERT_TRUE(expected.failures.empty());
  for (const int reports : {1, 3, 4, 5}) {
    const TemporaryFolder killed;
    const auto description = description_of(inputs, killed.path());
    const blockwise::StageFactory interrupted = [&](const blockwise::StageDescription& d) {
      return std::make_unique<Interrupted>(make_train_stage(d), reports);
    };
    SilentProgress silent;
    const blockwise::RunFolder folder_of_run(blockwise::run_folder_of(description.outputs[0]));
    blockwise::RunOptions options;
    options.workers = 1;
    options.fsync = Fsync::kNo;
    EXPECT_THROW(blockwise::run_stage(description, interrupted, folder_of_run, options, silent), Error);
    const auto result = run(description);
    ASSERT_TRUE(result.failures.empty());
    EXPECT_EQ(losses_in(killed.path()), losses_in(whole.path())) << "killed at report " << reports;
    const auto twin = [](const TemporaryFolder& at) {
      return read_text(at.path() / "network" / "network.organon");
    };
    // Weights to the last bit: the networks' files differ in nothing but the identity they share.
    EXPECT_TRUE(twin(killed) == twin(whole));
    // Records of the same steps and curves are as long whatever their times: none is missing or there twice.
    const auto num_event_bytes = [](const TemporaryFolder& at) {
      return std::filesystem::file_size(event_file_in(at.path() / "network"));
    };
    EXPECT_EQ(num_event_bytes(killed), num_event_bytes(whole));
    const auto pictures = [](const TemporaryFolder& at) {
      std::map<std::string, std::string> found;
      for (const auto& entry : std::filesystem::directory_iterator(at.path() / "network" / "samples"))
        found[entry.path().filename().string()] = read_text(entry.path());
      return found;
    };
    EXPECT_TRUE(pictures(killed) == pictures(whole));
    EXPECT_EQ(pictures(whole).size(), 6U) << "index, raw, truth, three steps";
  }
}

TEST(TrainNetwork, ChangedOptionsStartAnew) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  ASSERT_TRUE(run(description_of(inputs, folder.path())).failures.empty());
  std::string options = kOptions;
  options.replace(options.find("\"steps\": 30"), 11, "\"steps\": 10");
  ASSERT_TRUE(run(description_of(inputs, folder.path(), options)).failures.empty());
  EXPECT_EQ(nn::Network::load(folder.path() / "network" / "network.organon").step(), 10);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "network" / "checkpoints" / "step_000030.organon"));
}

TEST(TrainNetwork, ADamagedCheckpointGivesWayToTheOneBefore) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  auto description = description_of(inputs, folder.path());
  ASSERT_TRUE(run(description).failures.empty());
  const std::string expected = losses_in(folder.path());
  const auto network = folder.path() / "network";
  std::filesystem::resize_file(network / "checkpoints" / "step_000030.organon", 1000);
  std::filesystem::remove(network / "network.organon");
  std::filesystem::remove_all(blockwise::run_folder_of(description.outputs[0]));
  ASSERT_TRUE(run(description).failures.empty());
  EXPECT_EQ(losses_in(folder.path()), expected);
}

TEST(TrainNetwork, GoingOnKeepsTheNotedBeginning) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto description = description_of(inputs, folder.path());
  const auto network = folder.path() / "network";
  ASSERT_TRUE(run(description).failures.empty());
  const auto events_after_going_on = [&](const Json& noted) {
    write_text_atomically(network / "training.json", to_text(noted), Fsync::kNo);
    std::filesystem::remove(network / "network.organon");
    std::filesystem::remove_all(blockwise::run_folder_of(description.outputs[0]));
    EXPECT_TRUE(run(description).failures.empty());
    return read_text(event_file_in(network));
  };
  Json noted = parse_json(read_text(network / "training.json"), "training.json");
  const double noted_seconds = noted.at("began_unix_seconds").get<double>();
  EXPECT_TRUE(read_text(event_file_in(network)).starts_with(encode_events(noted_seconds, {})));
  noted["began_unix_seconds"] = 12345;
  EXPECT_TRUE(events_after_going_on(noted).starts_with(encode_events(12345, {})));
  noted.erase("began_unix_seconds");
  const std::string events = events_after_going_on(noted);
  EXPECT_FALSE(events.starts_with(encode_events(12345, {})));

  // Of a training that had done all its steps before there were event files.
  std::filesystem::remove(event_file_in(network));
  EXPECT_EQ(events_after_going_on(noted).size(), events.size());
}

TEST(TrainNetwork, ALossThatIsNotFiniteStopsAndKeepsTheLastCheckpoint) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  // A rate at which a network that nothing normalises overflows within a few steps.
  const auto result = run(description_of(inputs, folder.path(), R"({"classes": ["a", "b"], "features": [4, 8],
      "pooling": [2], "convolutions": 4, "normalization": "none", "steps": 200, "batch": 2, "patch": 16,
      "learning_rate": 10, "warmup_steps": 0, "log_every": 1, "checkpoint_every": 1})"));
  ASSERT_EQ(result.failures.size(), 1U);
  EXPECT_NE(result.failures[0].message.find("loss of class"), std::string::npos)
      << result.failures[0].message;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "network" / "network.organon"));
  std::int64_t last = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "network" / "checkpoints")) {
    last = std::max(last, nn::Network::load(entry.path()).step());
  }
  EXPECT_GT(last, 0);
  EXPECT_NE(result.failures[0].message.find("step " + std::to_string(last + 1)), std::string::npos)
      << result.failures[0].message;
}

TEST(TrainNetwork, WhatDoesNotFitIsRefused) {
  const TemporaryFolder folder;
  const auto inputs = store_pair(folder.path());
  const auto with = [&](const std::string& extra) {
    std::string options = kOptions;
    return options.insert(1, extra + ", ");
  };
  const std::vector<std::string> wrong = {
      with(R"("roles": ["train", "train"])"), with(R"("roles": ["test"])"),
      with(R"("contrast_limits": [1, 2, 3])"), R"({"classes": ["a"], "patch": 10})", R"({"classes": []})",
      R"({"classes": ["a"], "features": [4, 8, 8], "pooling": [2, 2], "stem": 2, "patch": 8})",  // 1 voxel
                                                                                                 // deep
      with(R"("precision": "float16")"),
      // Adam divides by 1 - beta^step.
      with(R"("beta1": 1)"), with(R"("beta2": 1)")};
  for (const std::string& options : wrong) {
    EXPECT_THROW(make_train_stage(description_of(inputs, folder.path(), options)), Error) << options;
  }
  EXPECT_THROW(make_train_stage(description_of({inputs[0]}, folder.path())), Error);
  const auto all_validate = run(description_of(inputs, folder.path(), with(R"("roles": ["validate"])")));
  ASSERT_FALSE(all_validate.failures.empty());
}

TEST(LoadCrop, FinerRawIsReducedByItsMeanOnTheGridOfTheTargets) {
  const TemporaryFolder folder;
  const std::string container = "n5://" + (folder.path() / "c.n5").string();
  // Raw of 4 nm whose voxel 2 k + 3 begins target voxel k of 8 nm.
  store<std::uint16_t>(
      container + "/raw", {40, 40, 40}, {{4, 4, 4}, {100, 100, 100}}, {},
      [](const Index3& at) { return static_cast<std::uint16_t>(1000 + 10 * at.z + 3 * at.y + at.x); });
  store<std::uint8_t>(container + "/targets/a", {10, 12, 14}, {{8, 8, 8}, {114, 114, 114}}, {},
                      [](const Index3& at) {
                        return static_cast<std::uint8_t>(at.z >= 2 && at.y < 9 && at.x != 0 ? 1 + at.z : 0);
                      });
  CropRequest request;
  request.raw = container + "/raw";
  request.targets = container + "/targets";
  request.classes = {"a"};
  EXPECT_THROW(load_crop(request), Error);  // no contrast limits
  request.contrast_limits = {1000, 2000};
  request.context = {3, 3, 3};
  const LoadedCrop loaded = load_crop(request);
  EXPECT_EQ(loaded.voxel_size_nm, (SizeNm{8, 8, 8}));
  // Annotated z 2..9, y 0..8, x 1..13; with context as far as raw reaches: from -1 on.
  // Annotated z 2..9, y 0..8, x 1..13; with context as far as raw reaches: from -1 on.
  EXPECT_EQ(loaded.crop.raw.at(0).shape(), (Shape3{14, 13, 18}));
  EXPECT_EQ(loaded.crop.raw.at(0).shape(), (Shape3{14, 13, 18}));
  const Box& annotated = loaded.crop.annotated;
  EXPECT_EQ(annotated.shape(), (Shape3{8, 9, 13}));
  for (std::int64_t z = 0; z < 8; ++z) {
    for (std::int64_t y = 0; y < 9; ++y) {
      for (std::int64_t x = 0; x < 13; ++x) {
        const Index3 at = annotated.begin + Index3{z, y, x};
        const Index3 fine{2 * (z + 2) + 3, 2 * y + 3, 2 * (x + 1) + 3};
        const double mean = 1000 + 10 * (static_cast<double>(fine.z) + 0.5) +
                            3 * (static_cast<double>(fine.y) + 0.5) + static_cast<double>(fine.x) + 0.5;
        ASSERT_NEAR(loaded.crop.raw[0](at), (mean - 1000) / 500 - 1, 1e-4);
        ASSERT_EQ(loaded.crop.targets[0](at), 1 + z + 2);
      }
    }
  }
}

// Targets of 4 nm that begin in the middle of a voxel of raw of 8 nm.
TEST(LoadCrop, TargetsMayBeFinerThanRawAndBeginAnywhere) {
  const TemporaryFolder folder;
  const std::string container = "n5://" + (folder.path() / "c.n5").string();
  const auto grey = [](double value) { return static_cast<float>(value / 127.5 - 1); };
  const auto store_raw = [&](const std::string& name, std::int64_t edge, double size) {
    store<std::uint8_t>(
        container + name, Shape3::cube(edge), {{size, size, size}, {size / 2, size / 2, size / 2}},
        {{"contrast_limits", {0, 255}}},
        [](const Index3& at) { return static_cast<std::uint8_t>(2 * at.z + at.y + 3 * at.x); });
  };
  store_raw("/raw8", 20, 8);
  store_raw("/raw4", 40, 4);
  // Target voxel 0 lies in voxel (5, 6, 3) of raw: along z and x it is that one's second half.
  store<std::uint8_t>(
      container + "/targets/a", {9, 10, 12}, {{4, 4, 4}, {46, 50, 30}}, {},
      [](const Index3& at) { return static_cast<std::uint8_t>(1 + at.z * 20 + at.y + at.x); });
  CropRequest request;
  request.raw = container + "/raw8";
  request.targets = container + "/targets";
  request.classes = {"a"};
  request.context = {2, 2, 2};
  request.target_scale = 2;
  const LoadedCrop coarse = load_crop(request);
  EXPECT_EQ(coarse.voxel_size_nm, (SizeNm{8, 8, 8}));
  ASSERT_EQ(coarse.crop.raw.size(), 1U);
  EXPECT_EQ(coarse.crop.raw[0].shape(), (Shape3{9, 9, 11}));
  ASSERT_EQ(coarse.crop.targets[0].shape(), (Shape3{18, 18, 22}));
  EXPECT_EQ(coarse.crop.annotated, (Box{{5, 4, 5}, {14, 14, 17}}));
  EXPECT_EQ(coarse.crop.targets[0](5, 4, 5), 1);
  EXPECT_NEAR(coarse.crop.raw[0](2, 2, 2), grey(2 * 5 + 6 + 3 * 3), 1e-5);

  // Of raw as fine as targets any two voxels make one, and either stands for both.
  request.raw = container + "/raw4";
  EXPECT_NEAR(load_crop(request).crop.raw.at(0)(2, 2, 2), grey(2 * 11.5 + 12.5 + 3 * 7.5), 1e-5);
  request.takes_phases = true;
  const LoadedCrop phases = load_crop(request);
  ASSERT_EQ(phases.crop.raw.size(), 8U);
  EXPECT_NEAR(phases.crop.raw[0](2, 2, 2), grey(2 * 11 + 12 + 3 * 7), 1e-5);
  EXPECT_NEAR(phases.crop.raw[6](2, 2, 2), grey(2 * 12 + 13 + 3 * 7), 1e-5) << "the next in z and y";
  EXPECT_NEAR(phases.crop.raw[1](2, 2, 2), grey(2 * 11 + 12 + 3 * 8), 1e-5) << "the next in x";
}

TEST(LoadCrop, RawThatIsCoarserOrDoesNotDivideIsRefused) {
  const TemporaryFolder folder;
  const std::string container = "n5://" + (folder.path() / "c.n5").string();
  store<std::uint8_t>(container + "/targets/a", {8, 8, 8}, {{8, 8, 8}, {0, 0, 0}}, {},
                      [](const Index3&) { return 200; });
  int number = 0;
  for (const double size : {16.0, 6.0, 7.5}) {
    const std::string raw = container + "/raw" + std::to_string(number++);
    store<std::uint8_t>(raw, {20, 20, 20}, {{size, size, size}, {0, 0, 0}}, {{"contrast_limits", {0, 255}}},
                        [](const Index3&) { return 100; });
    EXPECT_THROW(load_crop({raw, container + "/targets", {"a"}, {}, {}}), Error) << size;
  }
}

TEST(Curves, ReadWhatTheyWroteUpToAStep) {
  const TemporaryFolder folder;
  Curves curves({"a", "b"});
  curves.add({10, 1.5, {0.5, 0.25}, {}});
  curves.add({20, 3.5, {0.4, 0.125}, {0.75, 0.5}, 0.01});
  curves.add({30, 4.5, {0.3, 0.1}, {}});
  curves.write(folder.path(), 0);
  Curves read({"a", "b"});
  read.read(folder.path() / "curves.csv", 20);
  ASSERT_EQ(read.rows().size(), 2U);
  EXPECT_EQ(read.rows()[1].losses[1], 0.125);
  EXPECT_EQ(read.rows()[1].scores, (std::vector<double>{0.75, 0.5}));
  EXPECT_TRUE(read.rows()[0].scores.empty());
  EXPECT_FALSE(read.rows()[0].learning_rate);
  EXPECT_EQ(read.rows()[1].learning_rate, 0.01);
  write_text_atomically(folder.path() / "curves.csv", "step\nnonsense\n", Fsync::kNo);
  EXPECT_THROW(read.read(folder.path() / "curves.csv", 20), Error);
}

TEST(Curves, ReadFilesWithoutLearningRates) {
  const TemporaryFolder folder;
  const auto csv = folder.path() / "curves.csv";
  write_text_atomically(csv, "step,seconds,loss_a,f1_a\n10,1.5,0.5,\n20,2.5,0.25,0.75\n", Fsync::kNo);
  Curves curves({"a"});
  curves.read(csv, 20);
  ASSERT_EQ(curves.rows().size(), 2U);
  EXPECT_TRUE(curves.rows()[0].scores.empty());
  EXPECT_EQ(curves.rows()[1].scores, std::vector<double>{0.75});
  EXPECT_FALSE(curves.rows()[1].learning_rate);
}

TEST(Curves, RowsThatWereReadAreThoseThatWereAdded) {
  const TemporaryFolder folder;
  Curves curves({"a", "b"});
  curves.add({7, 1.0 / 3, {1.0 / 7, 1e-9 / 3}, {2.0 / 3, 1.0 / 9}, 1e-3 / 7});
  curves.write(folder.path(), 0);
  Curves read({"a", "b"});
  read.read(folder.path() / "curves.csv", 7);
  ASSERT_EQ(read.rows().size(), 1U);
  const CurveRow& row = curves.rows().at(0);
  EXPECT_EQ(read.rows()[0].seconds, row.seconds);
  EXPECT_EQ(read.rows()[0].losses, row.losses);
  EXPECT_EQ(read.rows()[0].scores, row.scores);
  EXPECT_EQ(read.rows()[0].learning_rate, row.learning_rate);
  EXPECT_NEAR(row.losses[0], 1.0 / 7, 1e-6) << "six digits";
}

}  // namespace
}  // namespace organon::stages
