// Tolerance stages: a run keeps to one kind of device, and nothing of a worker that lost its claim is kept.

#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <set>

#include "organon/base/json.h"
#include "organon/blockwise/ledger.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::blockwise {
namespace {

using organon::testing::TemporaryFolder;

constexpr std::uint8_t kOnCpu = 1;
constexpr std::uint8_t kOnCuda = 2;

storage::DatasetSpec spec_of_output() {
  storage::DatasetSpec spec;
  spec.shape = {8, 8, 16};
  spec.chunk_shape = {4, 4, 4};
  spec.data_type = DataType::kUint8;
  return spec;
}

// What the threads of this test have: each that asks is dealt the next kind in turn.
class Machines {
 public:
  // "cpu,cuda": the first worker has no more than a processor.
  explicit Machines(std::vector<std::string> best) : best_(std::move(best)) { current = this; }
  ~Machines() { current = nullptr; }
  bool has(const std::string& type) {
    const std::lock_guard lock(mutex_);
    const auto [own, is_new] = by_thread_.try_emplace(std::this_thread::get_id());
    if (is_new) own->second = best_[(by_thread_.size() - 1) % best_.size()];
    return type == "cpu" || type == own->second;
  }
  static inline Machines* current = nullptr;

 private:
  std::mutex mutex_;
  std::vector<std::string> best_;
  std::map<std::thread::id, std::string> by_thread_;
};

// Writes into every voxel what it was computed on; with an input, blocks depend on what they read of it.
class StampStage : public Stage {
 public:
  StampStage(StageDescription description, std::function<void(const Block&)> before_write)
      : description_(std::move(description)), before_write_(std::move(before_write)) {}
  std::vector<std::string> steps() const override { return {"stamp"}; }
  std::vector<StepPlan> plans() const override { return {}; }
  std::vector<std::string> device_types() const override { return {"cuda", "cpu"}; }
  bool has_device(const std::string& type) const override { return Machines::current->has(type); }
  std::unique_ptr<Step> make_step(std::size_t, const RunFolder& run) const override {
    const auto device = run.read_device();
    return std::make_unique<Stamp>(description_, device ? device->type : "", before_write_);
  }

 private:
  class Stamp : public Step {
   public:
    Stamp(const StageDescription& description, std::string device, std::function<void(const Block&)> before)
        : inputs_(description.inputs),
          output_(description.outputs[0]),
          device_(std::move(device)),
          before_write_(std::move(before)) {}
    StepPlan plan() const override {
      storage::DatasetSpec spec = spec_of_output();
      if (!inputs_.empty()) spec.shape = storage::open_dataset(inputs_[0])->spec().shape;
      StepPlan plan = StepPlan::over(spec.domain(), {4, 4, 8});
      plan.outputs = {{output_, spec}};
      for (const std::string& input : inputs_) plan.reads(input);
      if (!inputs_.empty()) plan.reuse = Reuse::kAnywhere;
      return plan;
    }
    void process(const Block& block, BlockOutput& output) const override {
      if (before_write_) before_write_(block);
      const Array<std::uint8_t> voxels(block.write_box.shape(), device_ == "cuda" ? kOnCuda : kOnCpu);
      output.write<std::uint8_t>(0, block.write_box, voxels.view());
    }

   private:
    std::vector<std::string> inputs_;
    std::string output_;
    std::string device_;
    std::function<void(const Block&)> before_write_;
  };

  StageDescription description_;
  std::function<void(const Block&)> before_write_;
};

class Device : public ::testing::Test {
 protected:
  Device() {
    description_.verb = "stamp";
    description_.outputs = {"n5://" + (folder_.path() / "out.n5" / "stamps").string()};
  }
  RunResult run(int workers = 1, const std::string& device = "", bool force = false) {
    SilentProgress silent;
    RunOptions options;
    options.workers = workers;
    options.fsync = Fsync::kNo;
    options.device = device;
    options.force = force;
    return run_stage(description_, factory(), run_folder(), options, silent);
  }
  StageFactory factory() {
    return [this](const StageDescription& description) {
      return std::make_unique<StampStage>(description, before_write_);
    };
  }
  // Ends as a full disk would end it, after a block.
  void run_a_part() {
    int left = 1;
    before_write_ = [&](const Block&) {
      if (left-- == 0) throw Error(ErrorKind::kResourceExhausted, "the test ends it");
    };
    EXPECT_THROW(run(), Error);
    before_write_ = {};
    EXPECT_EQ(num_completed(), 1);
  }
  std::int64_t num_completed() const {
    Ledger ledger(run_folder().step(0), 8, run_folder().session());
    ledger.refresh();
    return ledger.num_done();
  }
  template <class Call>
  static std::string refusal(ErrorKind kind, Call call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.message();
    }
    ADD_FAILURE() << "expected an error";
    return "";
  }
  std::set<int> stamps() const {
    const auto dataset = storage::open_dataset(description_.outputs[0]);
    const auto voxels = dataset->read_as<std::uint8_t>(dataset->spec().domain());
    return {voxels.data(), voxels.data() + voxels.size()};
  }
  RunFolder run_folder() const { return RunFolder(run_folder_of(description_.outputs[0])); }

  TemporaryFolder folder_;
  StageDescription description_;
  std::function<void(const Block&)> before_write_;
};

TEST_F(Device, TheFirstWorkerDecidesAndItStandsWithTheResult) {
  Machines machines({"cuda"});
  run();
  EXPECT_EQ(stamps(), std::set<int>{kOnCuda});
  EXPECT_EQ(run_folder().read_device()->type, "cuda");
  const Json attributes = storage::open_dataset(description_.outputs[0])->attributes();
  EXPECT_EQ(attributes["organon"]["device"], "cuda");
}

TEST_F(Device, WorkersWithAnotherRefuseAndTheOthersGoOn) {
  for (int i = 0; i < 20; ++i) {
    Machines machines({"cuda", "cpu"});
    run(4, "", true);
    EXPECT_EQ(stamps().size(), 1U);
    EXPECT_EQ(num_completed(), 8);
  }
}

TEST_F(Device, AnotherMachineDoesNotGoOnButSaysHow) {
  {
    Machines machines({"cpu"});
    run_a_part();
  }
  Machines machines({"cuda"});
  std::string said = refusal(ErrorKind::kUnsupported, [&] { run(2); });
  EXPECT_NE(said.find("this run keeps to cpu"), std::string::npos) << said;
  EXPECT_NE(said.find("--device cpu"), std::string::npos) << said;
  EXPECT_NE(said.find("--force"), std::string::npos) << said;
  EXPECT_EQ(num_completed(), 1);
  said = refusal(ErrorKind::kInvalidArgument, [&] { run(1, "cuda"); });
  EXPECT_NE(said.find("began on cpu"), std::string::npos) << said;
  run(2, "cpu");
  EXPECT_EQ(stamps(), std::set<int>{kOnCpu});
  run(2, "cuda", true);
  EXPECT_EQ(stamps(), std::set<int>{kOnCuda});
  // Whatever is done already is asked for no device.
  EXPECT_TRUE(run(2, "cpu").was_unchanged);
}

TEST_F(Device, WhereThereIsNoneOfTheKindOnlyANewBeginningHelps) {
  {
    Machines machines({"cuda"});
    run_a_part();
  }
  Machines machines({"cpu"});
  for (const char* device : {"", "cuda"}) {
    const std::string said = refusal(ErrorKind::kUnsupported, [&] { run(2, device); });
    EXPECT_NE(said.find("this run keeps to cuda"), std::string::npos) << said;
    EXPECT_NE(said.find("where there is cuda, or begin anew with --force --device cpu"), std::string::npos)
        << said;
  }
  EXPECT_EQ(num_completed(), 1);
  run(2, "", true);
  EXPECT_EQ(stamps(), std::set<int>{kOnCpu});
  EXPECT_NE(refusal(ErrorKind::kInvalidArgument, [&] { run(1, "tpu", true); }).find("cuda, cpu"),
            std::string::npos);
}

TEST_F(Device, AGrownVolumeKeepsToTheDeviceOfTheFinishedRun) {
  const std::filesystem::path input = folder_.path() / "in.n5" / "raw";
  description_.inputs = {"n5://" + input.string()};
  storage::create_dataset(description_.inputs[0], spec_of_output());
  {
    Machines machines({"cuda"});
    run();
  }
  Json attributes = parse_json(read_text(input / "attributes.json"), "attributes");
  attributes["dimensions"] = {16, 8, 12};  // x, y, z
  write_text_atomically(input / "attributes.json", to_text(attributes));
  auto without = std::make_optional<Machines>(std::vector<std::string>{"cpu"});
  // Nothing is touched, whoever refuses, so that what is done stays done.
  std::string said = refusal(ErrorKind::kInvalidArgument, [&] { run(1, "cpu"); });
  EXPECT_NE(said.find("began on cuda"), std::string::npos) << said;
  EXPECT_TRUE(run_folder().read_completion().has_value());
  said = refusal(ErrorKind::kUnsupported, [&] { run(2); });
  EXPECT_NE(said.find("this run keeps to cuda"), std::string::npos) << said;
  without.reset();
  {
    Machines others({"cuda"});
    EXPECT_EQ(run().num_kept, 8);
  }
  EXPECT_EQ(stamps(), std::set<int>{kOnCuda});
  {
    Machines others({"cpu"});
    EXPECT_EQ(run(1, "cpu", true).num_kept, 0);
    EXPECT_EQ(stamps(), std::set<int>{kOnCpu});
  }
}

TEST_F(Device, ABlockThatIsLookedIntoIsComputedOnWhatItsRunKeepsTo) {
  {
    Machines machines({"cpu"});
    run_a_part();
  }
  Machines machines({"cuda"});
  run_block(run_folder(), factory(), 0, 3, Fsync::kNo);
  EXPECT_EQ(num_completed(), 2);
  run(1, "cpu");
  EXPECT_EQ(stamps(), std::set<int>{kOnCpu});
}

TEST_F(Device, AChunkIsNotReplacedByAWorkerThatLostItsClaimWhileItWrote) {
  Machines machines({"cpu"});
  // Block 5 is two chunks. The claim of its batch, which is of one block, is lost when the first of them is
  // there: a link that leads nowhere until then does not exist.
  const auto dataset = folder_.path() / "out.n5" / "stamps";
  const auto lost = run_folder().step(0) / "claims" / "5.2";
  int attempts = 0;
  before_write_ = [&](const Block& block) {
    if (block.id != 5) return;
    if (++attempts == 1) return std::filesystem::create_symlink(dataset / "2" / "0" / "1", lost);
    EXPECT_TRUE(std::filesystem::exists(lost));
    EXPECT_FALSE(std::filesystem::exists(dataset / "3" / "0" / "1")) << "written after the claim was lost";
  };
  run();
  EXPECT_EQ(attempts, 2);
  std::vector<std::string> ends;
  int num_records = 0;
  JournalReader(run_folder().step(0)).poll([&](const JournalRecord& record) {
    if (record.block != 5) return;
    if (record.kind == JournalRecord::Kind::kEnded) ends.push_back(record.message);
    if (record.kind == JournalRecord::Kind::kCompleted) ++num_records;
  });
  EXPECT_EQ(ends, std::vector<std::string>{"its claim was taken over"});
  EXPECT_EQ(num_records, 1);
  EXPECT_EQ(stamps(), std::set<int>{kOnCpu});
}

}  // namespace
}  // namespace organon::blockwise
