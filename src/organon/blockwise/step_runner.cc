#include "organon/blockwise/step_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <set>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/blockwise/status.h"

namespace organon::blockwise {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(100);
// Ends of workers, beyond three of each, after which something else than blocks is wrong.
constexpr int kMaxDeathsPerStep = 64;
// A few bad blocks are told apart from a stage that cannot work.
constexpr std::size_t kFewestFailures = 10;

// "s1-w3" is "s1-w3.2" when it lives again.
std::string next_life_of(const std::string& worker) {
  const std::size_t dot = worker.find('.');
  if (dot == std::string::npos) return worker + ".2";
  return fmt::format("{}.{}", worker.substr(0, dot), std::atoi(worker.c_str() + dot + 1) + 1);
}

class StepRunner {
 public:
  StepRunner(const StepRun& step, const RunFolder& run, const StageFactory& factory,
             const RunOptions& options, WorkerPool* pool, Progress& progress)
      : step_(step),
        run_(run),
        factory_(factory),
        options_(options),
        pool_(pool),
        progress_(progress),
        folder_(run.step(step.step)),
        ledger_(folder_, step.num_blocks, step.session) {}

  std::map<std::int64_t, std::string> run() {
    look();
    if (pool_ == nullptr) {
      run_threads();
    } else {
      run_pool(false);
      run_pool(true);
    }
    look();
    throw_if_cancelled();
    if (!stop_message_.empty()) throw Error(ErrorKind::kResourceExhausted, stop_message_);
    if (is_refused_ && !ledger_.is_finished()) {
      throw Error(ErrorKind::kUnsupported,
                  "no worker could go on: " + fmt::format("{}", fmt::join(refusals_, "; ")));
    }
    if (!ledger_.is_finished() && !has_too_many_failures())
      throw Error(ErrorKind::kInternal, fmt::format("workers left step {} unfinished", step_.step + 1));
    return ledger_.failures();
  }

 private:
  // Takes in what the journals say, and tells of it.
  void look() {
    ledger_.refresh();
    if (stop_message_.empty()) stop_message_ = ledger_.stop_message();
    // Why is told at the end, or by status meanwhile.
    for (const auto& [block, message] : ledger_.failures())
      if (told_.insert(block).second) progress_.warn(fmt::format("block {} is given up", block));
    auto [fraction, note] = read_report(folder_, step_.session);
    if (pool_ != nullptr && !pool_->state().empty()) note = pool_->state();
    const std::int64_t finished = ledger_.num_finished();
    // A step of one long block counts in thousandths.
    progress_.update(step_.num_blocks > 1 ? finished
                     : finished > 0       ? 1000
                                          : static_cast<std::int64_t>(fraction * 1000),
                     note);
  }

  bool has_too_many_failures() const {
    const std::size_t failed = ledger_.failures().size();
    return failed >= kFewestFailures &&
           static_cast<double>(failed) > options_.max_failed_share * static_cast<double>(step_.num_blocks);
  }
  bool must_stop() const {
    return is_cancelled() || !stop_message_.empty() || has_too_many_failures() || is_refused_;
  }

  std::int64_t num_lacking_memory() const {
    return std::count_if(ledger_.attempts().begin(), ledger_.attempts().end(),
                         [](const auto& entry) { return entry.second.out_of_memory > 0; });
  }
  // Blocks that a worker could take now.
  bool has_open(bool alone) const {
    const std::int64_t lacking = num_lacking_memory();
    if (alone) return lacking > 0;
    return ledger_.num_finished() + lacking < step_.num_blocks;
  }

  WorkerOptions worker(bool alone) {
    WorkerOptions worker;
    worker.step = step_.step;
    worker.session = step_.session;
    worker.number = next_number_++;
    worker.of_workers = step_.num_workers;
    worker.fsync = options_.fsync;
    worker.is_alone = alone;
    worker.limits = options_.limits;
    // Tasks of a cluster have what their job has.
    if (pool_ == nullptr || !pool_->outlives_steps())
      worker.limits.memory_bytes = alone ? step_.memory_bytes : step_.memory_bytes / step_.num_workers;
    worker.is_process = pool_ != nullptr;
    return worker;
  }

  void start_workers(bool alone, int count) {
    if (count <= 0) return;
    pool_->start(worker(alone), count);
    next_number_ += count - 1;
  }

  // Nobody beside the one that is to be alone.
  void send_home() {
    for (int i = 0; pool_->num_running() > 0 && !is_cancelled(); ++i) {
      if (i % 100 == 0) pool_->ask_to_stop();  // a controller may not listen at once
      for (const WorkerPool::Ending& ending : pool_->poll()) note(ending);
      std::this_thread::sleep_for(kPollInterval);
    }
  }

  void run_threads() {
    std::atomic<bool> has_error{false};
    std::exception_ptr error;
    std::atomic<int> num_refused{0};
    const auto run_one = [&](const WorkerOptions& options) {
      try {
        if (work(run_, factory_, options) == WorkerOutcome::kRefused) ++num_refused;
      } catch (...) {
        if (!has_error.exchange(true)) error = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < step_.num_workers; ++i) threads.emplace_back(run_one, worker(false));
    }
    look();
    for (int number = 0; num_refused > 0 && number < next_number_; ++number)
      note_refusal(fmt::format("s{}-w{}", step_.session, number));
    is_refused_ = num_refused > 0 && num_refused == step_.num_workers;
    if (!error && has_open(true)) run_one(worker(true));
    if (error) std::rethrow_exception(error);
  }

  void run_pool(bool alone) {
    const int wanted = alone ? 1 : step_.num_workers;
    num_refused_ = 0;
    if (alone && has_open(alone) && !must_stop()) send_home();
    if (has_open(alone) && !must_stop()) start_workers(alone, wanted - pool_->num_running());
    bool is_told_to_stop = false;
    while (pool_->num_running() > 0) {
      if (pool_->outlives_steps() && !has_open(alone)) return;
      auto endings = pool_->poll();
      for (WorkerPool::Ending& ending : endings) {
        if (killed_.contains(ending.worker) && ending.how == WorkerPool::Ending::How::kDone) {
          ending.how = WorkerPool::Ending::How::kDied;
          ending.message = "its worker showed no sign of life";
        }
        note(ending);
      }
      look();
      if (must_stop() && !is_told_to_stop) {
        is_told_to_stop = true;
        pool_->ask_to_stop();
      }
      kill_silent();
      if (!must_stop() && has_open(alone)) replace(endings, alone, wanted);
      if (endings.empty()) std::this_thread::sleep_for(kPollInterval);
    }
  }

  void replace(const std::vector<WorkerPool::Ending>& endings, bool alone, int wanted) {
    // Whoever refused would do so again: the others go on without.
    wanted -= num_refused_;
    if (wanted <= 0 && pool_->num_running() == 0) {
      is_refused_ = true;
      return;
    }
    if (pool_->num_running() == 0 || (pool_->outlives_steps() && !endings.empty())) {
      start_workers(alone, pool_->outlives_steps() ? wanted - pool_->num_running() : 1);
      return;
    }
    // A process that ended well with work left leaves it to those who hold it: only the last one is replaced
    // then.
    const auto died = std::count_if(endings.begin(), endings.end(), [](const auto& ending) {
      return ending.how != WorkerPool::Ending::How::kDone;
    });
    start_workers(alone, std::min(static_cast<int>(died), wanted - pool_->num_running()));
  }

  void note(const WorkerPool::Ending& ending) {
    using How = WorkerPool::Ending::How;
    ledger_.refresh();
    if (note_refusal(ending.worker)) return;
    if (ending.how == How::kGaveUp || ending.how == How::kDied) mark_dead(ending);
    // A task that its cluster ended may have held claims; it is certainly gone.
    if (ending.how == How::kDone && pool_->outlives_steps()) mark_gone(ending.worker);
    if (ending.how == How::kStopped && ledger_.stop_message().empty() && !is_cancelled()) {
      stop_message_ = fmt::format("the disk or memory is full: {} has {} MiB free", run_.path().string(),
                                  std::filesystem::space(run_.path()).available >> 20);
    }
    // Deaths without end, while nothing gets done, are not the blocks' doing.
    const std::int64_t finished = ledger_.num_finished();
    if (finished > finished_at_death_ || ending.how == How::kDone) num_deaths_ = 0;
    finished_at_death_ = finished;
    if (++num_deaths_ > kMaxDeathsPerStep + 3 * step_.num_workers && !ledger_.is_finished()) {
      stop_message_ = fmt::format("{} workers ended in this step without finishing it; the last: {}",
                                  num_deaths_, ending.message);
    }
  }

  // False where it did not refuse.
  bool note_refusal(const std::string& worker) {
    const auto refusal = refusal_of(folder_, worker);
    if (!refusal) return false;
    ++num_refused_;
    if (refusals_.insert(*refusal).second) progress_.warn(*refusal);
    return true;
  }

  // So that others take its batches over at once, and the reason stands with the block it was in.
  void mark_dead(const WorkerPool::Ending& ending) {
    if (ending.how == WorkerPool::Ending::How::kDied) {
      const auto running = ledger_.running().find(ending.worker);
      if (running != ledger_.running().end() && !ledger_.is_done(running->second.block)) {
        const std::int64_t block = running->second.block;
        journal().ended(block, ending.cause, ending.message);
        progress_.warn(fmt::format("block {}: {}", block, ending.message));
      }
    }
    mark_gone(ending.worker);
  }

  void mark_gone(const std::string& worker) {
    dead_.insert(worker);
    write_text_atomically(folder_ / "dead" / worker, "dead", Fsync::kNo);
  }

  void kill_silent() {
    for (const auto& [worker, running] : std::map(ledger_.running())) {
      if (ledger_.silent_seconds(worker) <= options_.limits.silent_s || dead_.contains(worker)) continue;
      // Requeued by a cluster: its next life has a journal of its own, and its task number.
      if (std::filesystem::exists(folder_ / "journals" / next_life_of(worker))) continue;
      if (!killed_.insert(worker).second) continue;
      progress_.warn(
          fmt::format("{} shows no sign of life for {:.0f} s: ended", worker, options_.limits.silent_s));
      pool_->kill(worker);
    }
  }

  JournalWriter& journal() {
    if (!journal_) {
      journal_.emplace(folder_, fmt::format("s{}-supervisor", step_.session), options_.fsync,
                       std::vector<std::filesystem::path>{});
    }
    return *journal_;
  }

  const StepRun step_;
  const RunFolder& run_;
  const StageFactory& factory_;
  const RunOptions& options_;
  WorkerPool* pool_;
  Progress& progress_;
  const std::filesystem::path folder_;
  Ledger ledger_;
  std::optional<JournalWriter> journal_;
  std::string stop_message_;
  std::set<std::int64_t> told_;
  std::set<std::string> killed_;
  std::set<std::string> dead_;
  std::set<std::string> refusals_;  // what those who refused said
  int num_refused_ = 0;
  bool is_refused_ = false;  // by all
  int next_number_ = 0;
  int num_deaths_ = 0;
  std::int64_t finished_at_death_ = 0;
};

}  // namespace

std::map<std::int64_t, std::string> run_step(const StepRun& step, const RunFolder& run,
                                             const StageFactory& factory, const RunOptions& options,
                                             WorkerPool* pool, Progress& progress) {
  return StepRunner(step, run, factory, options, pool, progress).run();
}

}  // namespace organon::blockwise
