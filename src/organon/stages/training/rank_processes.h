#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace organon::stages {

/// Where one process of a training by several belongs, and what it is told when it is started. Rank 0 is the
/// stage's worker, which starts, watches and ends the others.
struct RankPlace {
  std::filesystem::path run;     ///< run folder of the training
  std::filesystem::path folder;  ///< where its ranks meet, and where what they say is kept
  int rank = 0;
  int ranks_per_node = 1;

  std::filesystem::path meeting_file() const { return folder / "meeting"; }
  std::filesystem::path ready_file() const { return folder / ("ready_" + std::to_string(rank)); }
  std::filesystem::path log_file() const { return folder / ("rank_" + std::to_string(rank) + ".log"); }
  /// Among those on its machine.
  int local_rank() const { return rank % ranks_per_node; }
  /// After the program's name; the number of the rank is the last one.
  std::vector<std::string> words() const;
};

/// Exit code of a rank that ended because it lost another one.
constexpr int kLostRankExitCode = 6;

/// The processes of ranks 1, 2, ...: `organon train-rank` on this machine, or, in an allocation of Slurm over
/// several nodes, on all of them through srun, as many on each. They end with this object, and with the
/// process, whatever ends it.
class RankProcesses {
 public:
  /// Starts them. `folder` is new. Errors: kIo.
  RankProcesses(const std::filesystem::path& run, const std::filesystem::path& folder, int num_ranks);
  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;
  ~RankProcesses();

  /// Rank 0's own.
  const RankPlace& place() const { return place_; }
  bool is_one_machine() const { return place_.ranks_per_node == num_ranks_; }

  /// Until all have loaded what they learn from. Errors: kIo where one ends before, with its last words;
  /// kCancelled.
  void wait_until_ready();
  /// Where one does not answer: which, how it ended, its last words. Waits a few seconds for processes that
  /// are about to end.
  std::string describe_loss();

 private:
  struct Child {
    pid_t pid = 0;
    std::vector<int> ranks;
    std::optional<int> status;  ///< as of waitpid(), once it has ended
  };
  void start(const std::vector<std::string>& words, const std::filesystem::path& log, std::vector<int> ranks);
  void start_by_slurm(const std::vector<std::string>& nodes);
  void poll();
  RankPlace place_of(int rank) const;
  std::string describe(const Child& child) const;

  RankPlace place_;
  int num_ranks_;
  std::vector<Child> children_;
};

}  // namespace organon::stages
