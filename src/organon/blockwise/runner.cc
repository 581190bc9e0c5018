#include "organon/blockwise/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/outputs.h"

namespace organon::blockwise {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(100);
constexpr int kMaxDeathsPerStep = 64;  // ends of workers beyond the first of each
constexpr int kFailedExitCode = 3;
constexpr int kCannotStartExitCode = 127;

// Held while a supervisor runs here; the kernel lets go of it when the process dies.
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    const std::filesystem::path path = folder / "lock";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw_system_error("cannot open", path.string());
    // Workers of a supervisor that was killed just now may still be on their way out.
    for (int i = 0; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; ++i) {
      if (i == 20) {
        ::close(descriptor_);
        throw Error(ErrorKind::kAlreadyExists,
                    fmt::format("another run is working in {}; wait for it or stop it", folder.string()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock() { ::close(descriptor_); }

 private:
  int descriptor_ = -1;
};

int next_session(const RunFolder& run) {
  const std::filesystem::path file = run.path() / "session";
  const int session = std::filesystem::exists(file) ? std::atoi(read_text(file).c_str()) + 1 : 1;
  write_text_atomically(file, std::to_string(session));
  return session;
}

struct StepState {
  std::set<std::int64_t> done;
  std::map<std::int64_t, std::string> failed;
  std::string stopped;  // message of a worker that stopped for all
};

void learn(JournalReader& reader, int session, StepState& state) {
  const std::string prefix = fmt::format("s{}-", session);
  for (const JournalRecord& record : reader.poll()) {
    if (record.kind == JournalRecord::Kind::kCompleted) state.done.insert(record.block);
    if (record.kind != JournalRecord::Kind::kFailed || !record.worker.starts_with(prefix)) continue;
    if (record.block < 0) {
      state.stopped = record.message;
    } else {
      state.failed[record.block] = record.message;
    }
  }
}

// In a child of fork(): becomes the worker program.
[[noreturn]] void execute_worker(const RunOptions& options, const RunFolder& run,
                                 const WorkerOptions& worker) {
  std::vector<std::string> words = {options.worker_program};
  words.insert(words.end(), options.worker_arguments.begin(), options.worker_arguments.end());
  for (const std::string& word :
       {std::string("work"), run.path().string(), std::string("--step"), std::to_string(worker.step),
        std::string("--session"), std::to_string(worker.session), std::string("--number"),
        std::to_string(worker.number), std::string("--of-workers"), std::to_string(worker.of_workers)}) {
    words.push_back(word);
  }
  if (worker.fsync == Fsync::kNo) words.push_back("--no-fsync");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(kCannotStartExitCode);
}

// In a child of fork(): works and ends. Loading a large program anew takes longer than many a step.
[[noreturn]] void work_here(const RunFolder& run, const StageFactory& factory, const WorkerOptions& worker) {
  int code = kFailedExitCode;
  try {
    code = work(run, factory, worker) == WorkerOutcome::kDone ? 0 : kStoppedExitCode;
  } catch (const std::exception& error) {
    fmt::print(stderr, "organon: {}\n", error.what());
    std::fflush(stderr);
  }
  ::_exit(code);  // what the parent has not written yet is the parent's
}

pid_t start_process(const std::function<void()>& become_worker) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_system_error("cannot start", "a worker process");
  if (child == 0) {
    // Workers never outlive their supervisor, whatever kills it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kCannotStartExitCode);
    become_worker();
  }
  return child;
}

std::string report_note(const std::filesystem::path& step_folder, double& fraction) {
  fraction = 0;
  std::string note;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(step_folder / "reports", missing)) {
    if (entry.path().filename().string().starts_with(".")) continue;
    const std::string text = read_text(entry.path());
    const std::size_t blank = text.find(' ');
    fraction = std::max(fraction, std::atof(text.c_str()));
    if (blank != std::string::npos) note = text.substr(blank + 1);
  }
  return note;
}

// Progress in thousandths for a step of one long block, in blocks otherwise.
class StepProgress {
 public:
  StepProgress(Progress& progress, const std::string& name, std::int64_t num_blocks,
               std::filesystem::path step_folder)
      : progress_(progress), step_folder_(std::move(step_folder)), is_single_(num_blocks == 1) {
    progress_.start(name, is_single_ ? 1000 : num_blocks, is_single_ ? "permille" : "blocks");
  }
  void update(const StepState& state) {
    double fraction = 0;
    const std::string note = report_note(step_folder_, fraction);
    const auto finished = static_cast<std::int64_t>(state.done.size() + state.failed.size());
    progress_.update(
        is_single_ ? (finished > 0 ? 1000 : static_cast<std::int64_t>(fraction * 1000)) : finished, note);
  }

 private:
  Progress& progress_;
  std::filesystem::path step_folder_;
  bool is_single_;
};

class StepRunner {
 public:
  StepRunner(const StageFactory& factory, bool needs_fresh_workers, const RunFolder& run,
             const RunOptions& options, std::size_t step, int session, std::int64_t num_blocks,
             int num_workers, StepProgress& progress)
      : factory_(factory),
        needs_fresh_workers_(needs_fresh_workers),
        run_(run),
        options_(options),
        step_(step),
        session_(session),
        num_blocks_(num_blocks),
        num_workers_(num_workers),
        progress_(progress),
        reader_(run.step(step)) {}

  StepState run() {
    learn(reader_, session_, state_);
    if (options_.worker_program.empty()) {
      run_threads();
    } else {
      run_processes();
    }
    learn(reader_, session_, state_);
    progress_.update(state_);
    if (!state_.stopped.empty()) {
      const bool by_user = is_cancelled();
      throw Error(by_user ? ErrorKind::kCancelled : ErrorKind::kResourceExhausted,
                  by_user ? "stopped on request; run the same command again to go on" : state_.stopped);
    }
    throw_if_cancelled();
    return state_;
  }

 private:
  bool is_finished() const {
    return static_cast<std::int64_t>(state_.done.size() + state_.failed.size()) >= num_blocks_;
  }

  WorkerOptions worker(int number) const { return {step_, session_, number, num_workers_, options_.fsync}; }

  void run_threads() {
    std::atomic<bool> has_error{false};
    std::exception_ptr error;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < num_workers_; ++i) {
        threads.emplace_back([&, i] {
          try {
            work(run_, factory_, worker(i));
          } catch (...) {
            if (!has_error.exchange(true)) error = std::current_exception();
          }
        });
      }
    }
    if (error) std::rethrow_exception(error);
  }

  void run_processes() {
    std::map<pid_t, int> running;
    int next_number = 0;
    int deaths = 0;
    const auto start = [&] {
      running.emplace(start_process([&] {
                        if (needs_fresh_workers_) execute_worker(options_, run_, worker(next_number));
                        work_here(run_, factory_, worker(next_number));
                      }),
                      next_number);
      ++next_number;
    };
    for (int i = 0; i < num_workers_ && !is_finished(); ++i) start();
    bool told_to_stop = false;
    while (!running.empty()) {
      int status = 0;
      const pid_t ended = ::waitpid(-1, &status, WNOHANG);
      if (ended > 0 && running.contains(ended)) {
        const int number = running[ended];
        running.erase(ended);
        const bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        const bool has_stopped = WIFEXITED(status) && WEXITSTATUS(status) == kStoppedExitCode;
        if (!is_clean && !has_stopped) {
          write_text_atomically(run_.step(step_) / "dead" / fmt::format("s{}-w{}", session_, number), "dead",
                                Fsync::kNo);
          if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotStartExitCode) {
            throw Error(ErrorKind::kInternal,
                        fmt::format("cannot start worker program {}", options_.worker_program));
          }
        }
        ++deaths;
        learn(reader_, session_, state_);
        if (has_stopped && state_.stopped.empty() && !is_cancelled()) {
          state_.stopped = fmt::format("the disk or memory is full: {} has {} MiB free", run_.path().string(),
                                       std::filesystem::space(run_.path()).available >> 20);
        }
        const bool goes_on = state_.stopped.empty() && !is_cancelled();
        if (goes_on && !is_finished() && running.size() < static_cast<std::size_t>(num_workers_)) {
          // A clean end with work left means that others hold it: only the last one is replaced then.
          if (deaths > kMaxDeathsPerStep + num_workers_) {
            state_.stopped =
                fmt::format("{} workers ended in this step without finishing it; the last with {}", deaths,
                            WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                : fmt::format("exit code {}", WEXITSTATUS(status)));
          } else if (!is_clean || running.empty()) {
            start();
          }
        }
        continue;
      }
      if ((is_cancelled() || !state_.stopped.empty()) && !told_to_stop) {
        told_to_stop = true;
        for (const auto& [pid, number] : running) ::kill(pid, SIGTERM);
      }
      learn(reader_, session_, state_);
      progress_.update(state_);
      std::this_thread::sleep_for(kPollInterval);
    }
  }

  const StageFactory& factory_;
  bool needs_fresh_workers_;
  const RunFolder& run_;
  const RunOptions& options_;
  std::size_t step_;
  int session_;
  std::int64_t num_blocks_;
  int num_workers_;
  StepProgress& progress_;
  JournalReader reader_;
  StepState state_;
};

int workers_that_fit(const StepPlan& plan, int wanted) {
  const std::int64_t available = available_memory_bytes();
  const std::int64_t per_worker = std::max<std::int64_t>(plan.bytes_per_worker, 1);
  const std::int64_t fitting = available / per_worker;
  if (fitting < 1) {
    throw Error(ErrorKind::kResourceExhausted,
                fmt::format("a worker needs up to {} MiB, {} MiB are free; choose a smaller --block-shape",
                            per_worker >> 20, available >> 20));
  }
  return static_cast<int>(std::min<std::int64_t>({wanted, fitting, plan.max_workers, plan.blocks().count()}));
}

}  // namespace

std::int64_t available_memory_bytes() {
  std::int64_t available = std::int64_t{1} << 40;
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  while (meminfo >> word) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && meminfo >> kib) available = kib * 1024;
  }
  std::ifstream limit_file("/sys/fs/cgroup/memory.max");
  std::int64_t limit = 0;
  std::int64_t used = 0;
  std::ifstream used_file("/sys/fs/cgroup/memory.current");
  if (limit_file >> limit && used_file >> used) {
    // Pages of files that were read count as used, and go when memory is asked for.
    std::ifstream statistics("/sys/fs/cgroup/memory.stat");
    std::int64_t bytes = 0;
    while (statistics >> word >> bytes)
      if (word == "inactive_file") used -= bytes;
    available = std::clamp<std::int64_t>(limit - used, 0, available);
  }
  return available;
}

bool is_complete(const StageDescription& description, const StageFactory& factory, const RunFolder& run) {
  const auto completion = run.read_completion();
  if (!completion || !outputs_exist(description)) return false;
  try {
    return completion->identity == identity_of_stage(description, factory(description)->algorithm_version());
  } catch (const Error&) {
    return false;
  }
}

std::vector<PlanLine> plan_stage(const Stage& stage, int workers) {
  std::vector<PlanLine> lines;
  const std::vector<StepPlan> plans = stage.plans();
  const std::vector<std::string> names = stage.steps();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const StepPlan& plan = plans[i];
    const double in_parallel = std::max(1, std::min(workers, plan.max_workers));
    lines.push_back({names.at(i), plan.blocks().count(), plan.bytes_read, plan.bytes_written,
                     plan.bytes_per_worker,
                     static_cast<double>(plan.domain.volume()) / plan.voxels_per_second / in_parallel});
  }
  return lines;
}

RunResult run_stage(const StageDescription& given, const StageFactory& factory, const RunFolder& run,
                    const RunOptions& options, Progress& progress) {
  // Workers, and the next call from another folder, must find the same places.
  StageDescription description = given;
  for (auto* addresses : {&description.inputs, &description.outputs})
    for (std::string& address : *addresses)
      address = storage::address_in(std::filesystem::current_path(), address);
  const auto begin = std::chrono::steady_clock::now();
  RunResult result;
  const std::unique_ptr<Stage> asked = factory(description);
  const std::string identity = identity_of_stage(description, asked->algorithm_version());
  const RunLock lock(run.path());
  const auto completion = run.read_completion();
  if (completion && completion->identity == identity && !options.force && outputs_exist(description)) {
    result.was_unchanged = true;
    result.result = completion->result;
    std::filesystem::remove_all(run.path() / "scratch.n5");  // of a run that died in its last moment
    return result;
  }
  const int wanted = options.workers > 0 ? options.workers
                                         : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  // Nothing is touched before it is known that this can run.
  const std::vector<StepPlan> first_plans = asked->plans();
  for (const StepPlan& plan : first_plans) workers_that_fit(plan, wanted);
  check_apart(description, first_plans);
  // A run of the same identity that was cut short goes on, with the block shape it began with.
  StageDescription effective = description;
  if (!completion && run.read_identity() == identity && !options.force) {
    effective = run.read_description();
    effective.outputs = description.outputs;
    effective.inputs = description.inputs;
  } else {
    clear_outputs(description, run);
  }
  run.write_description(effective, identity);
  const std::unique_ptr<Stage> stage = factory(effective);
  const int session = next_session(run);

  std::vector<StepPlan> plans;
  const std::vector<std::string> names = stage->steps();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::unique_ptr<Step> step = stage->make_step(i, run);
    plans.push_back(step->plan());
    const StepPlan& plan = plans.back();
    const std::int64_t num_blocks = plan.blocks().count();
    result.num_blocks += num_blocks;
    const std::filesystem::path plan_file = run.step(i) / "plan.json";
    if (!std::filesystem::exists(plan_file)) {
      create_outputs(plan, description.verb, run, i);
      // Small batches where there are few blocks, so that workers end together; larger ones keep claims few.
      const std::int64_t batch = std::clamp<std::int64_t>(num_blocks / 256, 1, 64);
      write_text_atomically(plan_file, to_text({{"step", names[i]},
                                                {"num_blocks", num_blocks},
                                                {"batch", batch},
                                                {"bytes_per_worker", plan.bytes_per_worker},
                                                {"bytes_read", plan.bytes_read},
                                                {"bytes_written", plan.bytes_written}}));
    }
    if (num_blocks == 0) continue;
    StepProgress step_progress(progress, title_of(description) + ": " + names[i], num_blocks, run.step(i));
    StepRunner runner(factory, stage->needs_fresh_workers(), run, options, i, session, num_blocks,
                      workers_that_fit(plan, wanted), step_progress);
    const StepState state = runner.run();
    progress.finish(fmt::format("{} of {} blocks", state.done.size(), num_blocks));
    for (const auto& [block, message] : state.failed) {
      if (!state.done.contains(block)) result.failures.push_back(message);
    }
    if (!result.failures.empty()) return result;
  }
  const Results results = results_of(run, plans);
  result.result = results.of_all;
  seal(effective, results, identity);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  run.write_completion({identity, result.result, result.seconds});
  std::filesystem::remove_all(run.path() / "scratch.n5");
  return result;
}

}  // namespace organon::blockwise
