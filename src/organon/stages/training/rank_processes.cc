#include "organon/stages/training/rank_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <thread>

#include "organon/base/cancellation.h"
#include "organon/base/command.h"
#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::stages {
namespace {

constexpr int kCannotStartExitCode = 127;
constexpr auto kPollInterval = std::chrono::milliseconds(50);
constexpr auto kLongestEnd = std::chrono::seconds(2);
constexpr std::size_t kLastWords = 400;  // letters

std::string program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// The nodes of the allocation in which this process runs; one or none: there is nobody else.
std::vector<std::string> allocated_nodes() {
  const char* count = std::getenv("SLURM_JOB_NUM_NODES");
  const char* list = std::getenv("SLURM_JOB_NODELIST");
  if (count == nullptr || list == nullptr || std::atoi(count) < 2) return {};
  const CommandResult result = run_command({"scontrol", "show", "hostnames", list});
  if (result.exit_code != 0) {
    throw Error(ErrorKind::kIo, fmt::format("scontrol does not tell the nodes of {}: {}", list, result.err));
  }
  std::vector<std::string> nodes;
  std::istringstream lines(result.out);
  for (std::string node; lines >> node;) nodes.push_back(node);
  return nodes;
}

// The end of what a process said, as one line.
std::string last_words(const std::filesystem::path& log) {
  std::string text = std::filesystem::exists(log) ? read_text(log) : "";
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  if (text.empty()) return "it said nothing";
  if (text.size() > kLastWords) text = "..." + text.substr(text.size() - kLastWords);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fmt::format("its last words: {}", text);
}

}  // namespace

std::vector<std::string> RankPlace::words() const {
  return {
      "train-rank", run.string(),        folder.string(), "--ranks-per-node", std::to_string(ranks_per_node),
      "--rank",     std::to_string(rank)};
}

RankProcesses::RankProcesses(const std::filesystem::path& run, const std::filesystem::path& folder,
                             int num_ranks)
    : place_{run, folder, 0, num_ranks}, num_ranks_(num_ranks) {
  std::filesystem::create_directories(folder);
  const std::vector<std::string> nodes = allocated_nodes();
  if (nodes.size() > 1) {
    const auto num_nodes = static_cast<int>(nodes.size());
    place_.ranks_per_node = (num_ranks + num_nodes - 1) / num_nodes;
  }
  if (!is_one_machine()) start_by_slurm(nodes);
  for (int rank = 1; is_one_machine() && rank < num_ranks; ++rank) {
    std::vector<std::string> words = place_of(rank).words();
    words.insert(words.begin(), program());
    start(words, place_of(rank).log_file(), {rank});
  }
}

RankProcesses::~RankProcesses() {
  for (const Child& child : children_)
    // Of srun: it ends its tasks first.
    if (!child.status) ::kill(child.pid, is_one_machine() ? SIGKILL : SIGTERM);
  for (const Child& child : children_)
    if (!child.status) ::waitpid(child.pid, nullptr, 0);
}

RankPlace RankProcesses::place_of(int rank) const {
  RankPlace place = place_;
  place.rank = rank;
  return place;
}

void RankProcesses::start_by_slurm(const std::vector<std::string>& nodes) {
  std::string hosts;
  std::vector<int> ranks;
  for (int rank = 1; rank < num_ranks_; ++rank) {
    hosts += nodes[static_cast<std::size_t>(rank / place_.ranks_per_node)] + "\n";
    ranks.push_back(rank);
  }
  // srun reads from it which task runs where.
  const std::filesystem::path host_file = place_.folder / "hosts";
  write_text_atomically(host_file, hosts, Fsync::kNo);
  ::setenv("SLURM_HOSTFILE", host_file.c_str(), 1);
  std::vector<std::string> rank_words = place_.words();
  rank_words.pop_back();
  rank_words.insert(rank_words.begin(), program());
  start({"srun", fmt::format("--ntasks={}", num_ranks_ - 1), "--distribution=arbitrary", "--overlap",
         "--kill-on-bad-exit=1", "sh", "-c",
         // Each into its own log; the first task is rank 1.
         fmt::format("rank=$((SLURM_PROCID + 1)); exec {} $rank >{}/rank_$rank.log 2>&1",
                     quoted_for_shell(rank_words), quoted_for_shell({place_.folder.string()}))},
        place_.folder / "srun.log", ranks);
}

void RankProcesses::start(const std::vector<std::string>& words, const std::filesystem::path& log,
                          std::vector<int> ranks) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_system_error("cannot start", words.front());
  if (child == 0) {
    // It never outlives the one that started it, whatever ends that.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kCannotStartExitCode);
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(kCannotStartExitCode);
  }
  children_.push_back({child, std::move(ranks), {}});
}

void RankProcesses::poll() {
  for (Child& child : children_) {
    int status = 0;
    if (!child.status && ::waitpid(child.pid, &status, WNOHANG) == child.pid) child.status = status;
  }
}

void RankProcesses::wait_until_ready() {
  for (int rank = 1; rank < num_ranks_;) {
    if (std::filesystem::exists(place_of(rank).ready_file())) {
      ++rank;
      continue;
    }
    poll();
    for (const Child& child : children_) {
      if (child.status) throw Error(ErrorKind::kIo, fmt::format("{} before training began", describe(child)));
    }
    throw_if_cancelled();
    std::this_thread::sleep_for(kPollInterval);
  }
}

std::string RankProcesses::describe(const Child& child) const {
  std::string who = child.ranks.size() == 1 ? fmt::format("rank {}", child.ranks[0])
                                            : fmt::format("srun, for ranks 1 to {},", num_ranks_ - 1);
  std::string how = "still runs, but does not answer";
  if (child.status && WIFEXITED(*child.status)) {
    how = fmt::format("ended with exit code {}", WEXITSTATUS(*child.status));
  } else if (child.status) {
    const int signal = WTERMSIG(*child.status);
    how = fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal));
  }
  std::string said;
  for (const int rank : child.ranks) {
    const std::string words = last_words(place_of(rank).log_file());
    said += child.ranks.size() == 1 ? "; " + words : fmt::format("; rank {}: {}", rank, words);
  }
  return fmt::format("{} {}{}", who, how, said);
}

std::string RankProcesses::describe_loss() {
  // That of a rank which only lost another says less than the other's; one that hangs is who is left.
  const auto says_more = [](const Child& child) {
    return child.status && !(WIFEXITED(*child.status) && (WEXITSTATUS(*child.status) == kLostRankExitCode ||
                                                          WEXITSTATUS(*child.status) == 0));
  };
  const auto end = std::chrono::steady_clock::now() + kLongestEnd;
  do {
    poll();
    for (const Child& child : children_)
      if (says_more(child)) return describe(child);
    std::this_thread::sleep_for(kPollInterval);
  } while (std::chrono::steady_clock::now() < end);
  std::string all;
  for (const Child& child : children_)
    if (!child.status || children_.size() == 1) all += (all.empty() ? "" : "; ") + describe(child);
  return all.empty() ? "all others ended because they lost one" : all;
}

}  // namespace organon::stages
