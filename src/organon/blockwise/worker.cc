#include "organon/blockwise/worker.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/fault_point.h"
#include "organon/base/json.h"
#include "organon/blockwise/claims.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/ledger.h"

namespace organon::blockwise {
namespace {

// A block may take this many times what 95 of 100 took, and never less than the first number: pauses of a
// file system are no fault of the block.
constexpr double kLeastTimeoutS = 60;
constexpr double kSlowestQuantile = 0.95;
constexpr double kTimesSlowest = 20;
// Before there are blocks to compare with.
constexpr double kFirstTimeoutS = 900;
constexpr double kTimesPlanned = 100;
// Idle for so many times the silence of a dead worker, a follower goes; it takes over what the dead held
// before.
constexpr double kSilencesIdle = 4;
constexpr auto kStepInterval = std::chrono::milliseconds(300);  // between looks for the next step

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::int64_t peak_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

// Another worker was given this one's block, or another supervisor the run: what is computed here is not
// wanted any more.
struct TakenOver {};

class RecordingOutput : public BlockOutput {
 public:
  RecordingOutput(const Block& block, const StepPlan& plan,
                  std::vector<std::shared_ptr<storage::Dataset>>& datasets, JournalWriter& journal,
                  std::filesystem::path report, std::filesystem::path base,
                  std::function<bool()> is_taken_over)
      : block_(block),
        plan_(plan),
        datasets_(datasets),
        journal_(journal),
        report_(std::move(report)),
        base_(std::move(base)),
        is_taken_over_(std::move(is_taken_over)) {}

  void throw_if_taken_over() const {
    if (is_taken_over_()) throw TakenOver();
  }

  void write(std::size_t output, const Box& box, const AnyArray& voxels) override {
    ORGANON_CHECK(output < datasets_.size() &&
                  plan_.outputs[output].box_made_by(block_.write_box).contains(box));
    before_write();
    // Durable with the journal's next group commit, so not synced file by file.
    for (const auto& chunk : datasets_[output]->write(box, voxels, Fsync::kNo, [this] { before_rename(); }))
      record_.chunks.push_back({output, chunk});
  }
  void emit(std::int64_t key, std::span<const std::byte> bytes) override {
    record_.partials.push_back(journal_.append_partial(key, bytes));
  }
  void add_file(const std::filesystem::path& path, const Hash128& hash) override {
    const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
    record_.files.push_back({absolute.lexically_relative(base_).string(), hash});
    journal_.also_sync(absolute.parent_path());
  }
  void report(double fraction, const std::string& note) override {
    if (seconds_since(last_report_) < 0.5) return;
    last_report_ = Clock::now();
    write_text_atomically(report_, fmt::format("{:.6f} {}", fraction, note), Fsync::kNo);
  }

  JournalRecord& record() { return record_; }

 protected:
  void before_write() override {
    fault_point("write");
    throw_if_taken_over();
  }
  void before_rename() override { throw_if_taken_over(); }

 private:
  const Block& block_;
  const StepPlan& plan_;
  std::vector<std::shared_ptr<storage::Dataset>>& datasets_;
  JournalWriter& journal_;
  std::filesystem::path report_;
  std::filesystem::path base_;
  std::function<bool()> is_taken_over_;
  Clock::time_point last_report_{};
  JournalRecord record_;
};

bool concerns_every_block(ErrorKind kind) {
  return kind == ErrorKind::kCancelled || kind == ErrorKind::kResourceExhausted;
}

// What cannot become better by trying again.
bool is_final(ErrorKind kind) {
  return kind == ErrorKind::kInvalidArgument || kind == ErrorKind::kUnsupported ||
         kind == ErrorKind::kAlreadyExists;
}

struct Batches {
  std::int64_t size = 1;
  std::int64_t num_blocks = 0;

  std::int64_t count() const { return (num_blocks + size - 1) / size; }
  std::int64_t begin(std::int64_t batch) const { return batch * size; }
  std::int64_t end(std::int64_t batch) const { return std::min((batch + 1) * size, num_blocks); }
};

std::filesystem::path refusal_file(const std::filesystem::path& step_folder, const std::string& worker) {
  return step_folder / "refused" / worker;
}

// Joins the kind of device that the run keeps to, or decides it. False, and why is left for the supervisor,
// where this process would compute on another.
bool joins_device(const RunFolder& run, const Stage& stage, const WorkerOptions& options) {
  const std::vector<std::string> types = stage.device_types();
  // An older session decides nothing any more: its worker will see that it is superseded.
  if (types.empty() || run.session() != options.session) return true;
  const auto own =
      std::find_if(types.begin(), types.end(), [&](const auto& type) { return stage.has_device(type); });
  std::string reason = fmt::format("{} has no device of a kind that can compute this: {}", host_name(),
                                   fmt::join(types, ", "));
  if (own != types.end()) {
    const RunFolder::Device decided = run.decide_device({*own, false, host_name()}, name_of_worker(options));
    if (decided.type == *own) {
      std::filesystem::remove(
          refusal_file(run.step(options.step), name_of_worker(options)));  // of a life before
      return true;
    }
    const bool is_known = std::find(types.begin(), types.end(), decided.type) != types.end();
    const bool has_it = is_known && stage.has_device(decided.type);
    // A single block is looked into, or mended, as it was.
    if (has_it && (decided.is_asked_for || options.only_block)) return true;
    reason = fmt::format(
        "this run keeps to {0} (decided on {1}), and {2} {3}: go on {4}, or begin anew with --force{5}",
        decided.type, decided.host, host_name(),
        has_it ? fmt::format("would compute on {}, whose voxels may differ", *own) : "has none",
        has_it ? fmt::format("with --device {}", decided.type)
               : fmt::format("where there is {}", decided.type),
        has_it ? "" : fmt::format(" --device {}", *own));
  }
  write_text_atomically(refusal_file(run.step(options.step), name_of_worker(options)), reason, Fsync::kNo);
  return false;
}

class Worker {
 public:
  Worker(const RunFolder& run, std::unique_ptr<Stage> stage, const WorkerOptions& options)
      : run_(run),
        options_(options),
        folder_(run.step(options.step)),
        stage_(std::move(stage)),
        is_exact_(stage_->device_types().empty()),
        step_(stage_->make_step(options.step, run)),
        step_name_(stage_->steps_of(run).at(options.step)),
        plan_(step_->plan()),
        blocks_(plan_.blocks()),
        batches_{read_step_record(folder_).value().batch, blocks_.count()},
        datasets_(open_outputs(plan_)),
        journal_(folder_, name_of_worker(options), options.fsync, folders_of(datasets_)),
        claims_(folder_ / "claims"),
        ledger_(folder_, blocks_.count(), options.session) {
    if (options.is_process) watchdog_.emplace(journal_, options.limits);
    ledger_.refresh();
    set_timeout();
  }

  /// Blocks that it completed.
  std::int64_t num_done() const { return num_done_; }

  /// Until nothing is left to claim; again later, where others may have died meanwhile.
  WorkerOutcome run() {
    try {
      if (options_.only_block) {
        process(*options_.only_block);
      } else if (options_.is_alone) {
        for (const auto& [block, attempts] : std::map(ledger_.attempts()))
          if (ledger_.lacks_memory(block)) process(block);
      } else {
        while (process_batches()) {
        }
      }
      journal_.commit();
    } catch (const TakenOver&) {
      // By another supervisor: this one's own is gone.
    } catch (const Error& error) {
      if (!concerns_every_block(error.kind())) throw;
      if (error.kind() == ErrorKind::kCancelled) {
        // Who asked for it knows; what is left is another worker's.
        journal_.commit();
        return WorkerOutcome::kDone;
      }
      try {
        journal_.commit();
        journal_.failed(-1, error.what());
      } catch (const Error&) {
        // A full disk refuses this line too; the supervisor then knows of the stop by the exit code alone.
      }
      return WorkerOutcome::kStopped;
    }
    return WorkerOutcome::kDone;
  }

 private:
  static std::vector<std::shared_ptr<storage::Dataset>> open_outputs(const StepPlan& plan) {
    std::vector<std::shared_ptr<storage::Dataset>> datasets;
    for (const OutputDataset& output : plan.outputs)
      datasets.push_back(storage::open_dataset(output.address));
    return datasets;
  }
  static std::vector<std::filesystem::path> folders_of(
      const std::vector<std::shared_ptr<storage::Dataset>>& datasets) {
    std::vector<std::filesystem::path> folders;
    for (const auto& dataset : datasets) {
      if (!storage::parse_address(dataset->address()).is_local()) continue;
      // Some formats make a level's folder with its first chunk.
      std::filesystem::path folder = dataset->path();
      while (!std::filesystem::exists(folder)) folder = folder.parent_path();
      folders.push_back(std::move(folder));
    }
    return folders;
  }

  // A block that another worker holds, or that waits for the time when it is alone, is none to do here.
  bool is_open(std::int64_t block) const {
    return !ledger_.is_finished(block) && !ledger_.lacks_memory(block);
  }
  bool is_dead(const std::string& worker) const {
    return !worker.starts_with(fmt::format("s{}-", options_.session)) || is_earlier_self(worker) ||
           std::filesystem::exists(folder_ / "dead" / worker) ||
           ledger_.silent_seconds(worker) > options_.limits.silent_s;
  }
  // A task that a cluster put back into its queue.
  bool is_earlier_self(const std::string& worker) const {
    const std::string name = name_of_worker(options_);
    if (worker != name && !worker.starts_with(name + ".")) return false;
    const auto life = [&](const std::string& of) {
      return of.size() > name.size() ? std::atoi(of.c_str() + name.size() + 1) : 1;
    };
    return life(worker) < life(journal_.worker());
  }
  bool is_superseded() const { return run_.session() != options_.session; }

  void set_timeout() {
    if (!watchdog_) return;
    const double given = options_.limits.timeout_s;
    if (given != 0) return watchdog_->set_timeout(given > 0 ? std::optional(given) : std::nullopt);
    // The time of a solve is not to be foreseen.
    if (blocks_.count() == 1) return watchdog_->set_timeout(std::nullopt);
    const double planned =
        static_cast<double>(blocks_.box_of(0).volume()) / std::max(plan_.voxels_per_second, 1.0);
    const auto slowest = ledger_.seconds_quantile(kSlowestQuantile);
    watchdog_->set_timeout(slowest
                               ? std::max({kLeastTimeoutS, kTimesSlowest * *slowest, kTimesPlanned * planned})
                               : std::max(kFirstTimeoutS, kTimesPlanned * planned));
  }

  // One pass over all batches; false where it found none to claim.
  bool process_batches() {
    bool found = false;
    claims_.refresh();
    ledger_.refresh();
    const std::int64_t first =
        batches_.count() * (options_.number % options_.of_workers) / options_.of_workers;
    for (std::int64_t i = 0; i < batches_.count(); ++i) {
      const std::int64_t batch = (first + i) % batches_.count();
      const auto has_open = [&] {
        for (std::int64_t id = batches_.begin(batch); id < batches_.end(batch); ++id)
          if (is_open(id)) return true;
        return false;
      };
      if (!has_open()) continue;
      if (!claims_.try_claim(batch, journal_.worker(),
                             [&](const std::string& holder) { return is_dead(holder); }))
        continue;
      found = true;
      ledger_.refresh();  // what a dead holder finished before it died
      set_timeout();
      for (std::int64_t id = batches_.begin(batch); id < batches_.end(batch); ++id) {
        throw_if_cancelled();
        if (is_superseded()) throw TakenOver();
        if (claims_.is_taken_over(batch)) break;
        if (is_open(id)) process(id, batch);
      }
    }
    return found;
  }

  // "block 7 [0,0,0]..[64,64,64]: " where there is more than one block.
  std::string context_of(const Block& block) const {
    return blocks_.count() == 1 ? "" : fmt::format("block {} {}: ", block.id, to_string(block.write_box));
  }

  // Tries until the block is completed, given up, or another's.
  void process(std::int64_t id, std::optional<std::int64_t> batch = {}) {
    const Block block{id, blocks_.position_of(id), blocks_.box_of(id)};
    for (int pause_ms = 20;; pause_ms *= 5) {
      const Ledger::Attempts before = ledger_.attempts_at(id);
      if (before.begun >= kMaxAttempts || before.out_of_memory >= 2) {
        give_up(block, before);
        return;
      }
      // Time for a file system to come back; a worker that died had its pause.
      if (before.begun > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
      if (attempt(block, batch, before.begun > 0)) return;
      ledger_.refresh();
      if (!options_.is_alone && ledger_.lacks_memory(id)) return;
    }
  }

  void give_up(const Block& block, const Ledger::Attempts& attempts) {
    std::string reason;
    for (const std::string& ending : attempts.endings) {
      // Three times the same is said once.
      if (reason.find(ending) == std::string::npos) reason += (reason.empty() ? "" : "; ") + ending;
    }
    if (reason.empty()) reason = "the worker died in it";
    journal_.failed(block.id, fmt::format("{}{} ({} attempts)", context_of(block), reason, attempts.begun));
    ledger_.refresh();
  }

  // False where the block may be tried again.
  bool attempt(const Block& block, std::optional<std::int64_t> batch, bool is_again) {
    journal_.started(block.id);
    const auto begin = Clock::now();
    RecordingOutput output(block, plan_, datasets_, journal_, folder_ / "reports" / journal_.worker(),
                           std::filesystem::absolute(run_.base()).lexically_normal(),
                           [&] { return is_superseded() || (batch && claims_.is_taken_over(*batch)); });
    if (watchdog_) watchdog_->begin_block(block.id);
    try {
      fault_point("block");
      fault_point(fmt::format("block {}", block.id));
      step_->process(block, output);
      fault_point(step_name_);  // computed and written, not recorded
      if (!is_exact_) output.throw_if_taken_over();
    } catch (const TakenOver&) {
      if (is_superseded()) throw;
      journal_.ended(block.id, EndCause::kLeft, "its claim was taken over");
      if (watchdog_) watchdog_->end_block();
      return true;
    } catch (const Error& error) {
      if (watchdog_) watchdog_->end_block();
      if (error.kind() == ErrorKind::kCancelled) journal_.ended(block.id, EndCause::kLeft, error.message());
      if (concerns_every_block(error.kind())) throw Error(error.kind(), context_of(block) + error.message());
      if (is_final(error.kind())) {
        journal_.failed(block.id, context_of(block) + error.what());
        ledger_.refresh();
        return true;
      }
      journal_.ended(block.id, EndCause::kError, error.what());
      return false;
    } catch (const std::bad_alloc&) {
      if (watchdog_) watchdog_->end_block();
      journal_.ended(block.id, EndCause::kMemory, "the system gave no more memory");
      return false;
    } catch (const std::exception& error) {
      if (watchdog_) watchdog_->end_block();
      journal_.ended(block.id, EndCause::kError, error.what());
      return false;
    }
    if (watchdog_) watchdog_->end_block();
    JournalRecord record = std::move(output.record());
    record.kind = JournalRecord::Kind::kCompleted;
    record.block = block.id;
    record.seconds = seconds_since(begin);
    record.peak_bytes = peak_bytes();
    journal_.completed(record);
    // Where a worker died before, what is finished is recorded at once: a death costs one block, and blocks
    // beside a deadly one are not taken for guilty.
    if (is_again) journal_.commit();
    ledger_.set_done(block.id);
    ++num_done_;
    return true;
  }

  const RunFolder& run_;
  const WorkerOptions options_;
  const std::filesystem::path folder_;
  const std::unique_ptr<Stage> stage_;
  const bool is_exact_;
  const std::unique_ptr<Step> step_;
  const std::string step_name_;
  const StepPlan plan_;
  const BlockGrid blocks_;
  const Batches batches_;
  std::vector<std::shared_ptr<storage::Dataset>> datasets_;
  JournalWriter journal_;
  Claims claims_;
  Ledger ledger_;
  std::int64_t num_done_ = 0;
  std::optional<Watchdog> watchdog_;  // last: its thread uses the journal
};

}  // namespace

std::string name_of_worker(const WorkerOptions& options) {
  return fmt::format("s{}-w{}", options.session, options.number);
}

std::optional<std::string> refusal_of(const std::filesystem::path& step_folder, const std::string& worker) {
  const std::filesystem::path file = refusal_file(step_folder, worker);
  if (worker.empty() || !std::filesystem::exists(file)) return std::nullopt;
  return read_text(file);
}

WorkerOutcome follow_steps(const RunFolder& run, const StageFactory& factory, WorkerOptions options) {
  std::optional<Worker> worker;
  std::optional<std::size_t> step;
  Clock::time_point last_done = Clock::now();
  std::int64_t num_done = 0;
  try {
    while (!is_cancelled() && run.session() == options.session &&
           seconds_since(last_done) < kSilencesIdle * options.limits.silent_s) {
      const auto current = run.current_step(options.session);
      if (current && current != step) {
        step = current;
        options.step = *current;
        worker.reset();
        auto stage = factory(run.read_description());
        if (!joins_device(run, *stage, options)) return WorkerOutcome::kRefused;
        worker.emplace(run, std::move(stage), options);
        num_done = 0;
        last_done = Clock::now();
      }
      if (worker) {
        if (worker->run() == WorkerOutcome::kStopped) return WorkerOutcome::kStopped;
        if (worker->num_done() > num_done) last_done = Clock::now();
        num_done = worker->num_done();
      }
      std::this_thread::sleep_for(kStepInterval);
    }
  } catch (const Error& error) {
    if (!concerns_every_block(error.kind())) throw;
    return WorkerOutcome::kStopped;
  }
  return WorkerOutcome::kDone;
}

WorkerOutcome work(const RunFolder& run, const StageFactory& factory, const WorkerOptions& options) {
  try {
    auto stage = factory(run.read_description());
    if (!joins_device(run, *stage, options)) return WorkerOutcome::kRefused;
    return Worker(run, std::move(stage), options).run();
  } catch (const Error& error) {
    // Where it had no journal yet, or could not write it.
    if (!concerns_every_block(error.kind())) throw;
    return WorkerOutcome::kStopped;
  }
}

}  // namespace organon::blockwise
