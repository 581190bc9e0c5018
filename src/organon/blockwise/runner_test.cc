#include "organon/blockwise/runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "organon/base/files.h"
#include "organon/base/random.h"
#include "organon/blockwise/claims.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/ledger.h"
#include "organon/blockwise/reading.h"
#include "organon/blockwise/status.h"
#include "organon/blockwise/testing/stage_contract.h"

namespace organon::blockwise {
namespace {

using organon::testing::TemporaryFolder;

storage::DatasetSpec small_spec() {
  storage::DatasetSpec spec;
  spec.shape = {20, 18, 33};
  spec.chunk_shape = {4, 4, 8};
  spec.data_type = DataType::kUint8;
  return spec;
}

std::string make_input(const std::filesystem::path& folder) {
  std::string address = "n5://" + (folder / "in.n5" / "raw").string();
  const auto dataset = storage::create_dataset(address, small_spec());
  AnyArray voxels(DataType::kUint8, small_spec().shape);
  Random random(3);
  for (std::byte& voxel : voxels.bytes()) voxel = std::byte(random.below(200) + 1);
  dataset->write(small_spec().domain(), voxels, Fsync::kNo);
  return address;
}

// Sum of the six neighbours and the voxel, by halves; then a solve that finds the maximum; then a map that
// adds it.
class SampleStage : public Stage {
 public:
  explicit SampleStage(const StageDescription& description) : description_(description) {}

  std::vector<std::string> steps() const override { return {"average", "find maximum", "add"}; }
  std::vector<StepPlan> plans() const override { return {}; }

  std::unique_ptr<Step> make_step(std::size_t index, const RunFolder& run) const override {
    if (index == 0) return std::make_unique<Average>(description_, run.scratch("average"));
    if (index == 1) return std::make_unique<Maximum>(run.step(0));
    return std::make_unique<Add>(description_, run.scratch("average"), run.step(1));
  }

 private:
  static StepPlan plan_of(const StageDescription& description, const std::string& output) {
    StepPlan plan = StepPlan::over(
        small_spec().domain(),
        block_shape_or(description.block_shape, {8, 8, 8}, small_spec().shape, small_spec().chunk_shape));
    plan.outputs = {{output, small_spec()}};
    return plan;
  }

  class Average : public Step {
   public:
    Average(const StageDescription& description, const std::string& output)
        : plan_(plan_of(description, output)), input_(storage::open_dataset(description.inputs.at(0))) {}
    StepPlan plan() const override { return plan_; }
    void process(const Block& block, BlockOutput& output) const override {
      const auto input = read_with_border<std::uint8_t>(*input_, block.write_box.grow(1), Border::kReflect);
      Array<std::uint8_t> result(block.write_box.shape());
      std::uint64_t largest = 0;
      for (std::int64_t z = 0; z < result.shape().z; ++z) {
        for (std::int64_t y = 0; y < result.shape().y; ++y) {
          for (std::int64_t x = 0; x < result.shape().x; ++x) {
            result(z, y, x) =
                static_cast<std::uint8_t>((input(z, y + 1, x + 1) + input(z + 2, y + 1, x + 1)) / 2);
            largest = std::max<std::uint64_t>(largest, result(z, y, x));
          }
        }
      }
      output.write<std::uint8_t>(0, block.write_box, result.view());
      output.emit(block.id, std::as_bytes(std::span(&largest, 1)));
    }

   private:
    StepPlan plan_;
    std::shared_ptr<storage::Dataset> input_;
  };

  class Maximum : public Step {
   public:
    explicit Maximum(std::filesystem::path parts) : parts_(std::move(parts)) {}
    StepPlan plan() const override { return StepPlan::solve(); }
    void process(const Block&, BlockOutput& output) const override {
      const PartialReader reader(parts_);
      std::uint64_t largest = 0;
      for (const std::int64_t key : reader.keys()) {
        std::uint64_t value = 0;
        std::memcpy(&value, reader.read(key)->data(), sizeof value);
        largest = std::max(largest, value);
      }
      output.emit(0, std::as_bytes(std::span(&largest, 1)));
    }

   private:
    std::filesystem::path parts_;
  };

  class Add : public Step {
   public:
    Add(const StageDescription& description, const std::string& scratch, const std::filesystem::path& maximum)
        : plan_(plan_of(description, description.outputs.at(0))), input_(storage::open_dataset(scratch)) {
      std::memcpy(&maximum_, PartialReader(maximum).read(0)->data(), sizeof maximum_);
    }
    StepPlan plan() const override { return plan_; }
    void process(const Block& block, BlockOutput& output) const override {
      auto voxels = input_->read_as<std::uint8_t>(block.write_box);
      for (std::int64_t i = 0; i < voxels.size(); ++i)
        voxels.data()[i] = static_cast<std::uint8_t>(voxels.data()[i] + maximum_);
      output.write<std::uint8_t>(0, block.write_box, voxels.view());
    }

   private:
    StepPlan plan_;
    std::shared_ptr<storage::Dataset> input_;
    std::uint64_t maximum_ = 0;
  };

  StageDescription description_;
};

StageFactory sample_factory() {
  return [](const StageDescription& description) { return std::make_unique<SampleStage>(description); };
}

StageDescription sample_description(const std::filesystem::path& folder, const std::string& input,
                                    const Shape3& block_shape) {
  StageDescription description;
  description.verb = "sample";
  description.inputs = {input};
  description.outputs = {"n5://" + (folder / "out.n5" / "result").string()};
  description.block_shape = block_shape;
  return description;
}

TEST(Runner, SampleStageObeysTheContract) {
  const TemporaryFolder folder;
  const std::string input = make_input(folder.path());
  testing::expect_stage_contract({sample_factory(),
                                  [&](const std::filesystem::path& out, const Shape3& shape) {
                                    return sample_description(out, input, shape);
                                  },
                                  {{4, 8, 8}, {12, 4, 16}, {64, 64, 64}}});
}

TEST(Runner, ChangedInputOrOptionsRunAnew) {
  const TemporaryFolder folder;
  const std::string input = make_input(folder.path());
  const StageDescription description = sample_description(folder.path(), input, {8, 8, 8});
  const testing::StageUnderTest stage{sample_factory(), {}, {}};
  const std::string first = testing::run_in(stage, description, 2).result;
  EXPECT_TRUE(testing::run_in(stage, description, 2).was_unchanged);
  const auto dataset = storage::open_dataset(input);
  AnyArray chunk(DataType::kUint8, {4, 4, 8});
  std::fill(chunk.bytes().begin(), chunk.bytes().end(), std::byte{1});
  dataset->write(Box::of_shape({4, 4, 8}), chunk, Fsync::kNo);
  const RunResult second = testing::run_in(stage, description, 2);
  EXPECT_FALSE(second.was_unchanged);
  EXPECT_NE(second.result, first);
}

TEST(Runner, ForeignOutputIsRefusedNotReplaced) {
  const TemporaryFolder folder;
  const std::string input = make_input(folder.path());
  StageDescription description = sample_description(folder.path(), input, {8, 8, 8});
  storage::create_dataset(description.outputs[0], small_spec());
  try {
    testing::run_in({sample_factory(), {}, {}}, description, 1);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kAlreadyExists);
  }
}

TEST(Runner, BlocksThatCutChunksAreRefusedWithNumbers) {
  const TemporaryFolder folder;
  const std::string input = make_input(folder.path());
  EXPECT_THROW(
      testing::run_in({sample_factory(), {}, {}}, sample_description(folder.path(), input, {6, 8, 8}), 1),
      Error);
}

TEST(Runner, SealedOutputCarriesProvenanceAndResult) {
  const TemporaryFolder folder;
  const StageDescription description =
      sample_description(folder.path(), make_input(folder.path()), {8, 8, 8});
  const RunResult result = testing::run_in({sample_factory(), {}, {}}, description, 2);
  const Json attributes = storage::open_dataset(description.outputs[0])->attributes();
  EXPECT_EQ(attributes["organon"]["verb"], "sample");
  EXPECT_EQ(identity_of_input(description.outputs[0]), attributes["organon"]["result"]);
  EXPECT_FALSE(result.result.empty());
}

TEST(Runner, AnOutputThatIsTheInputIsRefusedAndTheInputStays) {
  const TemporaryFolder folder;
  const std::string input = make_input(folder.path());
  storage::open_dataset(input)->set_attributes({{"organon", {{"verb", "other"}, {"result", "x"}}}});
  for (const std::string& output : {input, input + "/inner"}) {
    StageDescription description = sample_description(folder.path(), input, {8, 8, 8});
    description.outputs = {output};
    EXPECT_THROW(testing::run_in({sample_factory(), {}, {}}, description, 1), Error) << output;
    EXPECT_TRUE(storage::open_dataset(input)->chunk_exists({0, 0, 0}));
  }
}

TEST(RunFolder, DifferentOutputsHaveDifferentFolders) {
  EXPECT_NE(run_folder_of("/d/c.n5/a/b"), run_folder_of("/d/c.n5/a.b"));
  EXPECT_NE(run_folder_of("/d/c.n5/a/b"), run_folder_of("/d/c.n5/a:b"));
  EXPECT_NE(run_folder_of("/d/c.n5/a:b"), run_folder_of("/d/c.n5/a%3Ab"));
  EXPECT_EQ(run_folder_of("/d/c.n5/a/b"), "/d/.organon/runs/c.n5:a:b");
}

TEST(RunFolder, WhatStagesPutIntoAFolderOfSlicesIsNoPartOfIt) {
  const TemporaryFolder folder;
  write_text_atomically(folder.path() / "slice_1.png", "1");
  const std::string before = identity_of_input(folder.path().string());
  write_text_atomically(folder.path() / ".organon/runs/x/stage.json", "{}");
  write_text_atomically(folder.path() / "out.n5/raw/attributes.json", "{}");
  EXPECT_EQ(identity_of_input(folder.path().string()), before);
  write_text_atomically(folder.path() / "slice_2.png", "2");
  EXPECT_NE(identity_of_input(folder.path().string()), before);
}

TEST(RunFolder, ADamagedRecordIsNamed) {
  const TemporaryFolder folder;
  write_text_atomically(folder.path() / "stage.json", "{}");
  try {
    RunFolder(folder.path()).read_description();
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData);
    EXPECT_NE(error.message().find("stage.json"), std::string::npos);
  }
}

std::vector<JournalRecord> records_in(const std::filesystem::path& step_folder) {
  std::vector<JournalRecord> records;
  JournalReader(step_folder).poll([&](const JournalRecord& record) { records.push_back(record); });
  return records;
}

JournalRecord completed_record(std::int64_t block) {
  JournalRecord record;
  record.kind = JournalRecord::Kind::kCompleted;
  record.block = block;
  return record;
}

TEST(Journal, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  JournalWriter writer(folder.path(), "s1-w0", Fsync::kNo, {});
  JournalRecord record = completed_record(1'000'000'000'000);
  record.seconds = 0.25;
  record.peak_bytes = 123456789012;
  storage::ChunkRecord stored;
  stored.position = {1, 2, 3'000'000};
  stored.voxels = hash_text("voxels");
  stored.file = hash_text("file");
  stored.file_bytes = 77;
  storage::ChunkRecord absent;
  absent.is_absent = true;
  record.chunks = {{0, stored}, {299, absent}};
  record.partials = {writer.append_partial(-5, std::as_bytes(std::span("abc", 3)))};
  writer.started(7);
  writer.ended(7, EndCause::kTimeout, "took long");
  writer.failed(-1, "disk full");
  writer.alive();
  writer.completed(record);
  writer.commit();
  const auto records = records_in(folder.path());
  ASSERT_EQ(records.size(), 6U);
  EXPECT_EQ(records[0].kind, JournalRecord::Kind::kWorker);
  EXPECT_EQ(records[1].block, 7);
  EXPECT_EQ(records[2].cause, EndCause::kTimeout);
  EXPECT_EQ(records[2].message, "took long");
  EXPECT_EQ(records[3].message, "disk full");
  EXPECT_EQ(records[4].kind, JournalRecord::Kind::kAlive);
  const JournalRecord& back = records[5];
  EXPECT_EQ(back.block, record.block);
  EXPECT_EQ(back.seconds, record.seconds);
  EXPECT_EQ(back.peak_bytes, record.peak_bytes);
  ASSERT_EQ(back.chunks.size(), 2U);
  EXPECT_EQ(back.chunks[0].chunk.position, stored.position);
  EXPECT_EQ(back.chunks[0].chunk.voxels, stored.voxels);
  EXPECT_EQ(back.chunks[0].chunk.file, stored.file);
  EXPECT_EQ(back.chunks[0].chunk.file_bytes, 77);
  EXPECT_EQ(back.chunks[1].output, 299U);
  EXPECT_TRUE(back.chunks[1].chunk.is_absent);
  EXPECT_EQ(PartialReader(folder.path()).read(-5)->size(), 3U);
}

TEST(Journal, TornTailIsIgnoredAndWhatStandsBeforeItCounts) {
  const TemporaryFolder folder;
  {
    JournalWriter writer(folder.path(), "s1-w0", Fsync::kNo, {});
    writer.started(7);
    writer.completed(completed_record(7));
    writer.commit();
    writer.started(8);
  }
  const auto journal = folder.path() / "journals" / "s1-w0";
  const auto size = std::filesystem::file_size(journal);
  // Torn anywhere in the last record; whole again, the same reader takes it.
  const std::string bytes = read_text(journal);
  for (const std::uintmax_t cut : {1, 5, 20, 28}) {
    std::filesystem::resize_file(journal, size - cut);
    JournalReader reader(folder.path());
    std::vector<JournalRecord> records;
    const auto take = [&](const JournalRecord& record) { records.push_back(record); };
    reader.poll(take);
    ASSERT_EQ(records.size(), 3U) << cut;
    EXPECT_EQ(records[2].block, 7);
    reader.poll(take);
    EXPECT_EQ(records.size(), 3U);
    write_text_atomically(journal, bytes, Fsync::kNo);
    reader.poll(take);
    EXPECT_EQ(records.size(), 4U);
  }
}

TEST(Journal, NoBitCanBeChangedUnseen) {
  const TemporaryFolder folder;
  {
    JournalWriter writer(folder.path(), "s1-w0", Fsync::kNo, {});
    writer.ended(7, EndCause::kError, "reason");
    writer.failed(8, "reason");
  }
  const auto journal = folder.path() / "journals" / "s1-w0";
  const std::string good = read_text(journal);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write_text_atomically(journal, bad, Fsync::kNo);
    const auto records = records_in(folder.path());
    ASSERT_LT(records.size(), 3U) << "bit " << bit;
    for (const JournalRecord& record : records) {
      const bool is_as_written =
          record.kind == JournalRecord::Kind::kWorker || (record.block == 7 && record.message == "reason");
      ASSERT_TRUE(is_as_written) << "bit " << bit;
    }
  }
}

TEST(Journal, ARequeuedWorkerWritesAJournalOfItsOwn) {
  const TemporaryFolder folder;
  JournalWriter first(folder.path(), "s1-w0", Fsync::kNo, {});
  JournalWriter second(folder.path(), "s1-w0", Fsync::kNo, {});
  EXPECT_EQ(second.worker(), "s1-w0.2");
}

TEST(Journal, VoidBlocksCountFromTheirSessionOn) {
  const TemporaryFolder folder;
  for (const char* worker : {"s2-w0", "s10-w0"}) {
    JournalWriter writer(folder.path(), worker, Fsync::kNo, {});
    writer.completed(completed_record(3));
    writer.completed(completed_record(4));
    writer.commit();
  }
  write_voids(folder.path(), {{3, 11}, {4, 10}});
  Ledger ledger(folder.path(), 5, 11);
  ledger.refresh();
  EXPECT_FALSE(ledger.is_done(3));
  EXPECT_TRUE(ledger.is_done(4));
}

TEST(Ledger, KnowsAttemptsFailuresAndTimes) {
  const TemporaryFolder folder;
  JournalWriter worker(folder.path(), "s1-w0", Fsync::kNo, {});
  Ledger ledger(folder.path(), 40, 1);
  for (std::int64_t block = 0; block < 20; ++block) {
    worker.started(block);
    JournalRecord record = completed_record(block);
    record.seconds = block == 19 ? 100 : 1;
    worker.completed(record);
  }
  worker.started(20);
  worker.commit();  // after the next block began, as groups are
  worker.started(21);
  worker.ended(21, EndCause::kMemory, "too much");
  worker.failed(22, "bad");
  worker.started(23);
  ledger.refresh();
  EXPECT_EQ(ledger.num_done(), 20);
  EXPECT_EQ(ledger.attempts_at(20).begun, 1);
  EXPECT_TRUE(ledger.lacks_memory(21));
  EXPECT_EQ(ledger.failures().at(22), "bad");
  EXPECT_EQ(ledger.running().at("s1-w0").block, 23);
  EXPECT_NEAR(ledger.seconds_quantile(0.9).value(), 1, 0.2);
  EXPECT_NEAR(ledger.seconds_quantile(1).value(), 100, 20);
  // Attempts of an earlier session are forgiven, what it did is not done again.
  Ledger next(folder.path(), 40, 2);
  next.refresh();
  EXPECT_EQ(next.num_done(), 20);
  EXPECT_TRUE(next.failures().empty());
  EXPECT_TRUE(next.attempts().empty());
}

TEST(Ledger, CountsABlockOfTwoWorkersOnce) {
  const TemporaryFolder folder;
  for (const char* worker : {"s1-w0", "s1-w1"}) {
    JournalWriter writer(folder.path(), worker, Fsync::kNo, {});
    JournalRecord record = completed_record(2);
    record.partials = {writer.append_partial(7, std::as_bytes(std::span("abc", 3)))};
    writer.completed(record);
    writer.commit();
  }
  Ledger ledger(folder.path(), 4, 1);
  ledger.refresh();
  EXPECT_EQ(ledger.num_done(), 1);
  EXPECT_EQ(ledger.num_finished(), 1);
  EXPECT_EQ(PartialReader(folder.path()).num_bytes(), 3);
}

TEST(Journal, DamagedPartialIsFound) {
  const TemporaryFolder folder;
  {
    JournalWriter writer(folder.path(), "s1-w0", Fsync::kNo, {});
    JournalRecord record = completed_record(0);
    record.partials = {writer.append_partial(0, std::as_bytes(std::span("abc", 3)))};
    writer.completed(record);
    writer.commit();
  }
  std::fstream file(folder.path() / "partials" / "s1-w0", std::ios::in | std::ios::out | std::ios::binary);
  file.put('x');
  file.close();
  EXPECT_THROW(PartialReader(folder.path()).read(0), Error);
}

TEST(Claims, OneHolderPerEpochAndTakeoverOnlyFromTheDead) {
  const TemporaryFolder folder;
  Claims first(folder.path());
  Claims second(folder.path());
  const auto alive = [](const std::string&) { return false; };
  const auto dead = [](const std::string&) { return true; };
  EXPECT_TRUE(first.try_claim(0, "a", alive));
  EXPECT_FALSE(second.try_claim(0, "b", alive));
  EXPECT_FALSE(second.try_claim(0, "b", alive));
  EXPECT_TRUE(second.try_claim(0, "b", dead));
  EXPECT_TRUE(first.is_taken_over(0));
  EXPECT_FALSE(first.try_claim(0, "a", dead)) << "epoch 2 is taken";
}

// A folder that vanished while it was walked through once ended `organon status` with an error.
TEST(Status, FoldersThatVanishMeanwhileArePassedOver) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "a" / ".organon" / "runs" / "r");
  write_text_atomically(folder.path() / "a/.organon/runs/r/session", "1", Fsync::kNo);
  std::atomic<bool> is_over = false;
  std::jthread changing([&] {
    while (!is_over) {
      for (int i = 0; i < 50; ++i)
        std::filesystem::create_directories(folder.path() / "b" / std::to_string(i) / "c" / "d");
      std::filesystem::remove_all(folder.path() / "b");
    }
  });
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(find_runs(folder.path()).size(), 1U);
    EXPECT_NO_THROW(find_waste(folder.path()));
  }
  is_over = true;
}

TEST(Reading, BorderIsReflectedAcrossTheDatasetNotTheBlock) {
  const TemporaryFolder folder;
  const auto dataset = storage::open_dataset(make_input(folder.path()));
  const auto whole = dataset->read_as<std::uint8_t>(small_spec().domain());
  const auto view = read_with_border<std::uint8_t>(*dataset, Box{{-3, 4, 30}, {2, 6, 36}}, Border::kReflect);
  for (std::int64_t z = -3; z < 2; ++z) {
    for (std::int64_t x = 30; x < 36; ++x) {
      EXPECT_EQ(view(z + 3, 0, x - 30), whole(std::abs(z), 4, x < 33 ? x : 64 - x));
    }
  }
}

TEST(Reading, BoxInNanometresGrowsToWholeChunks) {
  const VoxelGrid grid{{10, 10, 10}, {0, 0, 0}};
  EXPECT_EQ(domain_in("50,0,0,60,10,10", grid, {20, 20, 20}, {4, 4, 4}), (Box{{4, 0, 0}, {8, 4, 4}}));
  EXPECT_THROW(domain_in("1,2,3", grid, {20, 20, 20}, {4, 4, 4}), Error);
  EXPECT_THROW(domain_in("900,0,0,990,10,10", grid, {20, 20, 20}, {4, 4, 4}), Error);
  EXPECT_THROW(domain_in("nan,0,0,60,10,10", grid, {20, 20, 20}, {4, 4, 4}), Error);
  EXPECT_THROW(domain_in("0,0,0,inf,10,10", grid, {20, 20, 20}, {4, 4, 4}), Error);
  EXPECT_EQ(domain_in("-1e300,0,0,1e300,1e300,1e300", grid, {20, 20, 20}, {4, 4, 4}),
            Box::of_shape({20, 20, 20}));
}

}  // namespace
}  // namespace organon::blockwise
