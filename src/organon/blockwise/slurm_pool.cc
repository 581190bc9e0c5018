#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/command.h"
#include "organon/base/error.h"
#include "organon/blockwise/worker_pool.h"

namespace organon::blockwise {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kQueryInterval = std::chrono::seconds(2);
constexpr int kMostSubmissions = 6;  // tries of one submission; controllers are restarted and overloaded
// Before the end of its time a worker is told, so that it can finish its block.
constexpr int kWarningS = 120;
constexpr std::int64_t kBaseBytes = std::int64_t{512} << 20;  // of a worker that holds no voxels
constexpr int kLargestArray = 1000;
constexpr int kNoSuchTask = -1;

// Tasks of job arrays, one per worker. Only command-line text is used: sbatch, squeue, scancel.
class SlurmPool : public WorkerPool {
 public:
  SlurmPool(const RunFolder& run, SlurmPoolOptions options) : run_(run), options_(std::move(options)) {}
  SlurmPool(const SlurmPool&) = delete;
  SlurmPool& operator=(const SlurmPool&) = delete;
  ~SlurmPool() override {
    // Idle by now, or not wanted any more.
    for (const auto& [array, tasks] : arrays_) run_command({"scancel", array});
  }

  void start(const WorkerOptions& worker, int count) override {
    // As many as every cluster takes in one array.
    for (; count > kLargestArray; count -= kLargestArray) start(worker, kLargestArray);
    if (count <= 0) return;
    std::filesystem::create_directories(run_.path() / "slurm");
    std::vector<std::string> words = {
        "sbatch",
        "--parsable",
        "--requeue",
        "--job-name=organon",
        "--open-mode=append",
        fmt::format("--signal=B:TERM@{}", kWarningS),
        fmt::format("--array=0-{}", count - 1),
        fmt::format("--output={}", (run_.path() / "slurm" / "%A_%a.log").string()),
    };
    const auto says = [&](const std::string& option) {
      return std::any_of(options_.sbatch_arguments.begin(), options_.sbatch_arguments.end(),
                         [&](const std::string& given) { return given.starts_with(option); });
    };
    if (!worker.is_alone && !says("--mem")) {
      words.push_back(fmt::format("--mem={}M", (options_.bytes_per_worker + kBaseBytes) >> 20));
    }
    words.insert(words.end(), options_.sbatch_arguments.begin(), options_.sbatch_arguments.end());
    // All of a node, whatever the user asks for the others.
    if (worker.is_alone) words.insert(words.end(), {"--mem=0", "--exclusive"});
    std::vector<std::string> program = {options_.program};
    program.insert(program.end(), options_.arguments.begin(), options_.arguments.end());
    for (const std::string& word : words_of(run_, worker)) program.push_back(word);
    if (!worker.is_alone) program.push_back("--follow");
    words.push_back("--wrap");
    // The shell gives way to the worker, which then gets the signals itself.
    words.push_back("exec " + quoted_for_shell(program) + " --number $((" + std::to_string(next_number_) +
                    " + SLURM_ARRAY_TASK_ID))");
    // Indices begin at 0 in every array, as clusters bound them; numbers of workers go on.
    const std::string array = submit(words);
    first_number_[array] = next_number_;
    for (int i = 0; i < count; ++i) arrays_[array][next_number_ + i] = "PENDING";
    session_ = worker.session;
    next_number_ += count;
  }

  std::vector<Ending> poll() override {
    std::vector<Ending> endings;
    if (arrays_.empty() || Clock::now() - last_query_ < kQueryInterval) return endings;
    last_query_ = Clock::now();
    for (auto array = arrays_.begin(); array != arrays_.end();) {
      const auto states = query(array->first, first_number_.at(array->first));
      if (states) {
        for (auto task = array->second.begin(); task != array->second.end();) {
          const auto state = states->find(task->first);
          task->second = state == states->end() ? "COMPLETED" : state->second;
          if (is_alive(task->second)) {
            ++task;
          } else {
            endings.push_back(ending_of(task->first, task->second));
            task = array->second.erase(task);
          }
        }
      }
      array = array->second.empty() ? arrays_.erase(array) : std::next(array);
    }
    return endings;
  }

  int num_running() const override {
    int count = 0;
    for (const auto& [array, tasks] : arrays_) count += static_cast<int>(tasks.size());
    return count;
  }

  bool outlives_steps() const override { return true; }

  void ask_to_stop() override {
    for (const auto& [array, tasks] : arrays_) {
      run_command({"scancel", "--state=PENDING", array});
      run_command({"scancel", "--batch", "--signal=TERM", array});
    }
  }

  void kill(const std::string& worker) override {
    const int number = number_of(worker);
    for (const auto& [array, tasks] : arrays_)
      if (tasks.contains(number))
        run_command({"scancel", fmt::format("{}_{}", array, number - first_number_.at(array))});
  }

  std::string state() const override {
    int pending = 0;
    for (const auto& [array, tasks] : arrays_)
      for (const auto& [number, state] : tasks) pending += state == "PENDING" ? 1 : 0;
    return pending > 0 ? fmt::format("{} of {} workers wait in the queue", pending, num_running()) : "";
  }

 private:
  static bool is_alive(const std::string& state) {
    for (const char* alive : {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD",
                              "REQUEUE_FED", "RESIZING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"})
      if (state == alive) return true;
    return false;
  }

  // "s3-w12.2" is task 12.
  static int number_of(const std::string& worker) {
    const std::size_t place = worker.find("-w");
    return place == std::string::npos ? kNoSuchTask : std::atoi(worker.c_str() + place + 2);
  }

  Ending ending_of(int number, const std::string& state) const {
    Ending ending;
    ending.worker = fmt::format("s{}-w{}", session_, number);
    // Told that its time ends, or that it is not wanted any more, a worker goes in order; a cancelled one may
    // have been waiting still.
    if (state == "COMPLETED" || state == "CANCELLED" || state == "TIMEOUT" || state == "DEADLINE" ||
        state == "PREEMPTED")
      return ending;
    ending.how = Ending::How::kDied;
    ending.cause = state == "OUT_OF_MEMORY" ? EndCause::kMemory : EndCause::kCrash;
    ending.message = fmt::format("Slurm says {} of its worker; what that said is in {}", state,
                                 (run_.path() / "slurm").string());
    return ending;
  }

  std::string submit(const std::vector<std::string>& words) const {
    for (int i = 1;; ++i) {
      const CommandResult result = run_command(words);
      if (result.exit_code == 0) {
        // "123" or "123;cluster".
        return result.out.substr(0, result.out.find_first_of(";\n"));
      }
      if (result.exit_code == 127) {
        throw Error(ErrorKind::kNotFound,
                    "--engine slurm: there is no sbatch here; log in where jobs are submitted");
      }
      if (i == kMostSubmissions) {
        throw Error(ErrorKind::kIo,
                    fmt::format("sbatch failed {} times, the last time with: {}", i, result.err));
      }
      for (int second = 0; second < (1 << (i - 1)); ++second) {
        throw_if_cancelled();
        std::this_thread::sleep_for(std::chrono::seconds(1));
      }
    }
  }

  // State by task; nothing where the controller does not answer, so that nobody is taken for dead. Tasks that
  // ended long ago are not there any more.
  static std::optional<std::map<int, std::string>> query(const std::string& array, int first_number) {
    const CommandResult result =
        run_command({"squeue", "--noheader", "--array", "--states=all", "--jobs", array, "--format=%K %T"});
    std::map<int, std::string> states;
    if (result.exit_code != 0) {
      if (result.err.find("Invalid job id") != std::string::npos) return states;
      return std::nullopt;
    }
    std::istringstream lines(result.out);
    int number = 0;
    std::string state;
    while (lines >> number >> state) states[first_number + number] = state;
    return states;
  }

  const RunFolder& run_;
  SlurmPoolOptions options_;
  std::map<std::string, std::map<int, std::string>> arrays_;  // job id -> number of worker -> state
  std::map<std::string, int> first_number_;                   // job id -> worker of index 0
  int next_number_ = 0;
  int session_ = 0;
  Clock::time_point last_query_{};
};

}  // namespace

std::unique_ptr<WorkerPool> make_slurm_pool(const RunFolder& run, const SlurmPoolOptions& options) {
  return std::make_unique<SlurmPool>(run, options);
}

}  // namespace organon::blockwise
