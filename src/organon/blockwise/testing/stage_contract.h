#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "organon/base/error.h"
#include "organon/base/testing/test_data.h"
#include "organon/blockwise/runner.h"

namespace organon::blockwise::testing {

/// Hash of all decoded voxels, with shape and type, of the outputs of a description; of outputs that are
/// files (tables, scores) the bytes.
inline std::string voxels_of(const StageDescription& description) {
  std::string text;
  for (const std::string& address : description.outputs) {
    if (std::filesystem::is_regular_file(address)) {
      text += to_hex(hash_text(read_text(address)));
      continue;
    }
    const auto dataset = storage::open_dataset(address);
    const AnyArray voxels = dataset->read(dataset->spec().domain());
    text += std::string(to_string(dataset->spec().data_type)) + to_string(dataset->spec().shape) +
            to_hex(hash_bytes(voxels.bytes()));
  }
  return text;
}

/// A stage as the contract suite needs it.
struct StageUnderTest {
  StageFactory factory;
  /// A description that writes into `folder` and works in blocks of `block_shape`.
  std::function<StageDescription(const std::filesystem::path& folder, const Shape3& block_shape)> describe;
  std::vector<Shape3> block_shapes;  ///< at least two, the last larger than the volume
  /// Stands for all that the stage made; by default the voxels of its outputs.
  std::function<std::string(const StageDescription&)> contents = voxels_of;
};

inline RunResult run_in(const StageUnderTest& stage, const StageDescription& description, int workers) {
  SilentProgress silent;
  RunOptions options;
  options.workers = workers;
  options.fsync = Fsync::kNo;
  (void)stage;
  return run_stage(description, stage.factory, RunFolder(run_folder_of(description.outputs.at(0))), options,
                   silent);
}

/// Counts blocks over all steps and throws in the block where the count is reached, as a dying worker would
/// leave it.
class InterruptedStage : public Stage {
 public:
  InterruptedStage(std::unique_ptr<Stage> stage, std::atomic<int>& blocks_left)
      : stage_(std::move(stage)), left_(blocks_left) {}
  std::vector<std::string> steps() const override { return stage_->steps(); }
  std::vector<std::string> steps_of(const RunFolder& run) const override { return stage_->steps_of(run); }
  std::vector<StepPlan> plans() const override { return stage_->plans(); }
  int algorithm_version() const override { return stage_->algorithm_version(); }
  std::vector<std::string> device_types() const override { return stage_->device_types(); }
  bool has_device(const std::string& type) const override { return stage_->has_device(type); }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    return std::make_unique<InterruptedStep>(stage_->make_step(index, run), left_);
  }

 private:
  class InterruptedStep : public Step {
   public:
    InterruptedStep(std::unique_ptr<Step> step, std::atomic<int>& left)
        : step_(std::move(step)), left_(left) {}
    StepPlan plan() const override { return step_->plan(); }
    void process(const Block& block, BlockOutput& output) const override {
      step_->process(block, output);
      if (--left_ == 0) throw Error(ErrorKind::kResourceExhausted, "interrupted by the test");
    }

   private:
    std::unique_ptr<Step> step_;
    std::atomic<int>& left_;
  };

  std::unique_ptr<Stage> stage_;
  std::atomic<int>& left_;
};

/// Runs every block twice.
class RepeatingStage : public Stage {
 public:
  explicit RepeatingStage(std::unique_ptr<Stage> stage) : stage_(std::move(stage)) {}
  std::vector<std::string> steps() const override { return stage_->steps(); }
  std::vector<std::string> steps_of(const RunFolder& run) const override { return stage_->steps_of(run); }
  std::vector<StepPlan> plans() const override { return stage_->plans(); }
  int algorithm_version() const override { return stage_->algorithm_version(); }
  std::vector<std::string> device_types() const override { return stage_->device_types(); }
  bool has_device(const std::string& type) const override { return stage_->has_device(type); }
  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    return std::make_unique<RepeatingStep>(stage_->make_step(index, run));
  }

 private:
  class Swallow : public BlockOutput {
   public:
    explicit Swallow(BlockOutput& output) : output_(output) {}
    void write(std::size_t number, const Box& box, const AnyArray& voxels) override {
      output_.write(number, box, voxels);
    }
    void emit(std::int64_t, std::span<const std::byte>) override {}
    void add_file(const std::filesystem::path&, const Hash128&) override {}
    void report(double, const std::string&) override {}

   private:
    BlockOutput& output_;
  };
  class RepeatingStep : public Step {
   public:
    explicit RepeatingStep(std::unique_ptr<Step> step) : step_(std::move(step)) {}
    StepPlan plan() const override { return step_->plan(); }
    void process(const Block& block, BlockOutput& output) const override {
      Swallow swallow(output);
      step_->process(block, swallow);
      step_->process(block, output);
    }

   private:
    std::unique_ptr<Step> step_;
  };
  std::unique_ptr<Stage> stage_;
};

/// Stands for every byte of the inputs, so that a stage that writes into them is found.
inline std::string bytes_of_inputs(const StageDescription& description) {
  std::vector<std::string> lines;
  for (const std::string& address : description.inputs) {
    const std::filesystem::path path = storage::parse_address(address).path;
    if (std::filesystem::is_regular_file(path)) {
      lines.push_back(to_hex(hash_text(read_text(path))));
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (!entry.is_regular_file()) continue;
      lines.push_back(entry.path().lexically_relative(path).string() + " " +
                      to_hex(hash_text(read_text(entry.path()))));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// The laws of docs/architecture.md, section 2, for one stage. Call from a test.
inline void expect_stage_contract(const StageUnderTest& stage) {
  std::string expected;
  std::string expected_result;
  // Block invariance, for several worker counts.
  for (std::size_t i = 0; i < stage.block_shapes.size(); ++i) {
    for (const int workers : {1, 3, 8}) {
      const organon::testing::TemporaryFolder folder;
      const StageDescription description = stage.describe(folder.path(), stage.block_shapes[i]);
      const std::string inputs = bytes_of_inputs(description);
      const RunResult result = run_in(stage, description, workers);
      ASSERT_EQ(bytes_of_inputs(description), inputs) << "inputs are read only";
      ASSERT_TRUE(result.failures.empty()) << result.failures.front().message;
      const std::string voxels = stage.contents(description);
      if (expected.empty()) {
        expected = voxels;
        expected_result = result.result;
      }
      ASSERT_EQ(voxels, expected) << "blocks of " << to_string(stage.block_shapes[i]) << ", " << workers
                                  << " workers";
      ASSERT_EQ(result.result, expected_result) << "the ledger's hash must not depend on blocks";
    }
  }
  // Idempotence.
  {
    const organon::testing::TemporaryFolder folder;
    const StageDescription description = stage.describe(folder.path(), stage.block_shapes.front());
    StageUnderTest twice = stage;
    twice.factory = [&](const StageDescription& d) {
      return std::make_unique<RepeatingStage>(stage.factory(d));
    };
    ASSERT_TRUE(run_in(twice, description, 2).failures.empty());
    ASSERT_EQ(stage.contents(description), expected) << "a block run twice";
  }
  // Resumability: stopped in the first, in a middle and in a late block, then run again; then unchanged.
  for (const int stop_after : {1, 2, 5, 9, 14}) {
    const organon::testing::TemporaryFolder folder;
    const StageDescription description = stage.describe(folder.path(), stage.block_shapes.front());
    std::atomic<int> blocks_left{stop_after};
    StageUnderTest interrupted = stage;
    interrupted.factory = [&](const StageDescription& d) {
      return std::make_unique<InterruptedStage>(stage.factory(d), blocks_left);
    };
    try {
      run_in(interrupted, description, 2);
    } catch (const Error& error) {
      ASSERT_NE(error.message().find("interrupted by the test"), std::string::npos) << error.what();
    }
    ASSERT_TRUE(run_in(stage, description, 2).failures.empty());
    ASSERT_EQ(stage.contents(description), expected) << "stopped after " << stop_after << " blocks";
    ASSERT_TRUE(run_in(stage, description, 2).was_unchanged);
  }
}

}  // namespace organon::blockwise::testing
