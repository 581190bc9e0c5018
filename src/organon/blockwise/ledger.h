#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "organon/blockwise/journal.h"

namespace organon::blockwise {

/// What the journals of a step say so far: the state of every block. Done is done whoever did it; attempts
/// and failures count for one session only (a supervisor and its workers): who runs again asks again.
///
/// Memory: one bit per block, and some words per block that is worked on or failed.
class Ledger {
 public:
  using Clock = std::chrono::steady_clock;

  Ledger(const std::filesystem::path& step_folder, std::int64_t num_blocks, int session);

  /// Reads what was written since.
  void refresh();

  std::int64_t num_blocks() const { return static_cast<std::int64_t>(done_.size()); }
  std::int64_t num_done() const { return num_done_; }
  bool is_done(std::int64_t block) const { return done_[static_cast<std::size_t>(block)]; }
  /// Blocks given up, and why.
  const std::map<std::int64_t, std::string>& failures() const { return failures_; }
  bool is_finished(std::int64_t block) const { return is_done(block) || failures_.contains(block); }
  /// Done or given up.
  std::int64_t num_finished() const { return num_done_ + static_cast<std::int64_t>(failures_.size()); }
  bool is_finished() const { return num_finished() >= num_blocks(); }
  /// A worker's own block, before its record is committed.
  void set_done(std::int64_t block);

  /// What was tried on a block that is not finished.
  struct Attempts {
    int begun = 0;
    int out_of_memory = 0;
    std::vector<std::string> endings;  ///< a line per attempt whose end is known
  };
  /// By block; without those that were never begun.
  const std::map<std::int64_t, Attempts>& attempts() const { return attempts_; }
  Attempts attempts_at(std::int64_t block) const;
  /// Tried again alone, after all others.
  bool lacks_memory(std::int64_t block) const;

  /// Why a worker stopped for all; empty where none did.
  const std::string& stop_message() const { return stop_message_; }

  struct Running {
    std::int64_t block = 0;
    Clock::time_point since;  ///< when this object saw it begin
  };
  /// By worker of this session.
  const std::map<std::string, Running>& running() const { return running_; }
  /// How long its journal had not grown at the last refresh(), by this process's own clock: clocks of other
  /// machines do not matter.
  double silent_seconds(const std::string& worker) const;

  /// Seconds that the share `q` of the completed blocks took at most, within a fifth; nothing before 8
  /// blocks.
  std::optional<double> seconds_quantile(double q) const;
  /// Largest resident memory that a worker reported.
  std::int64_t peak_bytes() const { return peak_bytes_; }

 private:
  void take(const JournalRecord& record);

  std::string session_prefix_;
  JournalReader reader_;
  std::vector<bool> done_;
  std::int64_t num_done_ = 0;
  std::map<std::int64_t, std::string> failures_;
  std::map<std::int64_t, Attempts> attempts_;
  std::string stop_message_;
  std::map<std::string, Running> running_;
  struct Growth {
    std::int64_t bytes = 0;
    Clock::time_point at;
  };
  std::map<std::string, Growth> growth_;
  Clock::time_point last_refresh_;
  std::array<std::int64_t, 192> blocks_of_seconds_{};  ///< histogram, four bins per factor of two
  std::int64_t peak_bytes_ = 0;
};

}  // namespace organon::blockwise
