#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>

#include "organon/base/error.h"
#include "organon/blockwise/worker_pool.h"

namespace organon::blockwise {
namespace {

constexpr int kFailedExitCode = 3;
constexpr int kCannotStartExitCode = 127;

// How often the system ended a process because memory ran out: it leaves no other trace.
std::int64_t num_killed_for_memory() {
  std::ifstream file("/proc/vmstat");
  std::string word;
  std::int64_t value = 0;
  while (file >> word >> value)
    if (word == "oom_kill") return value;
  return 0;
}

class LocalPool : public WorkerPool {
 public:
  LocalPool(const RunFolder& run, const StageFactory& factory, LocalPoolOptions options)
      : run_(run),
        factory_(factory),
        options_(std::move(options)),
        killed_for_memory_(num_killed_for_memory()) {}
  LocalPool(const LocalPool&) = delete;
  LocalPool& operator=(const LocalPool&) = delete;
  ~LocalPool() override {
    for (const auto& [pid, worker] : running_) ::kill(pid, SIGKILL);
    for (const auto& [pid, worker] : running_) ::waitpid(pid, nullptr, 0);
  }

  void start(const WorkerOptions& first, int count) override {
    for (int i = 0; i < count; ++i) {
      WorkerOptions worker = first;
      worker.number = first.number + i;
      start_one(worker);
    }
  }

  std::vector<Ending> poll() override {
    std::vector<Ending> endings;
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = running_.find(pid);
      if (found == running_.end()) continue;
      endings.push_back(ending_of(found->second, status));
      running_.erase(found);
    }
    return endings;
  }

  int num_running() const override { return static_cast<int>(running_.size()); }

  void ask_to_stop() override {
    for (const auto& [pid, worker] : running_) ::kill(pid, SIGTERM);
  }

  void kill(const std::string& worker) override {
    for (const auto& [pid, name] : running_)
      if (name == worker) ::kill(pid, SIGKILL);
  }

 private:
  void start_one(const WorkerOptions& worker) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw_system_error("cannot start", "a worker process");
    if (child == 0) {
      // Workers never outlive their supervisor, whatever kills it.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(kCannotStartExitCode);
      if (options_.needs_fresh_workers) execute(worker);
      work_here(worker);
    }
    running_.emplace(child, fmt::format("s{}-w{}", worker.session, worker.number));
  }

  Ending ending_of(const std::string& worker, int status) {
    Ending ending;
    ending.worker = worker;
    if (WIFEXITED(status)) {
      const int code = WEXITSTATUS(status);
      if (code == kCannotStartExitCode) {
        throw Error(ErrorKind::kInternal, fmt::format("cannot start worker program {}", options_.program));
      }
      ending.how = code == 0                  ? Ending::How::kDone
                   : code == kStoppedExitCode ? Ending::How::kStopped
                   : code == kGaveUpExitCode  ? Ending::How::kGaveUp
                                              : Ending::How::kDied;
      ending.message = fmt::format("its worker ended with exit code {}", code);
      return ending;
    }
    ending.how = Ending::How::kDied;
    const int signal = WTERMSIG(status);
    ending.message = fmt::format("its worker was ended by signal {} ({})", signal, ::strsignal(signal));
    const std::int64_t killed = num_killed_for_memory();
    if (signal == SIGKILL && killed > killed_for_memory_) {
      ending.cause = EndCause::kMemory;
      ending.message = "the system ended its worker because memory ran out";
    }
    killed_for_memory_ = killed;
    return ending;
  }

  // In a child of fork(): becomes the worker program.
  [[noreturn]] void execute(const WorkerOptions& worker) {
    std::vector<std::string> words = {options_.program};
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    for (const std::string& word : words_of(run_, worker)) words.push_back(word);
    words.insert(words.end(), {"--number", std::to_string(worker.number)});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(kCannotStartExitCode);
  }

  // In a child of fork(): works and ends.
  [[noreturn]] void work_here(const WorkerOptions& worker) {
    int code = kFailedExitCode;
    try {
      code = work(run_, factory_, worker) == WorkerOutcome::kStopped ? kStoppedExitCode : 0;
    } catch (const std::exception& error) {
      fmt::print(stderr, "organon: {}\n", error.what());
      std::fflush(stderr);
    }
    ::_exit(code);  // what the parent has not written yet is the parent's
  }

  const RunFolder& run_;
  const StageFactory& factory_;
  LocalPoolOptions options_;
  std::map<pid_t, std::string> running_;
  std::int64_t killed_for_memory_ = 0;
};

}  // namespace

std::unique_ptr<WorkerPool> make_local_pool(const RunFolder& run, const StageFactory& factory,
                                            const LocalPoolOptions& options) {
  return std::make_unique<LocalPool>(run, factory, options);
}

std::vector<std::string> words_of(const RunFolder& run, const WorkerOptions& worker) {
  std::vector<std::string> words = {"work",         run.path().string(),
                                    "--step",       std::to_string(worker.step),
                                    "--session",    std::to_string(worker.session),
                                    "--of-workers", std::to_string(worker.of_workers),
                                    "--timeout-s",  fmt::format("{}", worker.limits.timeout_s),
                                    "--memory",     std::to_string(worker.limits.memory_bytes),
                                    "--silent-s",   fmt::format("{}", worker.limits.silent_s)};
  if (worker.is_alone) words.push_back("--alone");
  if (worker.fsync == Fsync::kNo) words.push_back("--no-fsync");
  return words;
}

}  // namespace organon::blockwise
