#include "organon/blockwise/worker.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/json.h"
#include "organon/blockwise/claims.h"
#include "organon/blockwise/journal.h"

namespace organon::blockwise {
namespace {

constexpr int kMaxAttempts = 3;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::int64_t peak_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

class RecordingOutput : public BlockOutput {
 public:
  RecordingOutput(const Block& block, std::vector<std::shared_ptr<storage::Dataset>>& datasets,
                  JournalWriter& journal, std::filesystem::path report)
      : block_(block), datasets_(datasets), journal_(journal), report_(std::move(report)) {}

  void write(std::size_t output, const Box& box, const AnyArray& voxels) override {
    ORGANON_CHECK(output < datasets_.size() && block_.write_box.contains(box));
    fault_point("write");
    // Durable with the journal's next group commit, so not synced file by file.
    for (const auto& chunk : datasets_[output]->write(box, voxels, Fsync::kNo))
      record_.chunks.push_back({output, chunk});
  }
  void emit(std::int64_t key, std::span<const std::byte> bytes) override {
    record_.partials.push_back(journal_.append_partial(key, bytes));
  }
  void report(double fraction, const std::string& note) override {
    if (seconds_since(last_report_) < 0.5) return;
    last_report_ = Clock::now();
    write_text_atomically(report_, fmt::format("{:.6f} {}", fraction, note), Fsync::kNo);
  }

  JournalRecord& record() { return record_; }

 private:
  const Block& block_;
  std::vector<std::shared_ptr<storage::Dataset>>& datasets_;
  JournalWriter& journal_;
  std::filesystem::path report_;
  Clock::time_point last_report_{};
  JournalRecord record_;
};

// What the journals say of the step so far.
class Knowledge {
 public:
  Knowledge(const std::filesystem::path& step_folder, int session)
      : step_folder_(step_folder), session_prefix_(fmt::format("s{}-", session)), reader_(step_folder) {}

  void refresh() {
    for (const JournalRecord& record : reader_.poll()) {
      if (record.kind == JournalRecord::Kind::kCompleted) done_.insert(record.block);
      // Attempts and failures of earlier runs do not count: the user asked again.
      if (!record.worker.starts_with(session_prefix_)) continue;
      if (record.kind == JournalRecord::Kind::kStarted) ++attempts_[record.block];
      if (record.kind == JournalRecord::Kind::kFailed) failed_.insert(record.block);
    }
  }
  bool is_finished(std::int64_t block) const { return done_.contains(block) || failed_.contains(block); }
  void set_finished(std::int64_t block) { done_.insert(block); }
  int attempts(std::int64_t block) const {
    const auto found = attempts_.find(block);
    return found == attempts_.end() ? 0 : found->second;
  }
  bool is_dead(const std::string& worker) const {
    return !worker.starts_with(session_prefix_) || std::filesystem::exists(step_folder_ / "dead" / worker);
  }

 private:
  std::filesystem::path step_folder_;
  std::string session_prefix_;
  JournalReader reader_;
  std::set<std::int64_t> done_;
  std::set<std::int64_t> failed_;
  std::map<std::int64_t, int> attempts_;
};

bool concerns_every_block(ErrorKind kind) {
  return kind == ErrorKind::kCancelled || kind == ErrorKind::kResourceExhausted;
}

}  // namespace

WorkerOutcome work(const RunFolder& run, const StageFactory& factory, const WorkerOptions& options) {
  const std::filesystem::path step_folder = run.step(options.step);
  const Json plan_json =
      parse_json(read_text(step_folder / "plan.json"), (step_folder / "plan.json").string());
  const std::int64_t batch_size = plan_json.at("batch");
  const std::unique_ptr<Stage> stage = factory(run.read_description());
  const std::unique_ptr<Step> step = stage->make_step(options.step, run);
  const std::string step_name = stage->steps().at(options.step);
  const StepPlan plan = step->plan();
  const BlockGrid blocks = plan.blocks();
  const std::int64_t num_batches = (blocks.count() + batch_size - 1) / batch_size;

  std::vector<std::shared_ptr<storage::Dataset>> datasets;
  std::vector<std::filesystem::path> sync_folders;
  for (const OutputDataset& output : plan.outputs) {
    datasets.push_back(storage::open_dataset(output.address));
    // Some formats make a level's folder with its first chunk.
    std::filesystem::path folder = datasets.back()->path();
    while (!std::filesystem::exists(folder)) folder = folder.parent_path();
    sync_folders.push_back(std::move(folder));
  }
  const std::string worker = fmt::format("s{}-w{}", options.session, options.number);
  JournalWriter journal(step_folder, worker, options.fsync, sync_folders);
  Claims claims(step_folder / "claims");
  Knowledge knowledge(step_folder, options.session);
  knowledge.refresh();

  const auto process = [&](std::int64_t id) {
    const Block block{id, blocks.position_of(id), blocks.box_of(id)};
    for (int attempt = knowledge.attempts(id) + 1;; ++attempt) {
      if (attempt > kMaxAttempts) {
        journal.failed(id, fmt::format("block {} {}: the worker died in it {} times", id,
                                       to_string(block.write_box), kMaxAttempts));
        return;
      }
      journal.started(id);
      const auto begin = Clock::now();
      RecordingOutput output(block, datasets, journal, step_folder / "reports" / worker);
      try {
        fault_point("block");
        step->process(block, output);
        fault_point(step_name);  // computed and written, not recorded
      } catch (const Error& error) {
        const std::string context =
            blocks.count() == 1 ? "" : fmt::format("block {} {}: ", id, to_string(block.write_box));
        if (concerns_every_block(error.kind())) throw Error(error.kind(), context + error.message());
        if (error.kind() == ErrorKind::kIo && attempt < kMaxAttempts) continue;
        journal.failed(id, context + error.what());
        return;
      } catch (const std::exception& error) {
        journal.failed(id, fmt::format("block {} {}: {}", id, to_string(block.write_box), error.what()));
        return;
      }
      JournalRecord record = std::move(output.record());
      record.block = id;
      record.seconds = seconds_since(begin);
      record.peak_bytes = peak_bytes();
      journal.completed(record);
      // Where a worker died before, what is finished is recorded at once: a death costs one block, and blocks
      // beside a deadly one are not taken for guilty.
      if (attempt > 1) journal.commit();
      knowledge.set_finished(id);
      return;
    }
  };

  const auto batch_is_finished = [&](std::int64_t batch) {
    const std::int64_t end = std::min((batch + 1) * batch_size, blocks.count());
    for (std::int64_t id = batch * batch_size; id < end; ++id) {
      if (!knowledge.is_finished(id)) return false;
    }
    return true;
  };

  const std::int64_t first = num_batches * (options.number % options.of_workers) / options.of_workers;
  try {
    for (bool found = true; found;) {
      found = false;
      claims.refresh();
      knowledge.refresh();
      for (std::int64_t i = 0; i < num_batches; ++i) {
        const std::int64_t batch = (first + i) % num_batches;
        if (batch_is_finished(batch)) continue;
        if (!claims.try_claim(batch, worker,
                              [&](const std::string& holder) { return knowledge.is_dead(holder); }))
          continue;
        found = true;
        knowledge.refresh();  // what a dead holder finished before it died
        const std::int64_t end = std::min((batch + 1) * batch_size, blocks.count());
        for (std::int64_t id = batch * batch_size; id < end; ++id) {
          throw_if_cancelled();
          if (!knowledge.is_finished(id)) process(id);
        }
      }
    }
    journal.commit();
  } catch (const Error& error) {
    if (!concerns_every_block(error.kind())) throw;
    try {
      journal.commit();
      journal.failed(-1, error.what());
    } catch (const Error&) {
      // A full disk refuses this line too; the supervisor then knows of the stop by the exit code alone.
    }
    return WorkerOutcome::kStopped;
  }
  return WorkerOutcome::kDone;
}

}  // namespace organon::blockwise
